"""Whole authorizations over real sockets, at an authorization server that checks everything."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import trio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from trio.testing import MockClock

from erlmcp_py.auth.client import (
    AuthorizationCode,
    AuthorizationError,
    Authorizations,
    ClientCredentials,
    FileStore,
    Headless,
    Loopback,
    MemoryStore,
    PrivateKey,
    Registered,
    Workload,
)
from erlmcp_py.client import Client, ClientError
from erlmcp_py.client.authorization import OAuth
from supervisors.testing import run

from .authority import authority

REDIRECT_URI = "http://127.0.0.1:4711/callback"
TLS = ssl.create_default_context()  # making one takes longer than a whole authorization


async def browse(url: str) -> str:
    """What a browser with a user who agrees does; where it is sent."""
    async with httpx2.AsyncClient(verify=TLS) as browser:
        return (await browser.get(url)).headers["location"]


def person(**more: Any) -> AuthorizationCode:
    return AuthorizationCode(Headless(REDIRECT_URI, browse), **more)


class Came(msgspec.Struct):
    url: str
    status: int
    headers: Mapping[str, str]
    tries: int


async def request(made: Authorizations, url: str) -> int:
    """As the client's sender does it; the last status."""
    async with httpx2.AsyncClient(verify=TLS) as client:
        for tries in range(1, 5):
            headers = await made.headers("POST", url)
            came = await client.post(url, headers=dict(headers), json={"id": 1, "method": "ping"})
            again = await made.answered(Came(url, came.status_code, dict(came.headers), tries))
            if not again:
                break
        return came.status_code


async def test_a_person_at_a_browser() -> None:
    async with authority() as there:
        made = Authorizations(person(), tls=TLS)
        assert await request(made, there.resource) == 200
        assert await request(made, there.resource) == 200
        assert there.count("/authorize") == there.count("/token") == there.count("/register") == 1


async def test_the_browser_comes_back_to_a_port_of_this_machine() -> None:
    pages = []

    async def open(url: str) -> None:
        async with httpx2.AsyncClient(verify=TLS) as browser:
            there = await browse(url)
            wrong = there.replace("/callback", "/favicon.ico")
            assert (await browser.get(wrong)).status_code == 404
            assert (await browser.get(there.partition("?")[0])).status_code == 400
            assert (await browser.post(there)).status_code == 405
            evil = {"Host": "evil.example"}
            assert (await browser.get(there, headers=evil)).status_code == 421
            pages.append(await browser.get(there))

    async with authority() as there:
        with trio.fail_after(20):
            assert (
                await request(Authorizations(AuthorizationCode(Loopback(open))), there.resource)
                == 200
            )
    assert pages == [] or "close this page" in pages[0].text


async def test_a_connection_that_says_nothing_does_not_hold_up_the_user() -> None:
    async def open(url: str) -> None:
        there = await browse(url)
        port = int(there.partition("?")[0].split(":")[2].split("/")[0])
        idle = await trio.open_tcp_stream("127.0.0.1", port)
        async with idle, httpx2.AsyncClient(verify=TLS) as browser:
            await browser.get(there)

    async with authority() as there:
        with trio.fail_after(8):
            assert (
                await request(Authorizations(AuthorizationCode(Loopback(open))), there.resource)
                == 200
            )


async def test_the_port_that_was_registered_is_used_again() -> None:
    async def open(url: str) -> None:
        async with httpx2.AsyncClient(verify=TLS) as browser:
            await browser.get(await browse(url))

    async with authority() as there:
        store = MemoryStore()
        for _ in range(2):
            made = Authorizations(AuthorizationCode(Loopback(open)), store=store)
            assert await request(made, there.resource) == 200
            there.tokens.clear()
            there.refresh.clear()
        assert there.count("/authorize") == 2
        assert there.count("/register") == 1


async def test_what_the_server_redirects_or_sends_without_end_is_not_taken() -> None:
    async with authority() as there:
        there.odd["/token"] = 307, {"Location": f"{there.base}/elsewhere"}, None
        with pytest.raises(AuthorizationError, match="HTTP 307"):
            await request(Authorizations(person(), tls=TLS), there.resource)
        assert there.count("/elsewhere") == 0
        place = "/.well-known/oauth-authorization-server"
        there.odd[place] = 200, {}, {"issuer": "x" * (300 * 1024)}
        with pytest.raises(AuthorizationError, match="longer than"):
            await request(Authorizations(person(), tls=TLS), there.resource)


async def test_many_requests_and_one_person() -> None:
    async with authority() as there:
        made = Authorizations(person(), tls=TLS)
        statuses = []

        async def one() -> None:
            statuses.append(await request(made, there.resource))

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(one)
        assert statuses == [200] * 8
        assert there.count("/authorize") == 1


