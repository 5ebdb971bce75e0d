"""HTTP as the clients speak it: one connection, responses message by message."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import trio

from tests.crash.node import World
from tests.crash.oracle import Violation
from tests.erlmcp_py.transports.http.client import http

LIMIT = 120.0
"""Virtual seconds in which every request must have come to some end."""


class Closed(Exception):
    """The connection ended before the response was complete."""


class Wire:
    """One connection. peer: the name it has in the node."""

    def __init__(self, stream: trio.SocketStream, peer: str) -> None:
        self.stream = stream
        self.peer = peer
        self._buffer = b""
        self.last_event_id: str | None = None
        self.whole_at = trio.current_time()
        """When something last came, or it was opened."""

    @classmethod
    async def dial(cls, world: World, owner: str) -> Wire:
        """A new connection of a client."""
        peer = f"{owner}#{next(world.numbers)}"
        return cls(await world.dial(peer), peer)

    async def send(self, *arguments: Any) -> tuple[int, dict[str, str]]:
        """Send a request (as `http` takes it); status and headers of its response."""
        if self._buffer:
            raise Violation(f"{self.peer}: bytes that nobody asked for: {self._buffer!r}")
        try:
            await self.stream.send_all(http(*arguments))
        except trio.BrokenResourceError:
            raise Closed from None
        return await self._head()

    async def messages(self, headers: dict[str, str]) -> AsyncIterator[Any]:
        """The messages of the response, to its end."""
        if "content-length" in headers:
            data = await self._exactly(int(headers["content-length"]))
            if data:
                yield json.loads(data)
            return
        while chunk := await self._chunk():
            for line in chunk.split(b"\n"):
                if line.startswith(b"id: "):
                    self.last_event_id = line[4:].decode()
                if line.startswith(b"data: ") and line != b"data: ":
                    yield json.loads(line[6:])

    async def close(self) -> None:
        """Let go."""
        await self.stream.aclose()

    async def _head(self) -> tuple[int, dict[str, str]]:
        first, *rest = (await self._until(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(": ") for line in rest if line)
        return int(first.split(" ")[1]), {name.lower(): value for name, _, value in pairs}

    async def _chunk(self) -> bytes:
        data = await self._exactly(int(await self._until(b"\r\n"), 16))
        await self._exactly(2)
        return data

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            await self._more()
        taken, _, self._buffer = self._buffer.partition(mark)
        return taken

    async def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            await self._more()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    async def _more(self) -> None:
        try:
            data = await self.stream.receive_some(65536)
        except trio.BrokenResourceError:
            data = b""
        if not data:
            raise Closed
        self._buffer += data
        self.whole_at = trio.current_time()
