"""HTTP as the clients speak it: one connection, responses message by message."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import trio

from tests.crash.incoming import Closed, Incoming
from tests.crash.node import World
from tests.crash.oracle import Violation
from tests.erlmcp_py.transports.http.client import http

LIMIT = 120.0
"""Virtual seconds in which every request must have come to some end."""


class _Messages:
    """An iterator, and no generator: one that is left half-way would have to be closed."""

    def __init__(self, wire: Wire, headers: dict[str, str]) -> None:
        self._wire = wire
        length = headers.get("content-length")
        self._length = None if length is None else int(length)
        self._ready: deque[bytes] = deque()
        self._over = False

    def __aiter__(self) -> _Messages:
        return self

    async def __anext__(self) -> Any:
        while not self._ready:
            if self._over:
                raise StopAsyncIteration
            if self._length is None:
                more = await self._wire.events()
                self._over = more is None
            else:
                more = await self._wire.body(self._length)
                self._over = True
            self._ready.extend(more or ())
        return json.loads(self._ready.popleft())


class Wire(Incoming):
    """One connection."""

    def __init__(self, stream: trio.SocketStream, peer: str) -> None:
        super().__init__(stream, peer)
        self.last_event_id: str | None = None

    @classmethod
    async def dial(cls, world: World, owner: str) -> Wire:
        """A new connection of a client."""
        peer = f"{owner}#{next(world.numbers)}"
        return cls(await world.dial(peer), peer)

    async def send(self, *arguments: Any) -> tuple[int, dict[str, str]]:
        """Send a request (as `http` takes it); status and headers of its response."""
        if self.buffer:
            raise Violation(f"{self.peer}: bytes that nobody asked for: {self.buffer!r}")
        try:
            await self.stream.send_all(http(*arguments))
        except trio.BrokenResourceError:
            raise Closed from None
        return await self._head()

    def messages(self, headers: dict[str, str]) -> _Messages:
        """The messages of the response, to its end."""
        return _Messages(self, headers)

    async def body(self, length: int) -> list[bytes]:
        """The one message of a response that says how long it is, if it has any."""
        data = await self.exactly(length)
        return [data] if data else []

    async def events(self) -> list[bytes] | None:
        """The messages of the next piece of a stream; None behind its last one."""
        chunk = await self.chunk()
        found = []
        for line in chunk.split(b"\n"):
            if line.startswith(b"id: "):
                self.last_event_id = line[4:].decode()
            if line.startswith(b"data: ") and line != b"data: ":
                found.append(line[6:])
        return found if chunk else None

    async def close(self) -> None:
        """Let go."""
        await self.stream.aclose()

    async def _head(self) -> tuple[int, dict[str, str]]:
        first, *rest = (await self.until(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(": ") for line in rest if line)
        return int(first.split(" ")[1]), {name.lower(): value for name, _, value in pairs}

    async def chunk(self) -> bytes:
        """One chunk of a stream; empty at its end."""
        data = await self.exactly(int(await self.until(b"\r\n"), 16))
        await self.exactly(2)
        return data