@pytest.mark.parametrize(
    ("back", "said"),
    [
        ({"state": "x"}, "another request"),
        ({"iss": "http://127.0.0.1:1"}, "another server"),
        ({"error": "access_denied"}, "access_denied"),
        ({"code": "wrong"}, "invalid_grant"),
    ],
)
async def test_what_goes_wrong_is_said_and_not_tried_again_at_once(
    back: dict[str, str], said: str
) -> None:
    async with authority() as there:
        there.back = back
        made = Authorizations(person(), tls=TLS)
        for _ in range(3):
            with pytest.raises(AuthorizationError, match=said):
                await request(made, there.resource)
        assert there.count("/authorize") == 1


async def test_the_pause_grows_until_it_works(mock_clock: MockClock) -> None:
    async with authority() as there:
        there.back = {"error": "access_denied"}
        made = Authorizations(person(), tls=TLS)
        for later, asked in [(0, 1), (59, 1), (2, 2), (61, 2), (60, 3)]:
            mock_clock.jump(later)
            with pytest.raises(AuthorizationError, match="access_denied"):
                await request(made, there.resource)
            assert there.count("/authorize") == asked
        there.back = {}
        mock_clock.jump(3600)
        assert await request(made, there.resource) == 200


async def test_a_request_that_gives_up_does_not_end_the_authorization() -> None:
    go = trio.Event()
    opened = trio.Event()

    async def slow(url: str) -> str:
        opened.set()
        await go.wait()
        return await browse(url)

    async with authority() as there:
        made = Authorizations(AuthorizationCode(Headless(REDIRECT_URI, slow)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(request, made, there.resource)
            await opened.wait()
            nursery.cancel_scope.cancel()
        go.set()
        assert await request(made, there.resource) == 200
        assert there.count("/authorize") == 1


async def test_who_has_a_token_does_not_wait_for_a_step_up() -> None:
    go, opened = trio.Event(), trio.Event()

    async def visit(url: str) -> str:
        if "scope" in url:
            opened.set()
            await go.wait()
        return await browse(url)

    async with authority() as there:
        made = Authorizations(AuthorizationCode(Headless(REDIRECT_URI, visit)), tls=TLS)
        await request(made, there.resource)
        async with trio.open_nursery() as nursery:
            there.needs = {"more"}
            nursery.start_soon(request, made, there.resource)
            await opened.wait()
            there.needs = set()
            assert await request(made, there.resource) == 200
            go.set()


def test_a_program_may_end_while_a_person_is_asked() -> None:
    ports = []

    async def main() -> None:
        opened = trio.Event()
        idle = []

        async def open(url: str) -> None:
            back = await browse(url)
            ports.append(int(back.partition("?")[0].split(":")[2].split("/")[0]))
            idle.append(await trio.open_tcp_stream("127.0.0.1", ports[0]))
            opened.set()
            await trio.sleep_forever()

        async with authority() as there, trio.open_nursery() as nursery:
            made = Authorizations(AuthorizationCode(Loopback(open)), tls=TLS)
            nursery.start_soon(request, made, there.resource)
            await opened.wait()
            nursery.cancel_scope.cancel()
        await idle[0].aclose()

    trio.run(main)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports[0]))


async def test_refresh_tokens_rotate_and_expire() -> None:
    now = [0.0]
    async with authority() as there:
        made = Authorizations(person(), clock=lambda: now[0])
        for _ in range(3):
            assert await request(made, there.resource) == 200
            now[0] += 4000
        assert there.count("/token") == 3
        there.refresh.clear()
        there.tokens.clear()
        assert await request(made, there.resource) == 200
        assert there.count("/authorize") == 2


async def test_a_revoked_token_is_renewed_without_the_person() -> None:
    async with authority() as there:
        made = Authorizations(person(), tls=TLS)
        await request(made, there.resource)
        there.tokens.clear()
        assert await request(made, there.resource) == 200
        assert there.count("/authorize") == 1


async def test_scopes_are_added_when_they_are_needed() -> None:
    async with authority() as there:
        made = Authorizations(person(), tls=TLS)
        for needs in ({"read"}, {"write"}):
            there.needs = needs
            assert await request(made, there.resource) == 200
        assert {one["scope"] for one in there.tokens.values()} == {"", "read", "read write"}


@pytest.mark.parametrize("status", [401, 403])
async def test_a_server_that_is_never_content_is_left(status: int) -> None:
    async with authority() as there:
        there.ever, there.needs = status, {"more"}
        made = Authorizations(person(), tls=TLS)
        for _ in range(5):
            with pytest.raises(AuthorizationError):
                await request(made, there.resource)
        assert there.count("/authorize") <= 3


