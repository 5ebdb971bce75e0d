"""Our own server behind every transport, and clients of it in both eras."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from erlmcp_py import registry
from erlmcp_py.client import Client
from erlmcp_py.server import Server
from erlmcp_py.transports import tcp
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec as http_spec
from erlmcp_py.transports.websocket.settings import WebSocketSettings
from tests.erlmcp_py.transports.node import node

ROOT = Path(__file__).parents[3]

TRANSPORTS = ("http", "tcp", "websocket", "in_process", "stdio")
WAYS = [(transport, mode) for transport in TRANSPORTS for mode in ("auto", "legacy")]
everywhere = pytest.mark.parametrize(
    ("transport", "mode"), WAYS, ids=[f"{transport}-{mode}" for transport, mode in WAYS]
)


async def port_of(transport: str) -> int:
    """The port the listener has got."""
    return int((await registry.transports())[transport].info["port"])


@asynccontextmanager
async def http_node(server: Server) -> AsyncIterator[str]:
    """A node with this server; yields the URL."""
    async with node({server.name: server}, http_spec(ListenerConfig(port=0))):
        yield f"http://127.0.0.1:{await port_of('http')}/mcp/{server.name}"


@asynccontextmanager
async def connected(
    server: Server, transport: str, mode: Any = "auto", **options: Any
) -> AsyncIterator[Client]:
    """A client of the server. stdio: of the server `tests.interop.servers.NAME:server`."""
    options |= {"mode": mode}
    if transport == "in_process":
        async with Client.in_process(server, **options) as client:
            yield client
    elif transport == "http":
        async with http_node(server) as url, Client(url, **options) as client:
            yield client
    elif transport == "tcp":
        listener = tcp.child_spec(tcp.TcpSettings(server=server.name))
        async with (
            node({server.name: server}, listener),
            Client.tcp("127.0.0.1", await port_of("tcp"), **options) as client,
        ):
            yield client
    elif transport == "websocket":
        listener = http_spec(ListenerConfig(port=0, websocket=WebSocketSettings()))
        async with node({server.name: server}, listener):
            url = f"ws://127.0.0.1:{await port_of('http')}/mcp/{server.name}/ws"
            async with Client.websocket(url, **options) as client:
                yield client
    else:
        async with stdio_client(server.name, **options) as client:
            yield client


def stdio_client(name: str, **options: Any) -> Client:
    """A client that starts a node with that server of `tests.interop.servers`."""
    target = f"tests.interop.servers.{name}:server"
    command = [sys.executable, "-m", "erlmcp_py", "run", "--stdio", "--server", target]
    return Client.stdio(
        *command, cwd=str(ROOT), env={"ERLMCP__CONTROL__ENABLED": "false"}, **options
    )
