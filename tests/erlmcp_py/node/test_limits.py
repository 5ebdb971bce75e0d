"""The limits of a whole node, as its configuration sets them: each is met, told, counted and left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from erlmcp_py.config import CallsConfig, HttpConfig, SessionsConfig, WebSocketConfig
from erlmcp_py.guards import tally
from erlmcp_py.listening import listener_settings
from erlmcp_py.parts import Parts
from erlmcp_py.server import Server
from tests.erlmcp_py.transports.http.client import (
    Client,
    connect,
    http,
    initialize,
    legacy_call,
    modern_call,
)

NODE = Parts({}, None, lambda pid: None)


class Gate:
    """Lets the calls that wait for it go on."""

    def __init__(self) -> None:
        self.open = trio.Event()
        self.inside = 0

    def server(self, name: str) -> Server:
        server = Server(name, version="1")

        @server.tool(timeout=60.0)
        async def wait() -> str:
            """Answer when the gate is open."""
            self.inside += 1
            try:
                await self.open.wait()
            finally:
                self.inside -= 1
            return "through"

        @server.tool()
        def echo(text: str) -> str:
            """Answer at once."""
            return text

        return server


@asynccontextmanager
async def waiting(client: Client, gate: Gate, server: str = "main") -> AsyncIterator[None]:
    """A call is at work meanwhile; then it is answered as it should be."""
    before = gate.inside
    await client.send(http("POST", **modern_call("wait", 1, path=f"/mcp/{server}")))
    with trio.fail_after(5):
        while gate.inside == before:
            await trio.sleep(0.002)
    yield
    gate.open.set()
    with trio.fail_after(5):
        assert (await client.answer()).text == "through"


def counted(code: int) -> int:
    return next((each.count for each in tally.refusals() if each.code == code), 0)


@pytest.mark.parametrize(
    ("limit", "elsewhere"), [("total", 503), ("per_server", 200)], ids=["node", "server"]
)
async def test_calls_at_work(running: Any, limit: str, elsewhere: int) -> None:
    gate = Gate()
    servers = {"main": gate.server("main"), "other": gate.server("other")}
    calls = CallsConfig(**{limit: 1})
    async with running(servers, calls=calls), connect() as first, connect() as second:
        async with waiting(first, gate):
            answer = await second.call("wait", 2)
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert answer.json["error"]["code"] == -32603
            assert answer.json["error"]["data"]["refusal"] == 1005
            assert answer.json["id"] == 2
            assert counted(1005) == 1
            assert (await second.call("echo", text="at once")).text == "at once"
            if elsewhere == 200:
                async with connect() as third, waiting(third, gate, "other"):
                    pass
            else:
                answer = await second.ask(**modern_call("wait", 3, path="/mcp/other"))
                assert answer.status == elsewhere
        assert (await second.call("wait", 4)).text == "through"


async def test_calls_of_one_session(running: Any) -> None:
    gate = Gate()
    calls = CallsConfig(per_client=1)
    async with running({"main": gate.server("main")}, calls=calls), connect() as first:
        session = await first.initialize()
        async with connect() as second, connect() as third:
            lines = {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"}
            await first.send(http("POST", "/mcp", legacy_call("wait", 1), lines))
            with trio.fail_after(5):
                while not gate.inside:
                    await trio.sleep(0.002)
            answer = await second.legacy(session, legacy_call("wait", 2))
            # In a session the error of a server is an answer like any other.
            assert answer.status == 200
            assert answer.json["error"]["data"]["refusal"] == 1060
            assert counted(1060) == 1
            async with waiting(third, gate):
                pass
            assert (await first.answer()).text == "through"
            assert (await second.legacy(session, legacy_call("wait", 3))).text == "through"


async def test_sessions(running: Any) -> None:
    gate = Gate()
    sessions = SessionsConfig(max=1)
    async with running({"main": gate.server("main")}, sessions=sessions), connect() as client:
        session = await client.initialize()
        answer = await client.ask("POST", "/mcp", initialize())
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.json["error"]["data"]["refusal"] == 1089
        assert counted(1089) == 1
        gone = await client.ask("DELETE", "/mcp", headers={"Mcp-Session-Id": session})
        assert gone.status == 204
        await client.initialize()


@pytest.mark.parametrize(
    ("host", "limit", "applied"),
    [
        ("127.0.0.1", 7, None),
        ("::1", 7, None),
        ("localhost", 7, None),
        ("unix:/run/mcp", 7, None),
        ("192.0.2.1", 7, 7),
        ("0.0.0.0", 7, 7),
        ("192.0.2.1", "off", None),
    ],
)
def test_where_connections_are_limited_per_address(host: str, limit: Any, applied: Any) -> None:
    config = HttpConfig(host=host, connections_per_address=limit)
    assert listener_settings(config, WebSocketConfig(), 100, NODE).max_per_address == applied


def test_every_limit_of_the_section_reaches_the_listener() -> None:
    config = HttpConfig(
        body_limit=5001,
        header_limit=5002,
        header_lines=53,
        target_limit=5004,
        connections=55,
        idle_timeout=56.0,
        request_timeout=57.0,
        streams=58,
        streams_per_session=59,
        unread=6000,
        slow_reader="wait",
    )
    made = listener_settings(config, WebSocketConfig(), 61, NODE)
    limits = made.limits
    assert (limits.max_body, limits.max_head, limits.max_headers, limits.max_target) == (
        5001, 5002, 53, 5004,
    )  # fmt: skip
    assert (made.max_connections, made.idle_timeout, made.request_timeout) == (55, 56.0, 57.0)
    assert (made.streams, made.streams_per_session, made.mailbox) == (58, 59, 61)
    assert (made.unread, made.slow_reader) == (6000, "wait")
