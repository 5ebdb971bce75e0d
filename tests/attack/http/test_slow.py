"""Clients that are slow on purpose: to send a head, a body, or to read what they asked for."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from erlmcp_py.transports.net.supervisor import statistics
from tests.attack.http.answers import Reader
from tests.attack.http.battle import clean_request, dial
from tests.erlmcp_py.transports.http.client import http, modern_call
from tests.erlmcp_py.transports.node import Probe, make_server, node
from tests.fuzz.world import faults

ECHO = http("POST", **modern_call("echo", text="x"))
HEAD, _, BODY = ECHO.partition(b"\r\n\r\n")
CHUNKED = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


NO_WHOLE_REQUEST = ListenerConfig(port=0, idle_timeout=0.3)
BEGUN_TOO_LONG_AGO = ListenerConfig(port=0, request_timeout=0.3)


@asynccontextmanager
async def impatient_node(config: ListenerConfig = NO_WHOLE_REQUEST) -> AsyncIterator[None]:
    """One that ends a connection after a third of a second."""
    listener = child_spec(config)
    async with node({"probe": make_server(Probe())}, listener) as reports:
        yield
        await clean_request()
        assert not faults(reports)


@pytest.mark.parametrize("config", [NO_WHOLE_REQUEST, BEGUN_TOO_LONG_AGO], ids=["idle", "late"])
@pytest.mark.parametrize(
    ("begun", "drop"),
    [
        (b"", b"\r\n"),
        (b"", b"G"),
        (b"GET /", b"a"),
        (b"GET / HTTP/1.1\r\n", b"X: y\r\n"),
        (b"GET / HTTP/1.1\r\nX: ", b"y"),
        (HEAD + b"\r\n\r\n", BODY[:1]),
        (CHUNKED, b"1\r\nx\r\n"),
        (CHUNKED + b"1", b"0"),
        (CHUNKED + b"5;", b"a"),
        (CHUNKED + b"0\r\n", b"X: y\r\n"),
    ],
)
async def test_a_request_that_dribbles_is_ended(
    begun: bytes, drop: bytes, config: ListenerConfig
) -> None:
    async with impatient_node(config):
        with await dial() as sock:
            await sock.send(begun)
            reader = Reader(sock)

            async def dribble() -> None:
                with pytest.raises((ConnectionError, OSError)):
                    while True:
                        await sock.send(drop)
                        await trio.sleep(0.01)

            with trio.fail_after(10):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(dribble)
                    answer = await reader.answer()
                    assert answer is None or (answer.closes and answer.status in (400, 408, 431))
                    await reader.rest()
                    nursery.cancel_scope.cancel()
        with trio.fail_after(10):
            while (await statistics("http")).open:
                await trio.sleep(0.01)


async def test_a_hundred_that_say_nothing_keep_nobody_out() -> None:
    async with impatient_node():
        silent = [await dial() for _ in range(100)]
        for sock in silent[::2]:
            await sock.send(HEAD)
        await clean_request()
        with trio.fail_after(10):
            for sock in silent:
                with sock:
                    await Reader(sock).rest()
        assert (await statistics("http")).reaped + (await statistics("http")).requests >= 100


async def test_a_client_that_never_reads_costs_a_bounded_amount_and_is_ended() -> None:
    big = http("POST", **modern_call("echo", text="x" * 100_000))
    async with impatient_node():
        with await dial() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sent = 0
            with trio.fail_after(20), pytest.raises(ConnectionError):
                while True:
                    sent += await sock.send(big)
            # What the two systems' buffers hold, a read, and an answer or two; never all of it.
            assert sent < 32 * 1024 * 1024
        assert (await statistics("http")).reaped == 1
