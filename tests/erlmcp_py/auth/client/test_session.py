"""The session as a machine: refusals in, requests and errors out. No network, no clock, no chance."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from erlmcp_py.auth.client.actions import Fetch, Fetched
from erlmcp_py.auth.client.errors import AuthorizationError, TokenRefused
from erlmcp_py.auth.client.plans import (
    AuthorizationCode,
    ClientCredentials,
    Enterprise,
    IdentityProvider,
    Plan,
    Registered,
    Workload,
)
from erlmcp_py.auth.client.receiver import Loopback
from erlmcp_py.auth.client.session import Session

from .playing import REDIRECT_URI, World, answer, form

URL = "https://mcp.example/mcp"
AS = "https://as.example"
PRM = "https://mcp.example/.well-known/oauth-protected-resource/mcp"
META = f"{AS}/.well-known/oauth-authorization-server"
TOKEN = f"{AS}/token"
REGISTER = f"{AS}/register"
CIMD = "https://client.example/client.json"
BEARER = {"www-authenticate": "Bearer"}
PERSON = AuthorizationCode(Loopback())


class Tokens:
    """A token endpoint: numbers its tokens, and writes down what it was asked."""

    def __init__(self, **more: Any) -> None:
        self.more = more
        self.forms: list[dict[str, str]] = []
        self.requests: list[Fetch] = []

    def __call__(self, request: Fetch) -> Fetched:
        self.requests.append(request)
        self.forms.append(form(request))
        number = len(self.forms)
        given = {"access_token": f"secret-token-{number}", "token_type": "Bearer"}
        return answer({**given, **self.more})


def world(tokens: Tokens | None = None, *, prm: Any = None, **server: Any) -> World:
    document = {
        "issuer": AS,
        "token_endpoint": TOKEN,
        "authorization_endpoint": f"{AS}/authorize",
        "registration_endpoint": REGISTER,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
        **server,
    }
    resource = {"resource": URL, "authorization_servers": [AS], **(prm or {})}
    return World(
        {
            PRM: answer(resource),
            META: answer({name: value for name, value in document.items() if value is not None}),
            TOKEN: tokens or Tokens(),
            REGISTER: answer({"client_id": "registered"}, 201),
        }
    )


def session(there: World, plan: Plan = PERSON) -> Session:
    made = Session(URL, plan)
    there.play(made.prepare())
    return made


def refuse(
    there: World, made: Session, header: str = "Bearer", status: int = 401, tries: int = 1
) -> Any:
    headers = {"www-authenticate": header}
    return there.play(made.challenged(status, headers, tries, made.serial))


def sent(made: Session, there: World) -> str | None:
    headers = made.headers("POST", URL, time=there.now, unique=b"1")
    return headers.get("Authorization")


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


# --- who the client is ------------------------------------------------------------------


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


# --- scopes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "supported", "listed", "asked"),
    [
        ('Bearer scope="a b"', ["c"], [], "a b"),
        ("Bearer", ["c", "d"], [], "c d"),
        ("Bearer", None, [], None),
        ("Bearer", ["c"], ["offline_access"], "c offline_access"),
        ('Bearer scope="a offline_access"', None, [], "a"),
    ],
)
def test_which_scopes_are_asked_for(
    header: str, supported: list[str] | None, listed: list[str], asked: str | None
) -> None:
    there = world(prm={"scopes_supported": supported}, scopes_supported=listed)
    refuse(there, session(there), header)
    assert there.visited[0].get("scope") == asked


MORE = 'Bearer error="insufficient_scope", scope="write"'


def test_a_step_up_asks_for_the_union() -> None:
    there = world()
    made = session(there)
    refuse(there, made, 'Bearer scope="read"')
    assert refuse(there, made, MORE, 403) is True
    assert there.visited[-1]["scope"] == "read write"
    assert sent(made, there) == "Bearer secret-token-2"


def test_a_step_up_that_gives_nothing_ends() -> None:
    there = world(Tokens(scope="read"))
    made = session(there)
    refuse(there, made, 'Bearer scope="read"')
    refuse(there, made, MORE, 403)
    refuse(there, made, MORE, 403)
    with pytest.raises(AuthorizationError, match="are not given"):
        refuse(there, made, MORE, 403)
    assert len(there.visited) == 3


def test_scopes_that_are_there_are_not_asked_for_again() -> None:
    there = world()
    made = session(there)
    refuse(there, made, 'Bearer scope="read"')
    refuse(there, made, MORE, 403)
    with pytest.raises(AuthorizationError, match="has already"):
        refuse(there, made, MORE, 403, tries=2)


@pytest.mark.parametrize("header", ["", "Bearer", 'Bearer error="invalid_token"'])
def test_another_403_is_the_servers_last_word(header: str) -> None:
    there = world()
    made = session(there)
    refuse(there, made)
    assert refuse(there, made, header, 403) is False
    assert len(there.visited) == 1


def test_a_token_refused_at_once_ends() -> None:
    there = world()
    made = session(there)
    refuse(there, made)
    with pytest.raises(AuthorizationError, match="just given: it is blue"):
        refuse(there, made, 'Bearer error="invalid_token", error_description="it is blue"', tries=2)
    assert len(there.visited) == 1


def test_a_refusal_of_an_older_token_costs_nothing() -> None:
    there = world()
    made = session(there)
    before = made.serial
    refuse(there, made)
    assert there.play(made.challenged(401, BEARER, 1, before)) is True
    assert len(there.visited) == 1


# --- refresh ----------------------------------------------------------------------------


def refreshed(**more: Any) -> tuple[World, Tokens, Session]:
    tokens = Tokens(expires_in=3600, refresh_token="refresh-one", **more)
    there = world(tokens)
    made = session(there)
    refuse(there, made)
    return there, tokens, made


@pytest.mark.parametrize(("later", "renewed"), [(3569, False), (3571, True), (9999, True)])
def test_a_token_is_renewed_shortly_before_its_end(later: float, renewed: bool) -> None:
    there, tokens, made = refreshed()
    there.now += later
    assert made.ready(there.now) is not renewed
    there.play(made.prepare())
    assert len(tokens.forms) == 1 + renewed
    if renewed:
        asked = tokens.forms[-1]
        assert asked["grant_type"] == "refresh_token"
        assert asked["refresh_token"] == "refresh-one"
        assert asked["resource"] == URL


def test_a_rotated_refresh_token_takes_the_place_of_the_old_one() -> None:
    there, tokens, made = refreshed()
    tokens.more["refresh_token"] = "refresh-two"
    there.now += 4000
    there.play(made.prepare())
    there.now += 4000
    there.play(made.prepare())
    assert [asked.get("refresh_token") for asked in tokens.forms[1:]] == [
        "refresh-one",
        "refresh-two",
    ]


def test_a_refresh_token_that_is_not_replaced_stays() -> None:
    there, tokens, made = refreshed()
    del tokens.more["refresh_token"]
    for _ in range(2):
        there.now += 4000
        there.play(made.prepare())
    assert [asked.get("refresh_token") for asked in tokens.forms[1:]] == ["refresh-one"] * 2


def test_a_refresh_token_that_is_over_leads_to_the_person() -> None:
    there, _, made = refreshed()
    there.pages[TOKEN] = answer({"error": "invalid_grant"}, 400)
    there.now += 4000
    there.play(made.prepare())
    assert sent(made, there) is None
    there.pages[TOKEN] = Tokens()
    assert refuse(there, made) is True
    assert len(there.visited) == 2
    assert sent(made, there) == "Bearer secret-token-1"


def test_a_registration_that_was_deleted_is_made_anew() -> None:
    there, _, made = refreshed()
    there.pages[TOKEN] = answer({"error": "invalid_client"}, 401)
    there.now += 4000
    there.play(made.prepare())
    there.pages[TOKEN] = Tokens()
    refuse(there, made)
    assert there.urls.count(REGISTER) == 2


def test_a_token_endpoint_that_is_down_matters_when_the_token_has_ended() -> None:
    there, _, made = refreshed()
    there.pages[TOKEN] = Fetched(503)
    there.now += 3580
    there.play(made.prepare())
    assert sent(made, there) is not None
    there.now += 21
    with pytest.raises(AuthorizationError, match="HTTP 503"):
        there.play(made.prepare())


def test_a_401_is_first_met_with_the_refresh_token_then_with_the_person() -> None:
    there, tokens, made = refreshed()
    assert refuse(there, made) is True
    assert len(there.visited) == 1
    assert refuse(there, made, tries=2) is True
    assert len(there.visited) == 2
    with pytest.raises(AuthorizationError, match="just given"):
        refuse(there, made, tries=3)
    assert len(tokens.forms) == 3


def test_a_refresh_token_does_not_go_to_another_issuer() -> None:
    there, tokens, made = refreshed()
    other = "https://other.example"
    document = msgspec.json.decode(there.pages[META].body)  # type: ignore[union-attr]
    theirs = Tokens()
    moved = {**document, "issuer": other, "token_endpoint": f"{other}/token"}
    there.pages[f"{other}/.well-known/oauth-authorization-server"] = answer(moved)
    there.pages[f"{other}/token"] = theirs
    there.pages[PRM] = answer({"resource": URL, "authorization_servers": [other]})
    assert refuse(there, made) is True
    assert [asked["grant_type"] for asked in theirs.forms] == ["authorization_code"]
    assert len(tokens.forms) == 1


def test_a_grant_is_taken_up_after_a_restart() -> None:
    there, _, _ = refreshed()
    assert sent(session(there), there) == "Bearer secret-token-1"


def test_what_another_process_has_renewed_is_not_renewed_again() -> None:
    there, tokens, one = refreshed()
    two = session(there)
    there.now += 4000
    there.play(one.prepare())
    there.play(two.prepare())
    assert sent(two, there) == sent(one, there) == "Bearer secret-token-2"
    assert len(tokens.forms) == 2


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
