"""The session as a machine: who the client is to an authorization server."""

from __future__ import annotations

import base64

import msgspec
import pytest

from erlmcp_py.auth.client.errors import AuthorizationError
from erlmcp_py.auth.client.plans import (
    AuthorizationCode,
    ClientCredentials,
    Plan,
    Registered,
)
from erlmcp_py.auth.client.receiver import Loopback

from .playing import REDIRECT_URI, answer
from .sessions import (
    AS,
    CIMD,
    META,
    PERSON,
    PRM,
    REGISTER,
    URL,
    Tokens,
    refuse,
    session,
    world,
)


@pytest.mark.parametrize(
    ("plan", "cimd", "client_id", "registers"),
    [
        (AuthorizationCode(Loopback(), Registered("known"), CIMD), True, "known", False),
        (AuthorizationCode(Loopback(), None, CIMD), True, CIMD, False),
        (AuthorizationCode(Loopback(), None, CIMD), False, "registered", True),
        (PERSON, True, "registered", True),
    ],
)
def test_the_order_of_registration(plan: Plan, cimd: bool, client_id: str, registers: bool) -> None:
    there = world(client_id_metadata_document_supported=cimd)
    refuse(there, session(there, plan))
    assert there.visited[0]["client_id"] == client_id
    assert (REGISTER in there.urls) is registers


def test_a_registration_says_what_the_client_is() -> None:
    there = world()
    refuse(there, session(there))
    (request,) = (one for one in there.fetched if one.url == REGISTER)
    body = msgspec.json.decode(request.body)
    assert body["application_type"] == "native"
    assert body["grant_types"] == ["authorization_code", "refresh_token"]
    assert body["token_endpoint_auth_method"] == "none"
    assert body["redirect_uris"] == [REDIRECT_URI]


def test_a_registration_is_kept_and_belongs_to_its_issuer() -> None:
    there = world()
    refuse(there, session(there))
    refuse(there, session(there))
    assert there.urls.count(REGISTER) == 1
    other = "https://other.example"
    document = msgspec.json.decode(there.pages[META].body)  # type: ignore[union-attr]
    moved = {**document, "issuer": other, "registration_endpoint": f"{other}/register"}
    there.pages[f"{other}/.well-known/oauth-authorization-server"] = answer(moved)
    there.pages[PRM] = answer({"resource": URL, "authorization_servers": [other]})
    there.pages[f"{other}/register"] = answer({"client_id": "elsewhere"}, 201)
    refuse(there, session(there))
    assert there.visited[-1]["client_id"] == "elsewhere"


@pytest.mark.parametrize("issuer", [AS, None])
def test_a_client_registered_beforehand_is_not_shown_to_another_issuer(issuer: str | None) -> None:
    tokens = Tokens()
    there = world(tokens)
    plan = ClientCredentials(Registered("me", "the-secret", issuer=issuer))
    refuse(there, session(there, plan))
    other = "https://other.example"
    evil = {"issuer": other, "token_endpoint": f"{other}/token"}
    there.pages[f"{other}/.well-known/oauth-authorization-server"] = answer(evil)
    there.pages[PRM] = answer({"resource": URL, "authorization_servers": [other]})
    with pytest.raises(AuthorizationError, match=f"belongs to {AS}"):
        refuse(there, session(there, plan))
    assert f"{other}/token" not in there.urls


def test_where_nobody_can_register_it_is_said() -> None:
    there = world(registration_endpoint=None)
    with pytest.raises(AuthorizationError, match="register one there"):
        refuse(there, session(there))


@pytest.mark.parametrize(
    ("methods", "seen"),
    [(["client_secret_basic"], "header"), (["client_secret_post"], "form"), (None, "header")],
)
def test_how_a_secret_is_sent(methods: list[str] | None, seen: str) -> None:
    tokens = Tokens()
    there = world(tokens, token_endpoint_auth_methods_supported=methods)
    refuse(there, session(there, ClientCredentials(Registered("m:e", "s&cret/"))))
    header = tokens.requests[0].headers.get("Authorization")
    if seen == "header":
        assert header == "Basic " + base64.b64encode(b"m%3Ae:s%26cret%2F").decode()
        assert "client_secret" not in tokens.forms[0]
    else:
        assert header is None
        assert tokens.forms[0]["client_secret"] == "s&cret/"


def test_a_secret_that_the_server_does_not_take_is_not_sent() -> None:
    there = world(token_endpoint_auth_methods_supported=["private_key_jwt"])
    with pytest.raises(AuthorizationError, match="none of the ways"):
        refuse(there, session(there, ClientCredentials(Registered("me", "x"))))