async def test_tokens_outlive_the_program_in_a_file(tmp_path: Path) -> None:
    async with authority() as there:
        store = tmp_path / "tokens"
        for _ in range(2):
            made = Authorizations(person(), store=FileStore(store))
            assert await request(made, there.resource) == 200
        assert there.count("/authorize") == 1
        assert {oct(one.stat().st_mode & 0o777) for one in store.iterdir()} == {"0o600"}


# --- without a person -------------------------------------------------------------------


def pem(key: Any) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    ).decode()


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_private_key_jwt(algorithm: str) -> None:
    key: Any = ec.generate_private_key(ec.SECP256R1())
    if algorithm == "RS256":
        key = rsa.generate_private_key(65537, 2048)
    async with authority() as there:
        there.keys["me"] = key.public_key(), algorithm
        client = Registered("me", key=PrivateKey(pem(key), algorithm))
        assert await request(Authorizations(ClientCredentials(client)), there.resource) == 200
        assert there.count("/authorize") == 0


async def test_a_key_of_another_algorithm_is_an_error_that_does_not_show_it() -> None:
    key = rsa.generate_private_key(65537, 2048)
    async with authority() as there:
        client = Registered("me", key=PrivateKey(pem(key), "ES256"))
        with pytest.raises(AuthorizationError, match="cannot sign ES256") as caught:
            await request(Authorizations(ClientCredentials(client)), there.resource)
        assert "PRIVATE" not in f"{caught.value!r}{client!r}"


@pytest.mark.parametrize(("secret", "good"), [("s:&ü", True), ("wrong", False)])
async def test_a_secret(secret: str, good: bool) -> None:
    async with authority() as there:
        there.clients["me"] = {"secret": "s:&ü"}
        made = Authorizations(ClientCredentials(Registered("me", secret)))
        if good:
            assert await request(made, there.resource) == 200
        else:
            with pytest.raises(AuthorizationError, match="invalid_client") as caught:
                await request(made, there.resource)
            assert secret not in str(caught.value)


async def test_a_callback_that_fails_is_an_error_of_authorization() -> None:
    async def platform(_: str) -> str:
        raise KeyError("secret")

    async with authority() as there:
        made = Authorizations(Workload("me", platform))
        with pytest.raises(AuthorizationError, match="KeyError") as caught:
            await request(made, there.resource)
        assert "secret" not in str(caught.value)


# --- DPoP -------------------------------------------------------------------------------


@pytest.mark.parametrize("nonces", [False, True])
async def test_tokens_are_bound_where_the_server_demands_it(nonces: bool) -> None:
    async with authority() as there:
        there.dpop, there.nonces = True, nonces
        made = Authorizations(person(), tls=TLS)
        for number in range(3):
            assert await request(made, there.resource) == 200
            there.nonce = f"nonce-{number}"
        assert there.count("/authorize") == 1


async def test_the_key_is_kept_with_the_tokens(tmp_path: Path) -> None:
    async with authority() as there:
        there.dpop = there.nonces = True
        for _ in range(3):
            made = Authorizations(person(), store=FileStore(tmp_path))
            assert await request(made, there.resource) == 200
            there.tokens.clear()  # the refresh token is bound to the key as well
        assert there.count("/authorize") == 1


async def test_a_token_that_is_not_bound_does_not_pass_for_one() -> None:
    async with authority() as there:
        made = Authorizations(person(), dpop=True)
        with pytest.raises(AuthorizationError, match="of type Bearer, not dpop"):
            await request(made, there.resource)


# --- the client -------------------------------------------------------------------------


def test_a_client_with_authorization() -> None:
    async def main() -> None:
        async with authority() as there:
            there.needs = {"read"}
            oauth = OAuth(person())
            async with Client(there.resource, mode="legacy", authorizer=oauth) as client:
                await client.ping()
            assert there.count("/authorize") == 2

    run(main)


def test_a_client_that_is_not_let_in_says_why() -> None:
    async def main() -> None:
        async with authority() as there:
            there.back = {"error": "access_denied"}
            client = Client(there.resource, mode="legacy", authorizer=OAuth(person()))
            with pytest.raises(ClientError, match="access_denied"):
                async with client:
                    pass
            assert there.count("/authorize") == 1

    run(main)


async def test_tokens_go_to_one_origin() -> None:
    async with authority() as one, authority() as other:
        made = Authorizations(person(), tls=TLS)
        await request(made, one.resource)
        with pytest.raises(AuthorizationError, match="are not sent to"):
            await made.headers("POST", other.resource)
