"""A node drains, and its clients of every kind are told in their way."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from erlmcp_py import registry
from erlmcp_py.application import start_node
from erlmcp_py.config import (
    Config,
    DrainConfig,
    HttpConfig,
    HttpTlsConfig,
    LogConfig,
    TcpConfig,
)
from erlmcp_py.guards import drain
from erlmcp_py.guards.drain import Outcome
from erlmcp_py.parts import Parts
from erlmcp_py.server import Server
from erlmcp_py.tree import child_specs
from supervisors import Runtime, application, exit_signal, whereis
from tests.erlmcp_py.node.conftest import META, VERSION
from tests.erlmcp_py.transports.http.client import Client
from tests.erlmcp_py.transports.net.certificates import Authority

CONFIG = msgspec.structs.replace(
    Config(),
    http=HttpConfig(port=0),
    tcp=TcpConfig(enabled=True, port=0),
    drain=DrainConfig(deadline=20.0, idle_grace=0.05),
    log=LogConfig(level="critical"),
    servers=(),
)


class Node:
    """One that runs here, and what its tools wait for."""

    def __init__(self) -> None:
        self.free = trio.Event()
        self.started = trio.Event()
        self.outcomes: list[Outcome] = []
        self.over = trio.Event()
        self.streams: list[trio.SocketStream] = []
        self.server = Server("main", version="1")

        @self.server.tool(timeout=3600)
        async def wait() -> str:
            """Until it is let go."""
            self.started.set()
            await self.free.wait()
            return "done"

        @self.server.tool()
        def quick() -> str:
            """At once."""
            return "quick"

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.over.set()

    async def connect(self, transport: str = "http") -> Client:
        info = (await registry.transports())[transport].info
        return self.client(await trio.open_tcp_stream(info["host"], info["port"]))

    def client(self, stream: trio.SocketStream) -> Client:
        """Closed with the node."""
        self.streams.append(stream)
        return Client(stream)

    async def refused(self, transport: str = "http") -> None:
        """Wait until nobody is let in."""
        info = (await registry.transports())[transport].info
        while True:
            try:
                stream = await trio.open_tcp_stream(info["host"], info["port"])
            except OSError:
                return
            await stream.aclose()

    async def outcome(self) -> Outcome:
        await self.over.wait()
        return self.outcomes[0]


@asynccontextmanager
async def a_node(config: Config = CONFIG) -> AsyncIterator[Node]:
    node = Node()
    parts = Parts({"main": node.server}, None, lambda pid: None, drained=node.ended)
    async with Runtime("test"):
        with trio.fail_after(20):
            await start_node(child_specs(config, parts))
            yield node
            for stream in node.streams:
                await stream.aclose()
            await application.stop_all()


def asking(
    method: str, params: dict[str, Any] | None = None, *, id: int = 1, name: str = ""
) -> bytes:
    """A request of 2026-07-28."""
    message = {
        "jsonrpc": "2.0",
        "id": id,
        "method": method,
        "params": {**(params or {}), "_meta": META},
    }
    body = json.dumps(message).encode()
    lines = {
        "Host": "localhost",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": VERSION,
        "Mcp-Method": method,
        "Content-Length": str(len(body)),
    }
    if name:
        lines["Mcp-Name"] = name
    head = "".join(f"{key}: {value}\r\n" for key, value in lines.items())
    return f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body


def calling(tool: str, id: int = 1) -> bytes:
    return asking("tools/call", {"name": tool, "arguments": {}}, id=id, name=tool)


def get(path: str, **headers: str) -> bytes:
    lines = "".join(f"{key.replace('_', '-')}: {value}\r\n" for key, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode()


async def ends(client: Client) -> bytes:
    """What comes until the node closes the connection in order."""
    data = client.buffer
    while piece := await client.stream.receive_some(65536):  # a reset would raise
        data += piece
    return data


async def test_what_was_begun_is_finished_and_its_client_told_to_leave() -> None:
    async with a_node() as node:
        busy = await node.connect()
        await busy.send(calling("wait"))
        await node.started.wait()
        await drain.begin("a test")
        await node.refused()
        assert not node.outcomes
        node.free.set()
        answer = await busy.answer()
        assert (answer.text, answer.headers["connection"]) == ("done", "close")
        assert await ends(busy) == b""
        outcome = await node.outcome()
        assert (outcome.cut_off, outcome.why) == (0, "a test")


async def test_kept_connections_are_served_once_more_and_idle_ones_let_go() -> None:
    config = msgspec.structs.replace(CONFIG, drain=DrainConfig(deadline=20, idle_grace=10))
    async with a_node(config) as node:
        kept = await node.connect()
        await kept.send(calling("quick"))
        assert "connection" not in (await kept.answer()).headers
        await drain.begin("a test")
        await node.refused()
        await kept.send(get("/ready"))
        answer = await kept.answer()
        assert answer.status == 503
        assert (answer.json["status"], answer.headers["connection"]) == ("draining", "close")
        assert await ends(kept) == b""
    async with a_node() as node:
        idle = await node.connect()
        await idle.send(calling("quick"))
        await idle.answer()
        await drain.begin("a test")
        assert await ends(idle) == b""
        assert (await node.outcome()).cut_off == 0


async def test_requests_sent_in_one_go_are_all_answered() -> None:
    async with a_node() as node:
        client = await node.connect()
        await client.send(calling("wait", 1) + calling("quick", 2) + calling("quick", 3))
        await node.started.wait()
        await drain.begin("a test")
        await node.refused()
        node.free.set()
        answers = [await client.answer() for _ in range(3)]
        assert [answer.json["id"] for answer in answers] == [1, 2, 3]
        assert [answer.headers.get("connection") for answer in answers] == [None, None, "close"]


async def test_a_request_that_is_arriving_is_waited_for() -> None:
    async with a_node() as node:
        client = await node.connect()
        whole = calling("quick")
        await client.send(whole[:-5])
        while (await call_left()).requests == 0:
            await drain.begin("a test")
            await trio.sleep(0.01)
        await client.send(whole[-5:])
        assert (await client.answer()).text == "quick"
        assert (await node.outcome()).cut_off == 0


async def call_left() -> Any:
    status = await drain.status()
    return status or drain.DrainStatus("serving", "", 0, 0, 0.0)


async def test_what_does_not_end_is_cut_off_at_the_deadline_with_an_error() -> None:
    async with a_node() as node:
        client, raw = await node.connect(), await node.connect("tcp")
        await client.send(calling("wait"))
        params = {"name": "wait", "arguments": {}, "_meta": META}
        await raw.send(
            json.dumps(
                {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
            ).encode()
            + b"\n"
        )
        await node.started.wait()
        await drain.begin("a test", 0.2)
        answer = await client.answer()
        assert answer.status == 503
        assert answer.json["error"]["data"]["refusal"] == 1077
        assert "going down" in answer.json["error"]["message"]
        told = json.loads(await ends(raw))
        assert (told["id"], told["error"]["data"]["refusal"]) == (7, 1077)
        assert (await node.outcome()).cut_off == 2


async def test_a_subscription_over_http_ends_with_its_result() -> None:
    async with a_node() as node:
        client = await node.connect()
        await client.send(
            asking("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, id=5)
        )
        await client.head()
        assert b"acknowledged" in await client.chunk()
        await drain.begin("a test")
        data = await ends(client)
        assert b'"id":5,"result"' in data
        assert data.endswith(b"0\r\n\r\n")
        assert (await node.outcome()).cut_off == 0


async def opened(client: Client, version: str = "2025-11-25") -> str:
    """The id of a session of the older era."""
    params = {
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    ).encode()
    await client.send(
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Accept: application/json, text/event-stream\r\nContent-Length: %d\r\n\r\n%b"
        % (len(body), body)
    )
    return (await client.answer()).headers["mcp-session-id"]


async def test_the_stream_of_a_session_ends_so_that_its_client_comes_back() -> None:
    async with a_node() as node:
        client = await node.connect()
        session = await opened(client)
        await client.send(get("/mcp", Accept="text/event-stream", Mcp_Session_Id=session))
        await client.head()
        await drain.begin("a test")
        data = await ends(client)
        assert b"retry: 1000" in data
        assert data.endswith(b"0\r\n\r\n")
        assert (await node.outcome()).cut_off == 0


async def test_a_stream_of_2024_ends_when_its_calls_have() -> None:
    async with a_node() as node:
        stream, poster = await node.connect(), await node.connect()
        await stream.send(get("/sse", Accept="text/event-stream"))
        await stream.head()
        place = (await stream.chunk()).split(b"data: ")[1].split(b"\n")[0].decode()

        async def post(id: int, method: str, params: Any) -> None:
            body = json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
            await poster.send(
                f"POST {place} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            assert (await poster.answer()).status == 202

        about = {
            "protocolVersion": "2024-11-05",
            "capabilities": {},
            "clientInfo": META["io.modelcontextprotocol/clientInfo"],
        }
        await post(1, "initialize", about)
        assert b'"id":1' in await stream.chunk()
        await post(2, "tools/call", {"name": "wait", "arguments": {}})
        await node.started.wait()
        await drain.begin("a test")
        await node.refused()
        node.free.set()
        data = await ends(stream)
        assert b'"id":2' in data
        assert b"done" in data
        assert b"retry: 1000" in data
        assert (await node.outcome()).cut_off == 0


async def test_tcp_clients_get_their_answers_and_the_end_of_their_subscriptions() -> None:
    async with a_node() as node:
        client = await node.connect("tcp")

        async def send(id: int, method: str, params: Any) -> None:
            message = {
                "jsonrpc": "2.0",
                "id": id,
                "method": method,
                "params": {**params, "_meta": META},
            }
            await client.send(json.dumps(message).encode() + b"\n")

        await send(1, "subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        await send(2, "tools/call", {"name": "wait", "arguments": {}})
        await node.started.wait()
        await drain.begin("a test")
        await node.refused("tcp")
        node.free.set()
        said = [json.loads(line) for line in (await ends(client)).splitlines()]
        assert {message["id"] for message in said if "result" in message} == {1, 2}
        assert (await node.outcome()).cut_off == 0


async def test_websockets_are_closed_as_going_away() -> None:
    async with a_node() as node:
        client = await node.connect()
        await client.send(
            get(
                "/mcp/ws",
                Upgrade="websocket",
                Connection="Upgrade",
                Sec_WebSocket_Version="13",
                Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
                Sec_WebSocket_Protocol="mcp",
            )
        )
        assert (await client.head())[0] == 101
        await drain.begin("a test")
        data = await ends(client)
        assert data[0] == 0x88
        assert int.from_bytes(data[2:4], "big") == 1001
        assert (await node.outcome()).cut_off == 0


@pytest.mark.parametrize("victim", ["drain", "http_connections", "http_socket", "http_listener"])
async def test_a_crash_on_the_way_does_not_keep_it_from_its_end(victim: str) -> None:
    async with a_node() as node:
        await drain.begin("a test")
        pid = whereis(victim)
        assert pid is not None
        exit_signal(pid, "kill")
        await node.refused()
        assert (await node.outcome()).cut_off == 0


async def test_nobody_who_waits_to_be_let_in_is_lost() -> None:
    async with a_node() as node:
        clients = [await node.connect() for _ in range(200)]
        for client in clients:
            await client.send(calling("quick"))
        await drain.begin("a test")
        for client in clients:
            assert (await client.answer()).text == "quick"
        assert (await node.outcome()).cut_off == 0


async def test_a_unix_socket_goes_with_the_node(tmp_path: Path) -> None:
    place = tmp_path / "sock"
    config = msgspec.structs.replace(CONFIG, http=HttpConfig(host=f"unix:{place}"))
    async with a_node(config) as node:
        client = node.client(await trio.open_unix_socket(os.fspath(place)))
        await client.send(calling("quick"))
        await drain.begin("a test")
        assert (await client.answer()).text == "quick"
        assert (await node.outcome()).cut_off == 0
        assert not place.exists()


async def test_over_tls_the_end_is_said(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = tmp_path / "node.pem", tmp_path / "node.key"
    authority.issue(certificate, key, "node")
    tls = HttpTlsConfig(certificate=str(certificate), key=str(key))
    config = msgspec.structs.replace(CONFIG, http=HttpConfig(port=0, tls=tls))
    async with a_node(config) as node:
        clients = []
        for _ in range(3):
            plain = (await node.connect()).stream
            stream = trio.SSLStream(
                plain,
                authority.client_context(),
                server_hostname="localhost",
                https_compatible=False,
            )
            await stream.do_handshake()
            clients.append(Client(stream))  # type: ignore[arg-type]
        idle, busy, kept = clients
        await idle.send(calling("quick"))
        await idle.answer()
        await busy.send(calling("wait"))
        await node.started.wait()
        silent = await node.connect()  # has not begun its handshake
        await drain.begin("a test")
        await kept.send(calling("quick"))
        assert (await kept.answer()).headers["connection"] == "close"
        for client in (kept, idle):  # a connection that is cut would raise
            assert await ends(client) == b""
        assert await silent.stream.receive_some(1) == b""
        node.free.set()
        assert (await busy.answer()).text == "done"
        assert await ends(busy) == b""
        assert (await node.outcome()).cut_off == 0
