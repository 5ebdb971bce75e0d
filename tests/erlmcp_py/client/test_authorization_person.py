"""The person at the browser, strangers at the port, and many requests that want the same token."""

from __future__ import annotations

import re
import socket
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
import trio
from trio.testing import MockClock

from erlmcp_py.auth.client import (
    AuthorizationCode,
    AuthorizationError,
    Headless,
    Loopback,
)
from erlmcp_py.auth.client.plans import Visitor
from erlmcp_py.auth.client.receiver import WAIT
from erlmcp_py.client import Answered, Client, NotAuthorized, OAuth
from tests.erlmcp_py.auth.client.authority import authority
from tests.erlmcp_py.auth.client.sessions import PERSON, refuse, session, world
from tests.erlmcp_py.auth.client.test_flows import REDIRECT_URI, TLS, browse, person, request

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
