"""Where an authorization server is looked for, in which order, and whom nobody believes."""

from __future__ import annotations

from typing import Any

import pytest

from erlmcp_py.auth.client.actions import Fetched
from erlmcp_py.auth.client.challenge import Challenge, choose, read_challenges
from erlmcp_py.auth.client.discovery import discover
from erlmcp_py.auth.client.errors import AuthorizationError
from erlmcp_py.auth.client.urls import canonical, covers, issuer_documents

from .playing import World, answer

WELL = "https://mcp.example/.well-known"
PRM = f"{WELL}/oauth-protected-resource"
AS = "https://as.example"
NONE = Challenge("bearer", {})


def resource(**more: Any) -> Fetched:
    document = {"resource": "https://mcp.example/mcp", "authorization_servers": [AS], **more}
    return answer(document)


def server(issuer: str = AS, **more: Any) -> Fetched:
    return answer({"issuer": issuer, "token_endpoint": f"{AS}/token", **more})


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer", [("bearer", {})]),
        ('Bearer realm="a, b", scope="x y"', [("bearer", {"realm": "a, b", "scope": "x y"})]),
        (
            'Basic realm="x", DPoP algs="ES256", error=use_dpop_nonce',
            [("basic", {"realm": "x"}), ("dpop", {"algs": "ES256", "error": "use_dpop_nonce"})],
        ),
        (r'Bearer error_description="say \"hi\""', [("bearer", {"error_description": 'say "hi"'})]),
        ("Negotiate abc==, Bearer scope=a", [("negotiate", {}), ("bearer", {"scope": "a"})]),
        ("", []),
        (',,="', []),
    ],
)
def test_challenges_are_read(header: str, expected: list[Any]) -> None:
    found = [(one.scheme, one.params) for one in read_challenges(header)]
    assert [one for one in found if one[0] in dict(expected)] == expected


def test_the_challenge_that_says_why_is_the_one_that_counts() -> None:
    both = read_challenges('Bearer realm="x", DPoP error="use_dpop_nonce"')
    assert choose(both).scheme == "dpop"
    assert choose([]) == Challenge("", {})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTPS://MCP.Example:443/mcp", "https://mcp.example/mcp"),
        ("https://mcp.example/", "https://mcp.example"),
        ("https://mcp.example:8443/a#b", "https://mcp.example:8443/a"),
        ("http://[::1]:80/mcp?x=1", "http://[::1]/mcp?x=1"),
    ],
)
def test_the_canonical_uri(url: str, expected: str) -> None:
    assert canonical(url) == expected


@pytest.mark.parametrize(
    ("issuer", "places"),
    [
        (
            AS,
            [
                f"{AS}/.well-known/oauth-authorization-server",
                f"{AS}/.well-known/openid-configuration",
            ],
        ),
        (
            f"{AS}/tenant1",
            [
                f"{AS}/.well-known/oauth-authorization-server/tenant1",
                f"{AS}/.well-known/openid-configuration/tenant1",
                f"{AS}/tenant1/.well-known/openid-configuration",
            ],
        ),
    ],
)
def test_where_the_metadata_of_an_issuer_may_lie(issuer: str, places: list[str]) -> None:
    assert issuer_documents(issuer) == places


AS_PLACE = f"{AS}/.well-known/oauth-authorization-server"


@pytest.mark.parametrize(
    ("named", "there", "asked"),
    [
        (f"{WELL}/own", f"{WELL}/own", [f"{WELL}/own"]),
        (f"{WELL}/own", f"{PRM}/mcp", [f"{WELL}/own", f"{PRM}/mcp"]),
        (None, f"{PRM}/mcp", [f"{PRM}/mcp"]),
        (None, PRM, [f"{PRM}/mcp", PRM]),
    ],
)
def test_the_order_of_resource_metadata(named: str | None, there: str, asked: list[str]) -> None:
    world = World({there: resource(), AS_PLACE: server()})
    params = {} if named is None else {"resource_metadata": named}
    found = world.play(discover("https://mcp.example/mcp", Challenge("bearer", params)))
    assert found.server.issuer == AS
    assert not found.legacy
    assert world.urls == [*asked, AS_PLACE]


