"""A client of its own for both framings, and a node to talk to."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any, Literal

import msgspec
import trio

from erlmcp_py import registry
from erlmcp_py.transports.net.supervisor import ListenerStatistics, statistics
from erlmcp_py.transports.tcp import TcpSettings, child_spec
from supervisors import Report
from tests.erlmcp_py.transports.node import Probe, make_server, node

Framing = Literal["newline", "length"]


class TcpClient:
    """One connection."""

    def __init__(self, stream: trio.SocketStream, framing: Framing) -> None:
        self.stream = stream
        self.framing = framing
        self.buffer = b""

    def frame(self, message: Any) -> bytes:
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        if self.framing == "newline":
            return data + b"\n"
        return struct.pack(">I", len(data)) + data

    async def say(self, *messages: Any) -> None:
        await self.stream.send_all(b"".join(map(self.frame, messages)))

    async def receive(self) -> Any:
        """The next message, decoded; None when the node has closed."""
        with trio.fail_after(10):
            while (message := self._cut()) is None:
                data = await self.stream.receive_some(65536)
                if not data:
                    assert self.buffer == b""
                    return None
                self.buffer += data
        return json.loads(message)

    def _cut(self) -> bytes | None:
        if self.framing == "newline":
            line, newline, rest = self.buffer.partition(b"\n")
            if not newline:
                return None
            self.buffer = rest
            return line
        if len(self.buffer) < 4:
            return None
        end = 4 + struct.unpack(">I", self.buffer[:4])[0]
        if len(self.buffer) < end:
            return None
        message, self.buffer = self.buffer[4:end], self.buffer[end:]
        return message

    async def query(self, message: Any) -> Any:
        await self.say(message)
        return await self.receive()

    async def reset(self) -> None:
        """Close as a crashed machine does."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.stream.aclose()


class World:
    """A node with a TCP listener."""

    def __init__(self, settings: TcpSettings, reports: list[Report]) -> None:
        self.settings = settings
        self.reports = reports

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[TcpClient]:
        host, port = await self.address()
        if host.startswith("unix:"):
            stream: Any = await trio.open_unix_socket(host.removeprefix("unix:"))
        else:
            stream = await trio.open_tcp_stream(host, port)
        try:
            yield TcpClient(stream, self.settings.framing)
        finally:
            await stream.aclose()

    async def address(self) -> tuple[str, int]:
        info = (await registry.transports())[self.settings.name].info
        return info["host"], info["port"]

    async def numbers(self) -> ListenerStatistics:
        return await statistics(self.settings.name)


@contextlib.asynccontextmanager
async def listening(
    probe: Probe | None = None, framing: Framing = "newline", **settings: Any
) -> AsyncIterator[World]:
    """A node whose server "probe" is served over TCP."""
    told = msgspec.structs.replace(TcpSettings(port=0, framing=framing), **settings)
    servers = {"probe": make_server(probe or Probe())}
    async with node(servers, child_spec(told)) as reports:
        yield World(told, reports)
