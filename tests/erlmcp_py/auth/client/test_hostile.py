"""Servers, neighbours and files that mean ill, or are merely odd."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from erlmcp_py.auth.client import (
    AuthorizationCode,
    Authorizations,
    ClientCredentials,
    FileStore,
    Headless,
    Loopback,
    Registered,
    Workload,
)
from erlmcp_py.auth.client.actions import Fetched
from erlmcp_py.auth.client.challenge import Challenge
from erlmcp_py.auth.client.discovery import discover
from erlmcp_py.auth.client.errors import AuthorizationError
from erlmcp_py.auth.client.session import Session
from erlmcp_py.auth.client.store import HOLD_WAIT

from .authority import authority
from .playing import World, answer
from .sessions import (
    AS,
    META,
    PERSON,
    PRM,
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
from .test_flows import REDIRECT_URI, TLS, Came, browse, person, request


@pytest.mark.parametrize("where", ["error_description", "error"])
def test_a_server_that_repeats_the_token_in_its_refusal(where: str) -> None:
    there = world()
    made = session(there)
    refuse(there, made)
    with pytest.raises(AuthorizationError, match="just given") as caught:
        refuse(there, made, f'Bearer {where}="no: secret-token-1"', tries=2)
    assert "secret-token-1" not in str(caught.value)


def test_a_server_that_names_the_token_as_a_scope() -> None:
    there = world(Tokens(scope="secret-token-1"))
    made = session(there)
    refuse(there, made)
    with pytest.raises(AuthorizationError, match="has already") as caught:
        refuse(there, made, 'Bearer error="insufficient_scope", scope="secret-token-1"', 403)
    assert "secret-token-1" not in str(caught.value)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_token_endpoint_that_repeats_the_request_as_it_came(method: str) -> None:
    there = world(token_endpoint_auth_methods_supported=[method])
    there.pages[TOKEN] = lambda asked: answer(
        {
            "error": "no",
            "error_description": f"{asked.headers.get('Authorization')} {asked.body!r}",
        },
        400,
    )
    plan = ClientCredentials(Registered("me", "s&cret/of+ours"))
    with pytest.raises(AuthorizationError, match="no:") as caught:
        refuse(there, session(there, plan))
    for form in ("s&cret/of+ours", "s%26cret%2Fof%2Bours"):
        assert form not in str(caught.value)
        assert base64.b64encode(f"me:{form}".encode()).decode() not in str(caught.value)


def test_a_refresh_that_another_process_won_is_not_undone() -> None:
    there, tokens, one = refreshed()
    two = session(there)
    there.now += 4000

    def slower(asked: Any) -> Fetched:
        there.pages[TOKEN] = tokens
        there.play(two.prepare())
        return answer({"error": "invalid_grant"}, 400)

    there.pages[TOKEN] = slower
    there.play(one.prepare())
    assert sent(one, there) == sent(two, there) == "Bearer secret-token-2"
    assert sent(session(there), there) == "Bearer secret-token-2"


def test_tokens_of_another_client_are_not_taken_from_the_store() -> None:
    there = world()
    refuse(there, session(there, ClientCredentials(Registered("one", "s3cret"))))
    two = session(there, ClientCredentials(Registered("two", "s3cret")))
    assert sent(two, there) is None


def test_a_workload_does_not_show_its_assertion_to_another_issuer() -> None:
    async def never(_: str) -> str:
        raise AssertionError

    there = world()
    plan = Workload("me", never)
    refuse(there, session(there, plan))
    other = "https://other.example"
    there.pages[f"{other}/.well-known/oauth-authorization-server"] = answer(
        {"issuer": other, "token_endpoint": f"{other}/token"}
    )
    there.pages[PRM] = answer({"resource": URL, "authorization_servers": [other]})
    with pytest.raises(AuthorizationError, match=f"belongs to {AS}"):
        refuse(there, session(there, plan))
    assert f"{other}/token" not in there.urls


@pytest.mark.parametrize("plan", [PERSON, ClientCredentials(Registered("me", "s3cret"))])
def test_a_type_for_exchanges_is_none_of_a_token_for_use(plan: Any) -> None:
    there = world(Tokens(token_type="N_A", issued_token_type="urn:x"))
    with pytest.raises(AuthorizationError, match="of type N_A"):
        refuse(there, session(there, plan))


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.5",
        "192.168.1.1",
        "172.16.9.9",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "[fd00::1]",
        "[64:ff9b::a00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[::ffff:10.0.0.1]",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "localhost.",
        "x.localhost",
        "127.1",
        "2130706433",
        "0x7f.1",
        "017700000001",
        "127.0.0.1.",
    ],
)
def test_a_server_in_the_network_names_nothing_inside(host: str) -> None:
    there = world(prm={"authorization_servers": [f"https://{host}"]})
    with pytest.raises(AuthorizationError, match="the server is not"):
        refuse(there, session(there))
    assert there.urls == [PRM]


def test_a_server_inside_may_name_its_neighbours() -> None:
    issuer = "https://10.0.0.7"
    there = World(
        {
            "https://10.0.0.5/.well-known/oauth-protected-resource": answer(
                {"resource": "https://10.0.0.5", "authorization_servers": [issuer]}
            ),
            f"{issuer}/.well-known/oauth-authorization-server": answer(
                {"issuer": issuer, "token_endpoint": f"{issuer}/t"}
            ),
        }
    )
    assert there.play(discover("https://10.0.0.5", Challenge("", {}))).server.issuer == issuer


def test_an_endpoint_with_a_fragment_is_none() -> None:
    there = world(authorization_endpoint=f"{AS}/authorize#x")
    with pytest.raises(AuthorizationError, match="fragment"):
        refuse(there, session(there))


@pytest.mark.parametrize(
    "to",
    [
        "https://[bad",
        "http://mcp.example/x",
        "//10.0.0.1/x",
        "javascript:x",
        "https://mcp.example:99999/",
    ],
)
def test_odd_redirects_of_metadata(to: str) -> None:
    there = World({PRM: Fetched(302, {"location": to})})
    with pytest.raises(AuthorizationError):
        there.play(discover(URL, Challenge("", {})))


@pytest.mark.parametrize(
    "said",
    [
        Fetched(404, {}, b"<html>"),
        answer({"error": "bad_refresh_token"}, 200),
        answer({"error": "expired"}, 400),
        Fetched(401),
        answer("gone", 410),
    ],
)
def test_a_refresh_that_is_refused_in_other_words_leads_to_the_person(said: Fetched) -> None:
    there, tokens, made = refreshed()
    there.now += 4000
    there.pages[TOKEN] = lambda asked: said if b"refresh_token=" in asked.body else tokens(asked)
    there.play(made.prepare())
    assert refuse(there, made) is True
    assert len(there.visited) == 2
    assert sent(made, there) == "Bearer secret-token-2"


def test_a_token_endpoint_that_moved_is_found() -> None:
    there, tokens, made = refreshed()
    there.now += 4000
    there.pages[TOKEN] = Fetched(404)
    document = msgspec.json.decode(there.pages[META].body)  # type: ignore[union-attr]
    there.pages[META] = answer({**document, "token_endpoint": f"{AS}/new"})
    there.pages[f"{AS}/new"] = tokens
    there.play(made.prepare())
    assert refuse(there, made) is True
    assert len(there.visited) == 1
    assert tokens.forms[-1]["grant_type"] == "refresh_token"


def test_null_is_as_good_as_nothing() -> None:
    nothing = [
        "scopes_supported",
        "dpop_signing_alg_values_supported",
        "client_id_metadata_document_supported",
    ]
    there = world(
        prm={
            "scopes_supported": None,
            "dpop_signing_alg_values_supported": None,
            "dpop_bound_access_tokens_required": None,
        }
    )
    document = msgspec.json.decode(there.pages[META].body)  # type: ignore[union-attr]
    there.pages[META] = answer(
        document | dict.fromkeys(nothing) | {"authorization_response_iss_parameter_supported": None}
    )
    there.pages[REGISTER] = answer(
        {"client_id": "registered", "client_secret": None, "client_secret_expires_at": None}, 201
    )
    assert refuse(there, session(there)) is True


@pytest.mark.parametrize("place", [PRM, META, TOKEN, REGISTER])
def test_documents_without_bottom(place: str) -> None:
    there = world()
    there.pages[place] = Fetched(200, {}, b'{"a":' * 40000)
    with pytest.raises(AuthorizationError):
        refuse(there, session(there))


def test_a_nonce_that_is_none_is_not_taken_up() -> None:
    made = Session(URL, PERSON, dpop=True)
    there = world()
    there.pages[TOKEN] = answer(
        {"access_token": "a", "token_type": "DPoP"}, dpop_nonce="bad nonce\x01"
    )
    there.play(made.prepare())
    assert refuse(there, made) is True
    made.seen(URL, {"dpop-nonce": "x" * 2000})


def test_the_part_of_a_host_cannot_speak_for_the_whole() -> None:
    named = "https://mcp.example/mcp/about"
    there = world(prm={"resource": "https://mcp.example"})
    there.pages[named] = there.pages[PRM]
    with pytest.raises(AuthorizationError, match="not of"):
        refuse(there, session(there), f'Bearer resource_metadata="{named}"')


async def test_the_answer_to_an_older_request_does_not_end_this_one() -> None:
    import httpx2

    async def open(url: str) -> None:
        async with httpx2.AsyncClient(verify=TLS) as browser:
            there = await browse(url)
            old = there.partition("?")[0] + "?code=evil&state=older"
            came = await browser.get(old)
            assert came.status_code == 400
            await browser.get(there)

    async with authority() as there:
        with trio.fail_after(20):
            made = Authorizations(AuthorizationCode(Loopback(open)), tls=TLS)
            assert await request(made, there.resource) == 200


async def test_what_is_on_this_machine_is_not_asked_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    async def back(url: str) -> str:
        import httpx2

        async with httpx2.AsyncClient(verify=TLS, trust_env=False) as browser:
            return (await browser.get(url)).headers["location"]

    async with authority() as there:
        made = Authorizations(AuthorizationCode(Headless(REDIRECT_URI, back)))
        await made.headers("POST", there.resource)
        assert await made.answered(Came(there.resource, 401, {"www-authenticate": "Bearer"}, 1))


def modes(directory: Path) -> set[int]:
    return {file.stat().st_mode & 0o777 for file in directory.iterdir()}


async def test_two_processes_with_one_directory_renew_a_token_once(tmp_path: Path) -> None:
    now = [0.0]
    async with authority() as there:
        both = [
            Authorizations(
                person(),
                store=FileStore(tmp_path),
                clock=lambda: now[0],
                tls=TLS,
            )
            for _ in range(2)
        ]
        for one in both:
            assert await request(one, there.resource) == 200
        now[0] += 4000
        async with trio.open_nursery() as nursery:
            for one in both:
                nursery.start_soon(request, one, there.resource)
        assert there.count("/token") == 2
        assert there.count("/authorize") == 1


async def test_a_process_that_hangs_does_not_hold_up_the_others_for_ever(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    mock_clock.rate = 1000.0
    store = FileStore(tmp_path)
    async with store.hold("x"):
        began = trio.current_time()
        async with store.hold("x"):
            assert trio.current_time() - began >= HOLD_WAIT
        async with store.hold("y"):
            assert modes(tmp_path) == {0o600}


async def test_where_nothing_can_be_written_nobody_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with FileStore(tmp_path / "file" / "below").hold("x"):
        pass


def test_what_another_process_has_got_may_be_refused_too() -> None:
    there, _, made = refreshed()
    there.kept.clear()
    other = session(there)
    refuse(there, other)
    assert refuse(there, made) is True
    assert sent(made, there) == sent(other, there)
    assert refuse(there, made, tries=2) is True
    assert sent(made, there) != sent(other, there)


def test_what_the_program_brings_along_is_not_written_to_the_store() -> None:
    tokens = Tokens(refresh_token="refresh-one", expires_in=3600)
    there = world(tokens)
    refuse(there, session(there, ClientCredentials(Registered("me", "the-secret"))))
    assert [value for value in there.kept.values() if b"the-secret" in value] == []
    there.now += 4000
    renewed = session(there, ClientCredentials(Registered("me", "another-secret")))
    assert sent(renewed, there) == "Bearer secret-token-2"
    pair = base64.b64encode(b"me:another-secret").decode()
    assert tokens.requests[-1].headers["Authorization"] == f"Basic {pair}"


async def test_a_home_directory_is_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    await FileStore("~/tokens").save("x", b"secret")
    assert names(tmp_path) == {"home"}


def names(directory: Path) -> set[str]:
    return {file.name for file in directory.iterdir()}


async def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.save("x", b"secret")
    (name,) = names(tmp_path)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name, 0o600)
    with trio.fail_after(5), pytest.raises(AuthorizationError, match="cannot be read"):
        await store.load("x")
