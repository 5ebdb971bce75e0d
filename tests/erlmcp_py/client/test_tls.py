"""https: and wss:, with certificates that are trusted and some that are not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from erlmcp_py.client import Client, ConnectError
from erlmcp_py.protocol.types import TextContent
from erlmcp_py.server import Context, Server
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from erlmcp_py.transports.net.settings import TlsSettings
from erlmcp_py.transports.websocket.settings import WebSocketSettings
from tests.erlmcp_py.client.serving import port_of
from tests.erlmcp_py.transports.net.certificates import Authority
from tests.erlmcp_py.transports.node import node, open_descriptors


@asynccontextmanager
async def secured(directory: Path) -> AsyncIterator[tuple[str, Authority]]:
    server = Server("probe", version="1")

    @server.tool()
    async def echo(ctx: Context, text: str) -> str:
        """Say it back, and more than one record of it."""
        ctx.report_progress(1)
        await trio.lowlevel.checkpoint()
        return text

    authority = Authority(directory)
    certificate, key = directory / "node.pem", directory / "node.key"
    authority.issue(certificate, key, "first")
    tls = TlsSettings(certificate=str(certificate), key=str(key))
    settings = ListenerConfig(port=0, tls=tls, websocket=WebSocketSettings())
    async with node({"probe": server}, child_spec(settings)):
        yield f"https://127.0.0.1:{await port_of('http')}/mcp/probe", authority


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_over_tls(tmp_path: Path, mode: str) -> None:
    text = "ä" * 100_000
    async with secured(tmp_path) as (url, authority):
        tls = authority.client_context()
        clients = [
            Client(url, tls=tls, mode=mode),  # type: ignore[arg-type]
            Client.websocket(f"wss{url.removeprefix('https')}/ws", tls=tls, mode=mode),  # type: ignore[arg-type]
        ]
        for client in clients:
            async with client:
                for _ in range(3):
                    progress: list[object] = []
                    result = await client.call_tool(
                        "echo", {"text": text}, on_progress=progress.append
                    )
                    assert result.content == [TextContent(text)]
                    assert len(progress) == 1


async def test_a_certificate_nobody_vouches_for(tmp_path: Path) -> None:
    before = open_descriptors()
    async with secured(tmp_path) as (url, _):
        for client in (Client(url), Client.websocket(f"wss{url.removeprefix('https')}/ws")):
            with pytest.raises(ConnectError, match="certificate verify failed"):
                async with client:
                    pass
    assert open_descriptors() <= before
