"""What an authorized client meets outside: servers that answer oddly or never."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from erlmcp_py.auth.client import (
    AuthorizationError,
)
from erlmcp_py.auth.client.actions import Fetch
from erlmcp_py.auth.client.fetching import TIMEOUT, Fetcher
from erlmcp_py.auth.client.tokens import read_response
from erlmcp_py.client import Client, ClientError, OAuth
from tests.erlmcp_py.auth.client.authority import authority
from tests.erlmcp_py.auth.client.playing import answer
from tests.erlmcp_py.auth.client.sessions import refuse, session, world
from tests.erlmcp_py.auth.client.test_flows import TLS, person
from tests.erlmcp_py.client.bad import Asked, http_server

# --- answers ----------------------------------------------------------------------------


@asynccontextmanager
async def saying(*parts: bytes, forever: bool = False) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that says the same to everybody, and the last part for ever; its URL, and what it heard."""
    heard: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            heard.append(await stream.receive_some())
            try:
                for part in parts:
                    await stream.send_all(part)
                while forever:
                    await stream.send_all(parts[-1])
                if not parts:
                    await trio.sleep_forever()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/x", heard
        nursery.cancel_scope.cancel()


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((OK + b"\r\n", b"x" * 4096), "longer than"),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n"), "long"),
        ((OK, b"X-Header: " + b"y" * 1000 + b"\r\n"), "no answer"),
    ],
)
async def test_an_answer_without_end_is_left(parts: tuple[bytes, ...], said: str) -> None:
    async with saying(*parts, forever=True) as (url, _), Fetcher(TLS) as fetcher:
        with trio.fail_after(20), pytest.raises(AuthorizationError, match=said):
            await fetcher.fetch(Fetch("GET", url))


@pytest.mark.parametrize("parts", [(), (OK + b"Content-Length: 9\r\n\r\nx",)])
async def test_an_answer_that_does_not_come_is_waited_for_so_long(
    parts: tuple[bytes, ...], mock_clock: MockClock
) -> None:
    async with (
        saying(*parts) as (url, heard),
        Fetcher(TLS) as fetcher,
        trio.open_nursery() as waits,
    ):

        async def later() -> None:
            while not heard:
                await trio.lowlevel.checkpoint()
            mock_clock.jump(TIMEOUT + 1)

        waits.start_soon(later)
        with pytest.raises(AuthorizationError, match="no answer"):
            await fetcher.fetch(Fetch("GET", url))


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
        b"SSH-2.0-x\r\n\r\n",
    ],
)
async def test_an_answer_that_is_none(head: bytes) -> None:
    async with saying(head) as (url, _), Fetcher(TLS) as fetcher:
        with pytest.raises(AuthorizationError):
            await fetcher.fetch(Fetch("GET", url))


async def test_cookies_are_not_brought_back() -> None:
    async with (
        saying(
            OK + b"Set-Cookie: a=b; Path=/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ) as (
            url,
            heard,
        ),
        Fetcher(TLS) as fetcher,
    ):
        for _ in range(2):
            await fetcher.fetch(Fetch("GET", url))
    assert len(heard) == 2
    assert b"a=b" not in heard[1]


@pytest.mark.parametrize("place", ["/token", "/register"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_who_is_shown_a_secret_cannot_send_it_elsewhere(place: str, status: int) -> None:
    async with authority() as there, saying(OK) as (elsewhere, heard):
        there.odd[place] = status, {"Location": elsewhere}, None
        with pytest.raises(ClientError, match=f"HTTP {status}"):
            async with Client(there.resource, mode="legacy", authorizer=OAuth(person())):
                pass
        assert heard == []


@pytest.mark.parametrize("status", [302, 307, 308])
async def test_a_token_does_not_follow_a_server_that_moves_to_another_origin(status: int) -> None:
    async with authority() as there, saying(OK) as (elsewhere, heard):
        oauth = OAuth(person())
        async with Client(there.resource, mode="legacy", authorizer=oauth) as client:
            there.odd["/mcp"] = status, {"Location": elsewhere}, None
            with pytest.raises(ClientError, match="not followed"):
                await client.ping()
        assert heard == []


async def test_a_token_does_not_go_where_an_event_stream_says() -> None:
    """The transport of 2024-11-05 has its server name the place to post to."""
    async with saying(OK) as (elsewhere, heard):

        def behave(asked: Asked) -> bytes:
            if asked.verb == "GET":
                event = f"event: endpoint\ndata: {elsewhere}\n\n"
                head = f"Content-Type: text/event-stream\r\nContent-Length: {len(event)}\r\n\r\n"
                return OK + (head + event).encode()
            return b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n"

        async with http_server(behave) as (url, _):
            with pytest.raises(ClientError, match="elsewhere, which is not trusted"):
                async with Client(url, authorizer=OAuth(person())):
                    pass
        assert heard == []


@pytest.mark.parametrize("kind", ["bearer", "Bearer", "BEARER", "bEaReR"])
def test_the_type_of_a_token_is_read_in_any_case(kind: str) -> None:
    there = world()
    there.pages["https://as.example/token"] = lambda _: token(kind)
    assert refuse(there, session(there)) is True


def token(kind: Any, **more: Any) -> Any:
    return answer({"access_token": "a", "token_type": kind, **more})


@pytest.mark.parametrize(
    "kind", ["", "mac", "DPoP", "Bearer ", "Bearer, DPoP", None, 1, ["Bearer"]]
)
def test_another_type_of_token_is_not_taken(kind: Any) -> None:
    there = world()
    there.pages["https://as.example/token"] = lambda _: token(kind)
    made = session(there)
    with pytest.raises(AuthorizationError):
        refuse(there, made)
    assert made.grant is None


@pytest.mark.parametrize(
    ("lasts", "read"),
    [
        (b"3600", 3600.0),
        (b'"3600"', 3600.0),
        (b"0.5", 0.5),
        (b"null", None),
        *(
            (odd, "refused")
            for odd in [
                b"0",
                b"-1",
                b'"-1"',
                b"1e999",
                b"NaN",
                b'"nan"',
                b'"inf"',
                b"1" + b"0" * 30,
                b"1" + b"0" * 400,
                b'""',
                b'"soon"',
                b"true",
                b"[1]",
                b"{}",
            ]
        ),
    ],
)
def test_how_long_a_token_lasts_is_a_number_of_seconds_to_come(lasts: bytes, read: Any) -> None:
    body = b'{"access_token":"a","token_type":"Bearer","expires_in":%s}' % lasts
    if read == "refused":
        with pytest.raises(AuthorizationError):
            read_response(body, "https://as.example/token")
    else:
        assert read_response(body, "https://as.example/token").expires_in == read


@pytest.mark.parametrize(
    "member",
    [
        {"access_token": 7},
        {"access_token": None},
        {"refresh_token": 7},
        {"refresh_token": "a b"},
        {"refresh_token": "a\nb"},
        {"scope": ["a"]},
        {"access_token": "ü"},
        {"access_token": "x" * 70_000},
    ],
)
def test_members_of_other_types_are_not_taken(member: dict[str, Any]) -> None:
    body = msgspec.json.encode({"access_token": "a", "token_type": "Bearer", **member})
    with pytest.raises(AuthorizationError) as caught:
        read_response(body, "https://as.example/token")
    assert "x" * 100 not in str(caught.value)