@pytest.mark.parametrize("place", issuer_documents(f"{AS}/tenant1"))
def test_every_place_of_server_metadata_is_found(place: str) -> None:
    issuer = f"{AS}/tenant1"
    pages = {f"{PRM}/mcp": resource(authorization_servers=[issuer]), place: server(issuer)}
    world = World(pages)
    world.play(discover("https://mcp.example/mcp", NONE))
    assert world.urls[1:] == issuer_documents(issuer)[: issuer_documents(issuer).index(place) + 1]


def test_a_server_of_2025_03_26_is_its_own_authorization_server() -> None:
    world = World()
    found = world.play(discover("https://mcp.example/mcp", NONE))
    assert found.legacy
    assert found.server.authorization_endpoint == "https://mcp.example/authorize"
    assert found.server.token_endpoint == "https://mcp.example/token"
    assert found.server.registration_endpoint == "https://mcp.example/register"
    assert world.urls == [f"{PRM}/mcp", PRM, f"{WELL}/oauth-authorization-server"]


def test_a_page_for_people_in_the_place_of_metadata_is_no_metadata() -> None:
    page = Fetched(200, {}, b"<!doctype html>")
    world = World({f"{PRM}/mcp": page, PRM: resource(), AS_PLACE: server()})
    assert world.play(discover("https://mcp.example/mcp", NONE)).server.issuer == AS


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ({PRM: resource(resource="https://evil.example/mcp")}, "not of https://mcp.example/mcp"),
        ({PRM: resource(resource="https://mcp.example/mcpx")}, "not of https://mcp.example/mcp"),
        ({PRM: resource(authorization_servers=[])}, "names no authorization server"),
        ({PRM: resource(authorization_servers=["http://as.example"])}, "must begin with https"),
        ({PRM: resource(authorization_servers=["https://127.0.0.1:9"])}, "on this machine"),
        ({PRM: resource(authorization_servers=["http://localhost/x"])}, "on this machine"),
        ({PRM: resource(authorization_servers=["https://u:p@as.example"])}, "user name"),
        ({PRM: resource(authorization_servers=["file:///etc/passwd"])}, "no address"),
        ({PRM: resource()}, "has no metadata"),
        ({PRM: resource(), AS_PLACE: server("https://other.example")}, "not https://as.example"),
        ({PRM: resource(), AS_PLACE: server(f"{AS}/")}, "not https://as.example"),
        ({PRM: resource(), AS_PLACE: server(token_endpoint="http://as.example/t")}, "https"),
        (
            {PRM: resource(), AS_PLACE: server(authorization_endpoint="javascript:alert(1)")},
            "no address",
        ),
        ({PRM: answer({"resource": 7})}, "no metadata of a protected resource"),
        ({PRM: Fetched(500)}, "HTTP 500"),
        ({PRM: Fetched(302, {"location": "https://evil.example/x"})}, "another origin"),
        ({PRM: Fetched(302, {"location": PRM})}, "again and again"),
    ],
)
def test_who_is_not_believed(pages: dict[str, Any], said: str) -> None:
    with pytest.raises(AuthorizationError, match=said):
        World(pages).play(discover("https://mcp.example/mcp", NONE))


def test_a_named_document_that_is_missing_is_no_reason_to_trust_less() -> None:
    named = Challenge("bearer", {"resource_metadata": f"{WELL}/own"})
    with pytest.raises(AuthorizationError, match="there is no document"):
        World().play(discover("https://mcp.example/mcp", named))


def test_a_redirect_within_the_origin_is_followed() -> None:
    moved = Fetched(301, {"location": "/elsewhere"})
    pages = {PRM: moved, "https://mcp.example/elsewhere": resource(), AS_PLACE: server()}
    assert World(pages).play(discover("https://mcp.example/mcp", NONE)).server.issuer == AS


@pytest.mark.parametrize(
    ("resource", "good"),
    [
        ("https://mcp.example", True),
        ("https://mcp.example/", True),
        ("https://mcp.example/a", True),
        ("https://mcp.example/a/b", True),
        ("https://mcp.example/a/b/c", False),
        ("https://mcp.example/a/bb", False),
        ("https://mcp.example:444/a", False),
        ("http://mcp.example/a", False),
        ("https://mcp.example/a?x", False),
    ],
)
def test_which_resource_is_the_server(resource: str, good: bool) -> None:
    assert covers(resource, "https://mcp.example/a/b") is good


def test_a_neighbour_whose_path_begins_alike_is_another_resource() -> None:
    assert not covers("https://mcp.example/a", "https://mcp.example/ab")
