"""The session as a machine: refusals in, requests and errors out. No network, no clock, no chance."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from erlmcp_py.auth.client.errors import AuthorizationError, TokenRefused
from erlmcp_py.auth.client.plans import (
    ClientCredentials,
    Enterprise,
    IdentityProvider,
    Registered,
    Workload,
)
from erlmcp_py.auth.client.session import Session

from .playing import REDIRECT_URI, World, answer
from .sessions import (
    AS,
    PERSON,
    REGISTER,
    TOKEN,
    URL,
    Tokens,
    refreshed,
    refuse,
    sent,
    session,
    world,
)


def test_the_whole_way_of_a_person() -> None:
    tokens = Tokens(expires_in=3600)
    there = world(tokens)
    made = session(there)
    assert sent(made, there) is None
    assert refuse(there, made) is True
    assert sent(made, there) == "Bearer secret-token-1"
    (page,) = there.visited
    (asked,) = tokens.forms
    assert page["response_type"] == "code"
    assert page["client_id"] == asked["client_id"] == "registered"
    assert page["resource"] == asked["resource"] == URL
    assert page["redirect_uri"] == asked["redirect_uri"] == REDIRECT_URI
    assert page["code_challenge_method"] == "S256"
    digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
    assert page["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert asked["code"] == "the-code"
    assert "scope" not in page


def back(**params: str) -> Callable[[dict[str, str]], list[tuple[str, str]]]:
    return lambda query: [*{"code": "c", "state": query["state"], **params}.items()]


@pytest.mark.parametrize(
    ("params", "announced", "said"),
    [
        ({"state": "another"}, False, "state"),
        ({}, True, "does not say who answers"),
        ({"iss": "https://evil.example"}, True, "comes from https://evil.example"),
        ({"iss": "https://evil.example"}, False, "comes from https://evil.example"),
        ({"iss": f"{AS}/"}, True, "another server"),
        ({"iss": "HTTPS://as.example"}, True, "another server"),
        ({"iss": "https://evil.example", "error": "access_denied"}, True, "another server"),
        (
            {"iss": AS, "error": "access_denied", "error_description": "no"},
            True,
            "access_denied: no",
        ),
        ({"code": ""}, False, "no code"),
    ],
)
def test_answers_that_are_not_taken(params: dict[str, str], announced: bool, said: str) -> None:
    tokens = Tokens()
    there = world(tokens, authorization_response_iss_parameter_supported=announced)
    there.back = back(**params)
    with pytest.raises(AuthorizationError, match=said):
        refuse(there, session(there))
    assert tokens.forms == []


@pytest.mark.parametrize("announced", [True, False])
def test_the_right_issuer_is_taken(announced: bool) -> None:
    there = world(authorization_response_iss_parameter_supported=announced)
    there.back = back(iss=AS)
    assert refuse(there, session(there)) is True


def test_an_answer_that_says_something_twice_is_not_taken() -> None:
    there = world()
    there.back = lambda query: [("state", query["state"]), ("code", "a"), ("code", "b")]
    with pytest.raises(AuthorizationError, match="twice"):
        refuse(there, session(there))


@pytest.mark.parametrize("methods", [None, [], ["plain"]])
def test_without_pkce_nobody_is_sent_there(methods: list[str] | None) -> None:
    there = world(code_challenge_methods_supported=methods)
    with pytest.raises(AuthorizationError, match="S256"):
        refuse(there, session(there))
    assert there.visited == []
    assert REGISTER not in there.urls


def test_a_server_of_2025_03_26_need_not_announce_pkce_and_gets_it() -> None:
    base = "https://mcp.example"
    register = answer({"client_id": "r"}, 201)
    there = World({f"{base}/register": register, f"{base}/token": Tokens()})
    assert refuse(there, session(there)) is True
    assert there.visited[0]["code_challenge_method"] == "S256"
    assert there.visited[0]["resource"] == URL


# --- other plans ------------------------------------------------------------------------


def test_a_workload_shows_its_assertion_once() -> None:
    there = world()
    there.pages[TOKEN] = answer({"error": "invalid_grant", "error_description": "too old"}, 400)

    async def never(_: str) -> str:
        raise AssertionError

    with pytest.raises(TokenRefused, match="too old"):
        refuse(there, session(there, Workload("me", never)))
    (asked,) = there.forms(TOKEN)
    assert asked["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert asked["assertion"] == "the.assertion.jwt"
    assert asked["client_id"] == "me"


def enterprise() -> Enterprise:
    async def never(_: str) -> str:
        raise AssertionError

    provider = IdentityProvider("https://idp.example/token", "me-there", never)
    return Enterprise(Registered("me", "s3cret"), provider)


def test_enterprise_managed_authorization() -> None:
    tokens = Tokens()
    there = world(tokens)
    issued = "urn:ietf:params:oauth:token-type:id-jag"
    jag = {"access_token": "the-jag", "token_type": "N_A", "issued_token_type": issued}
    there.pages["https://idp.example/token"] = answer(jag)
    refuse(there, session(there, enterprise()), 'Bearer scope="a"')
    (exchange,) = there.forms("https://idp.example/token")
    assert exchange["requested_token_type"] == issued
    assert exchange["audience"] == AS
    assert exchange["resource"] == URL
    assert exchange["subject_token"] == "the.assertion.jwt"
    assert exchange["client_id"] == "me-there"
    (asked,) = tokens.forms
    assert asked["assertion"] == "the-jag"
    assert tokens.requests[0].headers["Authorization"].startswith("Basic ")


def test_a_provider_that_issues_something_else_is_not_believed() -> None:
    there = world()
    there.pages["https://idp.example/token"] = Tokens()
    with pytest.raises(AuthorizationError, match="no ID-JAG"):
        refuse(there, session(there, enterprise()))
    assert there.forms(TOKEN) == []


# --- secrets ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"access_token": "evil\r\nX: y", "token_type": "Bearer"},
        {"access_token": "", "token_type": "Bearer"},
        {"access_token": "a", "token_type": "mac"},
        {"access_token": "a", "token_type": "DPoP"},
        {"access_token": "a", "token_type": "Bearer", "expires_in": -5},
        {"access_token": "a", "token_type": "Bearer", "expires_in": "soon"},
        {"token_type": "Bearer"},
        ["a"],
    ],
)
def test_answers_that_are_no_tokens(given: Any) -> None:
    there = world()
    there.pages[TOKEN] = answer(given)
    made = session(there)
    with pytest.raises(AuthorizationError):
        refuse(there, made)
    assert sent(made, there) is None


def test_no_secret_is_in_a_repr_or_an_error() -> None:
    there, tokens, made = refreshed()
    plan = ClientCredentials(Registered("me", "the-secret"))
    shown = repr([made.grant, plan, there.fetched, tokens.requests])
    for secret in ("secret-token-1", "refresh-one", "the-secret", "the-code"):
        assert secret not in shown
    echo = {"error": "invalid_request", "error_description": "what is the-secret?"}
    there = world()
    there.pages[TOKEN] = answer(echo, 400)
    with pytest.raises(AuthorizationError) as caught:
        refuse(there, session(there, plan))
    assert "what is" in str(caught.value)
    assert "the-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://mcp.example/mcp", "ftp://mcp.example", "https://a:b@c.example"]
)
def test_servers_that_no_token_may_go_to(url: str) -> None:
    with pytest.raises(AuthorizationError):
        Session(url, PERSON)
