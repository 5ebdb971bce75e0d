"""Clients that end in the middle: with half a close, a close, or a reset, wherever that is."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest
import trio

from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from tests.attack.http import campaign
from tests.attack.http.answers import Reader
from tests.attack.http.battle import check_good, clean_request, dial, send
from tests.erlmcp_py.transports.http.client import MODERN, http, meta, modern_call
from tests.erlmcp_py.transports.node import Probe, make_server, node

ECHO = http("POST", **modern_call("echo", text="x"))
BIG = http("POST", **modern_call("echo", text="x" * 3_000_000))
HEAD = ECHO.partition(b"\r\n\r\n")[0]
CHUNKED = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"
LISTEN = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "subscriptions/listen",
    "params": {"notifications": {"toolsListChanged": True}, "_meta": meta()},
}
STREAM = http("POST", "/mcp", LISTEN, {"MCP-Protocol-Version": MODERN, "Mcp-Method": LISTEN["method"]})  # type: ignore[dict-item]  # fmt: skip
STEPS = http("POST", **modern_call("steps", count=50_000, meta={"progressToken": 1}))

WHERE = {
    "before a byte": (b"", 0),
    "in the first line": (ECHO[:9], 0),
    "in the head": (HEAD[:60], 0),
    "behind the head": (HEAD + b"\r\n\r\n", 0),
    "in the body": (ECHO[:-20], 0),
    "in a chunk": (CHUNKED, 0),
    "behind a request": (ECHO, 0),
    "in a call": (http("POST", **modern_call("hang")), 0),
    "in a pipeline": (ECHO + http("POST", **modern_call("hang")) + ECHO * 100, 1),
    "in the next head": (ECHO * 3 + HEAD, 1),
    "in a large answer": (BIG, 1),
    "in many large answers": (BIG * 5, 1),
    "in a stream": (STREAM, 1),
    "in a stream that is full": (STEPS, 1),
    "behind a refusal": (b"GET / HTTP/1.1\r\n\r\n" + b"x" * 100_000, 1),
}


def reset(sock: Any) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def close(sock: Any) -> None:
    sock.close()


def half_close(sock: Any) -> None:
    sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("end", [reset, close, half_close])
async def test_whoever_ends_leaves_nothing_behind(end: Any) -> None:
    listener = child_spec(ListenerConfig(port=0))
    async with node({"probe": make_server(Probe())}, listener) as reports:
        await clean_request()
        first = await campaign._left()
        for name, (wire, answers) in WHERE.items():
            with trio.fail_after(20), await dial() as sock:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(send, sock, [wire])
                    if answers:
                        await sock.recv(10)
                    else:
                        await trio.sleep(0.01)
                    nursery.cancel_scope.cancel()
                end(sock)
                if end is half_close:
                    await Reader(sock).rest()
            await clean_request(name)
            campaign._check(reports, first, await campaign._left(), name)


async def test_who_has_said_everything_and_half_closes_hears_everything() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(ListenerConfig(port=0))):
        with trio.fail_after(20), await dial() as sock:
            reader = Reader(sock)
            await send(sock, [ECHO * 50])
            sock.shutdown(socket.SHUT_WR)
            for _ in range(50):
                check_good(await reader.answer(), "x")
            assert await reader.rest() == b""
            assert reader.end == "closed"
