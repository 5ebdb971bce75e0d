"""Messages over a pair of descriptors, or a socket, cut by a framing."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio
from trio.lowlevel import wait_readable, wait_writable

from erlmcp_py.client.errors import ConnectionLost
from erlmcp_py.transports.framing import Framing, Message

READ_SIZE: Final = 64 * 1024
MUCH: Final = 1024 * 1024
"""Unsent bytes from which on requests wait before they are sent."""
TOO_MUCH: Final = 16 * 1024 * 1024
"""Unsent bytes with which the server is given up: it does not read."""


class DescriptorChannel:
    """A `Channel`. read: waits for what there is, empty at the end. send: as of a non-blocking socket;
    writable: to wait for.
    """

    def __init__(
        self,
        framing: Framing,
        *,
        read: Callable[[int], Awaitable[bytes]],
        writable: Any,
        send: Callable[[memoryview], int],
        why: Callable[[], str],
    ) -> None:
        self._framing = framing
        self._writable = writable
        self._read = read
        self._send = send
        self._unsent: deque[memoryview] = deque()
        self._size = 0
        self._wake = trio.Event()
        self._roomy = trio.Event()
        self._broken = False
        self.why = why

    async def receive(self) -> list[Message]:
        """See `Channel`."""
        while True:
            data = await self._read(READ_SIZE)
            messages = self._framing.feed(data) if data else self._framing.finish()
            if messages or not data:
                return messages

    def write(self, message: bytes) -> None:
        """See `Channel`."""
        if self._broken:
            raise ConnectionLost("the server does not read any more", maybe_done=False)
        rest = memoryview(self._framing.wrap(message))
        if not self._unsent:
            try:
                rest = rest[self._send(rest) :]
            except BlockingIOError:
                pass
            except OSError as problem:
                self._broken = True
                self._wake.set()
                text = f"the server does not read any more: {problem}"
                raise ConnectionLost(text, maybe_done=False) from None
        if rest:
            self._unsent.append(rest)
            self._size += len(rest)
            if self._size > TOO_MUCH:
                self._broken = True
            self._wake.set()

    @property
    def full(self) -> bool:
        """See `Channel`."""
        return self._size > MUCH and not self._broken

    async def room(self) -> None:
        """See `Channel`."""
        while self.full:
            await self._roomy.wait()

    async def run(self) -> None:
        """See `Channel`."""
        try:
            while not self._broken:
                await self._wake.wait()
                self._wake = trio.Event()
                while self._unsent and not self._broken:
                    await wait_writable(self._writable)
                    self._send_first()
        finally:
            self._broken = True
            self._roomy.set()

    def _send_first(self) -> None:
        first = self._unsent[0]
        try:
            sent = self._send(first)
        except BlockingIOError:
            return
        except OSError:
            self._broken = True  # the reader learns why
            return
        self._size -= sent
        if sent == len(first):
            self._unsent.popleft()
        else:
            self._unsent[0] = first[sent:]
        if self._size <= MUCH:
            self._roomy.set()
            self._roomy = trio.Event()


def reader(connected: socket.socket) -> Callable[[int], Awaitable[bytes]]:
    """What a channel over a non-blocking socket reads with."""

    async def read(size: int) -> bytes:
        while True:
            await wait_readable(connected)
            try:
                return connected.recv(size)
            except BlockingIOError:
                continue

    return read
