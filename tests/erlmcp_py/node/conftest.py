"""A whole node inside the test, and a client of its listener."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from erlmcp_py import registry
from erlmcp_py.application import start_further, start_node
from erlmcp_py.config import Config, HttpConfig, LogConfig
from erlmcp_py.parts import Parts
from erlmcp_py.server import Server
from erlmcp_py.tree import child_specs
from supervisors import Application, Runtime, application
from tests.programs import Program

CONFIG = msgspec.structs.replace(
    Config(), http=HttpConfig(port=0), log=LogConfig(level="critical"), servers=()
)
VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


class Client:
    """One connection per request, so that any number may wait."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    async def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        payload = b"" if body is None else json.dumps(body).encode()
        lines = {"Host": "localhost", "Connection": "close", "Content-Length": str(len(payload))}
        head = "".join(
            f"{key}: {value}\r\n" for key, value in (lines | dict(headers or {})).items()
        )
        async with await trio.open_tcp_stream(self.host, self.port) as stream:
            await stream.send_all(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + payload)
            data = b"".join([chunk async for chunk in stream])
        start, _, rest = data.partition(b"\r\n\r\n")
        first, *given = start.decode().split("\r\n")
        found = {key.lower(): value for key, _, value in (line.partition(": ") for line in given)}
        is_json = found.get("content-type") == "application/json"
        return Answer(int(first.split()[1]), found, json.loads(rest) if is_json else rest)

    async def call(self, tool: str, server: str = "main", **arguments: Any) -> Answer:
        """A tool call of the stateless era."""
        params = {"name": tool, "arguments": arguments, "_meta": META}
        return await self.post(
            server, "tools/call", params, {"MCP-Protocol-Version": VERSION, "Mcp-Name": tool}
        )

    async def post(
        self, server: str, method: str, params: Any, headers: Mapping[str, str]
    ) -> Answer:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        accept = "application/json, text/event-stream"
        given = {"Content-Type": "application/json", "Accept": accept, "Mcp-Method": method}
        return await self.request("POST", f"/mcp/{server}", message, given | dict(headers))


Running = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def running() -> Running:
    """``async with running(servers, further, permanent, **sections) as client``: a node."""

    @asynccontextmanager
    async def node(
        servers: Mapping[str, Server],
        further: Sequence[Application] = (),
        permanent: Sequence[str] = (),
        **sections: Any,
    ) -> AsyncIterator[Client]:
        config = msgspec.structs.replace(CONFIG, **sections)
        async with Runtime("test"):
            with trio.fail_after(10):
                await start_node(child_specs(config, Parts(servers, None, lambda pid: None)))
                await start_further(further, permanent)
                info = (await registry.transports())["http"].info
            yield Client(info["host"], info["port"])
            await application.stop_all()

    return node


Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """``start(*options, **env)``: `erlmcp-node run` with these; it is ended with the test."""
    with ExitStack() as programs:

        def start_program(*options: str, **env: str) -> Program:
            return programs.enter_context(closing(Program(tmp_path, "run", *options, **env)))

        yield start_program
