"""What an authorized client meets outside: servers that answer oddly or never, strangers at its port, disks
that are full.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import msgspec
import pytest
import trio
from trio.testing import MockClock

from erlmcp_py.auth.client import (
    AuthorizationCode,
    AuthorizationError,
    FileStore,
    Headless,
    Loopback,
)
from erlmcp_py.auth.client.actions import Fetch
from erlmcp_py.auth.client.fetching import TIMEOUT, Fetcher
from erlmcp_py.auth.client.plans import Visitor
from erlmcp_py.auth.client.receiver import WAIT
from erlmcp_py.auth.client.tokens import read_response
from erlmcp_py.client import Answered, Client, ClientError, NotAuthorized, OAuth
from tests.erlmcp_py.auth.client.authority import authority
from tests.erlmcp_py.auth.client.playing import answer
from tests.erlmcp_py.auth.client.sessions import PERSON, refuse, session, world
from tests.erlmcp_py.auth.client.test_flows import REDIRECT_URI, TLS, browse, request
from tests.erlmcp_py.client.bad import Asked, http_server


def person() -> AuthorizationCode:
    return AuthorizationCode(Headless(REDIRECT_URI, browse))


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


# --- the person -------------------------------------------------------------------------


def test_no_two_requests_share_a_state_or_a_verifier() -> None:
    there = world()
    for _ in range(2):
        there.kept.clear()
        refuse(there, session(there, PERSON))
    one, two = there.visited
    assert one["state"] != two["state"]
    assert one["code_challenge"] != two["code_challenge"]
    assert min(len(one["state"]), len(one["code_challenge"])) >= 32


async def refused_by(open: Any) -> str:
    """What an authorization at a loopback port ends with."""
    async with authority() as there:
        with trio.fail_after(20), pytest.raises(NotAuthorized) as caught:
            await obtain(OAuth(AuthorizationCode(Loopback(open)), tls=TLS), there.resource)
        assert there.count("/token") == 0
    return str(caught.value)


async def obtain(oauth: OAuth, url: str) -> None:
    await oauth.headers("POST", url)
    await oauth.answered(Answered("POST", url, 401, {"www-authenticate": "Bearer"}, 1))


async def come_back(url: str, **params: str) -> httpx2.Response:
    """As a browser that was sent back with these."""
    query = dict(parse_qsl(urlsplit(url).query))
    back = {"state": query["state"], "iss": url.partition("/authorize")[0], **params}
    async with httpx2.AsyncClient(verify=TLS) as browser:
        return await browser.get(query["redirect_uri"], params=back)


async def test_markup_in_an_error_is_shown_to_nobody_as_such() -> None:
    pages = []

    async def open(url: str) -> None:
        text = "<script>alert(1)</script>\x1b[2J\u202e\nWARNING: all is well"
        with trio.CancelScope(shield=True):
            pages.append(await come_back(url, error="access_denied", error_description=text))

    told = await refused_by(open)
    assert "script" not in pages[0].text
    assert "Not authorized" in pages[0].text
    assert pages[0].headers["content-security-policy"].startswith("default-src 'none'")
    assert pages[0].headers["cache-control"] == "no-store"
    assert "access_denied" in told
    assert told.isprintable()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /callback?code=a&state=b HTTP/1.1\r\n\r\n",
        b"GET /callback?code=a&state=b HTTP/1.1\r\nHost: localhost:%(port)d\r\n\r\n",
        b"GET /callback?code=a&state=b HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /callback?code=a&state=b HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\nHost: x\r\n\r\n",
        b"OPTIONS /callback HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\n\r\n",
        b"GET /favicon.ico HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\n\r\n",
        b"GET /callback?"
        + b"a=b&" * 60
        + b"code=a&state=b HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\n\r\n",
        b"GET /" + b"a" * 20_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        b"",
    ],
)
async def test_what_else_comes_to_the_port_ends_nothing(sent: bytes) -> None:
    async def open(url: str) -> None:
        port = urlsplit(dict(parse_qsl(urlsplit(url).query))["redirect_uri"]).port
        assert port is not None
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with stream:
            await stream.send_all(sent.replace(b"%(port)d", b"%d" % port))
            await stream.send_eof()
            try:
                said = b"".join([part async for part in stream])
            except trio.BrokenResourceError:
                said = b""
        assert said == b"" or re.match(rb"HTTP/1\.1 4", said)
        async with httpx2.AsyncClient(verify=TLS) as browser:
            await browser.get(await browse(url))

    async with authority() as there:
        with trio.fail_after(20):
            oauth = OAuth(AuthorizationCode(Loopback(open)), tls=TLS)
            async with Client(there.resource, mode="legacy", authorizer=oauth) as client:
                await client.ping()
        assert there.count("/token") == 1


async def test_the_port_is_one_of_this_machine_and_for_as_long_as_it_is_needed() -> None:
    async with Loopback()(None) as visitor:
        parts = urlsplit(visitor.redirect_uri)
        assert (parts.scheme, parts.hostname, parts.path) == ("http", "127.0.0.1", "/callback")
        assert parts.port is not None
        for host, family in (("127.0.0.2", socket.AF_INET), ("::1", socket.AF_INET6)):
            with socket.socket(family) as other, pytest.raises(OSError, match=r"refused|assign"):
                other.connect((host, parts.port))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", parts.port))


async def test_a_person_who_does_not_come_back_is_waited_for_so_long(mock_clock: MockClock) -> None:
    async def open(_: str) -> None:
        mock_clock.jump(WAIT + 1)

    for receiver in (Loopback(open), Headless(REDIRECT_URI, forever(mock_clock))):
        async with receiver(None) as visitor:
            made: Visitor = visitor
            with pytest.raises(AuthorizationError, match="did not come back within 300 s"):
                await made.visit("https://as.example/authorize?state=x")


def forever(clock: MockClock) -> Any:
    async def visit(_: str) -> str:
        clock.jump(WAIT + 1)
        await trio.sleep_forever()
        raise AssertionError

    return visit


async def test_a_port_that_is_taken_is_left_to_its_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        taken = owner.getsockname()[1]
        async with Loopback()(f"http://127.0.0.1:{taken}/callback") as visitor:
            assert urlsplit(visitor.redirect_uri).port not in (taken, 0, None)


async def test_a_port_of_another_machine_is_not_listened_on() -> None:
    async with Loopback()("http://0.0.0.0:4711/callback") as visitor:
        assert urlsplit(visitor.redirect_uri).hostname == "127.0.0.1"
        assert urlsplit(visitor.redirect_uri).port != 4711


# --- many at once -----------------------------------------------------------------------


async def test_many_requests_that_meet_a_revoked_token_renew_it_once() -> None:
    async with authority() as there:
        oauth = OAuth(person())
        async with Client(there.resource, mode="legacy", authorizer=oauth) as client:
            before = there.count("/token")
            there.tokens.clear()
            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(client.ping)
            assert there.count("/token") == before + 1
            there.tokens.clear()
            there.refresh.clear()
            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(client.ping)
        assert there.count("/authorize") == 2


async def test_a_request_that_is_given_up_while_a_token_is_renewed_loses_none() -> None:
    async with authority() as there:
        oauth = OAuth(person(), tls=TLS)
        await request(oauth, there.resource)
        for steps in range(1, 60, 4):
            there.tokens.clear()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(request, oauth, there.resource)
                for _ in range(steps):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            assert await request(oauth, there.resource) == 200
        assert there.count("/authorize") == 1


# --- disks ------------------------------------------------------------------------------


def files(directory: Path) -> set[Path]:
    return set(directory.iterdir())


async def test_a_store_that_cannot_be_written_says_so_and_what_it_had_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(tmp_path)
    await store.save("x", b"old-secret")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AuthorizationError, match=r"cannot be written: .*No space left") as caught:
        await store.save("x", b"new-secret")
    assert "secret" not in str(caught.value)
    monkeypatch.undo()
    assert await store.load("x") == b"old-secret"
    assert len(files(tmp_path)) == 1


async def test_a_directory_that_cannot_be_one_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = FileStore(tmp_path / "file" / "tokens")
    with pytest.raises(AuthorizationError, match=r"cannot be written: .*Not a directory"):
        await store.save("x", b"secret")
    with pytest.raises(AuthorizationError, match=r"cannot be read: .*Not a directory"):
        await store.load("x")


async def test_readers_of_a_file_that_is_replaced_see_the_old_or_the_new(tmp_path: Path) -> None:
    values = [bytes([65 + number]) * 50_000 for number in range(4)]
    await FileStore(tmp_path).save("x", values[0])
    ended = trio.Event()

    async def write(value: bytes) -> None:
        for _ in range(10):
            await FileStore(tmp_path).save("x", value)

    async def read() -> None:
        while not ended.is_set():
            assert await FileStore(tmp_path).load("x") in values

    async with trio.open_nursery() as readers:
        readers.start_soon(read)
        async with trio.open_nursery() as writers:
            for value in values:
                writers.start_soon(write, value)
        ended.set()
    assert len(files(tmp_path)) == 1


async def test_a_key_of_another_file_is_not_taken(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.save("x", b"one")
    (file,) = files(tmp_path)
    await store.save("y", b"two")
    (other,) = files(tmp_path) - {file}
    other.replace(file)
    assert await store.load("x") is None


async def test_a_file_is_nobody_elses_from_its_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []

    def look(descriptor: int) -> None:
        modes.append(os.fstat(descriptor).st_mode & 0o777)

    monkeypatch.setattr(os, "fsync", look)
    before = os.umask(0)
    try:
        await FileStore(tmp_path / "new").save("x", b"secret")
    finally:
        os.umask(before)
    assert modes == [0o600]
