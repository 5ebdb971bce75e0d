"""Messages both ways on one stream, as clients of TCP and WebSocket have them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

import trio

from tests.crash.incoming import Closed, Incoming
from tests.erlmcp_py.transports.tcp.client import Framing
from tests.erlmcp_py.transports.websocket.client import (
    PONG,
    TEXT,
    frame,
    handshake,
)


class Channel(Incoming, ABC):
    """One connection."""

    def __init__(self, stream: trio.SocketStream, peer: str = "") -> None:
        super().__init__(stream, peer)
        self.finished = False
        self._sending = trio.Lock()

    async def send(self, message: Any) -> bool:
        """A message, whole; False, and nothing is sent, behind the end. Raises `Closed`."""
        return await self._put(self.wrap(json.dumps(message).encode()))

    async def receive(self) -> Any:
        """The next message. Raises `Closed`, and ValueError for what is none."""
        return json.loads(await self.next())

    async def finish(self) -> None:
        """Say no more, but go on reading. Raises `Closed`."""
        async with self._sending:
            self.finished = True
            try:
                await self.stream.send_eof()
            except trio.BrokenResourceError:
                raise Closed from None

    async def close(self) -> None:
        """Let go."""
        await trio.aclose_forcefully(self.stream)

    @abstractmethod
    def wrap(self, data: bytes) -> bytes:
        """A message as it is sent."""

    @abstractmethod
    async def next(self) -> bytes:
        """The next message as it came."""

    async def _put(self, data: bytes) -> bool:
        async with self._sending:
            if self.finished:
                return False
            try:
                await self.stream.send_all(data)
            except trio.BrokenResourceError:
                raise Closed from None
        return True


class TcpChannel(Channel):
    """A message per line, or behind its length."""

    framing: Framing = "newline"

    def wrap(self, data: bytes) -> bytes:
        if self.framing == "newline":
            return data + b"\n"
        return len(data).to_bytes(4, "big") + data

    async def next(self) -> bytes:
        if self.framing == "newline":
            return await self.until(b"\n")
        return await self.exactly(int.from_bytes(await self.exactly(4), "big"))


class WebSocketChannel(Channel):
    """A message per frame; pings are answered. `open` comes first."""

    async def open(self, path: str) -> bytes:
        """The first line of the answer to the handshake. Raises `Closed`."""
        await self._put(handshake(path))
        return (await self.until(b"\r\n\r\n")).partition(b"\r\n")[0]

    def wrap(self, data: bytes) -> bytes:
        return frame(TEXT, data)

    async def next(self) -> bytes:
        while True:
            first, size = await self.exactly(2)
            if size > 125:
                size = int.from_bytes(await self.exactly(2 if size == 126 else 8), "big")
            payload = await self.exactly(size)
            match first:
                case 0x81:
                    return payload
                case 0x89:
                    await self._put(frame(PONG, payload))
                case 0x88:
                    raise Closed
                case _:
                    raise ValueError(f"a frame that begins with {first:#x}")
