"""A client that writes every bit of a frame itself, and a node to talk to."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import msgspec
import trio

from erlmcp_py import registry
from erlmcp_py.server import Server
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from erlmcp_py.transports.net.supervisor import ListenerStatistics, statistics
from erlmcp_py.transports.websocket.settings import WebSocketSettings
from supervisors import Report
from tests.erlmcp_py.transports.http.client import Client
from tests.erlmcp_py.transports.node import Probe, make_server, node

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x37\xfa\x21\x3d"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # both as in RFC 6455, 1.3


class Frame(NamedTuple):
    opcode: int
    payload: bytes
    fin: bool = True


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    mask: bytes | None = MASK,
    length: bytes | None = None,
) -> bytes:
    """One of a client. reserved: the three bits as a number. length: the second byte and what follows."""
    if length is None:
        size = len(payload)
        if size < 126:
            length = bytes((size,))
        elif size < 65536:
            length = b"\x7e" + struct.pack(">H", size)
        else:
            length = b"\x7f" + struct.pack(">Q", size)
    first = bytes(((0x80 if fin else 0) | reserved << 4 | opcode,))
    if mask is None:
        return first + length + payload
    times = len(payload) // 4 + 1
    pad = int.from_bytes((mask * times)[: len(payload)], "big")
    masked = (int.from_bytes(payload, "big") ^ pad).to_bytes(len(payload), "big")
    return first + bytes((length[0] | 0x80,)) + length[1:] + mask + masked


def closing(code: int | None, reason: bytes = b"") -> bytes:
    """The payload of a Close frame."""
    return b"" if code is None else struct.pack(">H", code) + reason


def handshake(path: str = "/mcp/ws", headers: Mapping[str, str | None] | None = None) -> bytes:
    """The request; None leaves a header out."""
    lines: dict[str, str | None] = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Protocol": "mcp",
    }
    lines |= headers or {}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"GET {path} HTTP/1.1\r\n{text}\r\n".encode()


class WsClient(Client):
    """One connection, before and after its handshake. patience: seconds it waits for a frame."""

    patience = 10.0

    async def open(
        self, path: str = "/mcp/ws", headers: Mapping[str, str | None] | None = None
    ) -> dict[str, str]:
        """The headers of the answer 101."""
        await self.send(handshake(path, headers))
        status, answer = await self.head()
        assert status == 101, (status, answer, self.buffer)
        assert answer["sec-websocket-accept"] == ACCEPT
        return answer

    async def frame(self) -> Frame | None:
        """The next one; None when the node has closed."""
        with trio.fail_after(self.patience):
            while True:
                found = self._cut()
                if found is not None:
                    return found
                if not await self.more():
                    assert self.buffer == b"", "closed in the middle of a frame"
                    return None

    def _cut(self) -> Frame | None:
        buffer = self.buffer
        if len(buffer) < 2:
            return None
        assert buffer[0] & 0x70 == 0, "reserved bits"
        assert buffer[1] & 0x80 == 0, "masked by the server"
        size, at = buffer[1], 2
        if size > 125:
            at = 4 if size == 126 else 10
            if len(buffer) < at:
                return None
            size = int.from_bytes(buffer[2:at], "big")
        if len(buffer) < at + size:
            return None
        self.buffer = buffer[at + size :]
        return Frame(buffer[0] & 0x0F, buffer[at : at + size], bool(buffer[0] & 0x80))

    async def receive(self) -> Any:
        """The next message, decoded; None when a Close frame or the end came instead."""
        got = await self.frame()
        while got is not None and got.opcode == PING:
            await self.send(frame(PONG, got.payload))
            got = await self.frame()
        if got is None or got.opcode == CLOSE:
            return None
        assert (got.opcode, got.fin) == (TEXT, True), got
        return json.loads(got.payload.decode())

    async def say(self, *messages: Any) -> None:
        encoded = (
            message if isinstance(message, bytes) else json.dumps(message).encode()
            for message in messages
        )
        await self.send(b"".join(frame(TEXT, each) for each in encoded))

    async def query(self, message: Any) -> Any:
        await self.say(message)
        return await self.receive()

    async def code(self) -> int | None:
        """Of the Close frame that comes next, behind which the node closes; None for one without a
        code.
        """
        got = await self.frame()
        assert got is not None, "closed without a Close frame"
        assert got.opcode == CLOSE, got
        assert got.fin
        assert await self.frame() is None
        if not got.payload:
            return None
        got.payload[2:].decode()
        return int(struct.unpack(">H", got.payload[:2])[0])

    async def reset(self) -> None:
        """Close as a crashed machine does."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.stream.aclose()


class World:
    """A node with an HTTP listener."""

    def __init__(self, reports: list[Report]) -> None:
        self.reports = reports

    @contextlib.asynccontextmanager
    async def client(
        self, path: str | None = "/mcp/ws", headers: Mapping[str, str | None] | None = None
    ) -> AsyncIterator[WsClient]:
        """One that has shaken hands; without a path, one that has not."""
        async with await trio.open_tcp_stream(*await self.address()) as stream:
            client = WsClient(stream)
            if path is not None:
                await client.open(path, headers)
            yield client

    async def address(self) -> tuple[str, int]:
        info = (await registry.transports())["http"].info
        return info["host"], info["port"]

    async def numbers(self) -> ListenerStatistics:
        return await statistics("http")


@contextlib.asynccontextmanager
async def listening(
    probe: Probe | None = None,
    servers: Mapping[str, Server] | None = None,
    http: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """A node whose server "probe" is served. settings: of WebSocket; http: of the listener."""
    told = msgspec.structs.replace(WebSocketSettings(), **settings)
    config = msgspec.structs.replace(ListenerConfig(port=0), **{"websocket": told, **(http or {})})
    served = dict(servers or {"probe": make_server(probe or Probe())})
    async with node(served, child_spec(config)) as reports:
        yield World(reports)
