"""A socket to an HTTP server, in the clear or with TLS: send, receive, and a look without waiting.

WHY not trio's streams: before a connection is used again somebody has to look whether the server has
closed it meanwhile, without waiting; and an answer that is there already need not be waited for.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final, Protocol

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

READ_SIZE: Final = 64 * 1024


class Wire(Protocol):
    """What both kinds can do. All raise OSError (and `ssl.SSLError`, which is one)."""

    async def send(self, data: bytes) -> None:
        """All of it."""

    async def receive(self) -> bytes:
        """What has come; empty at the end."""

    def poll(self) -> bytes | None:
        """What has come already; None if nothing has, empty at the end."""

    def close(self) -> None:
        """At once."""


class PlainWire:
    """A connected stream socket, non-blocking."""

    __slots__ = ("_socket",)

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self._socket = connected

    async def send(self, data: bytes) -> None:
        """See `Wire`."""
        rest = memoryview(data)
        while True:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                await wait_writable(self._socket)
                continue
            if not rest:
                return

    async def receive(self) -> bytes:
        """See `Wire`."""
        while True:
            await wait_readable(self._socket)
            data = self.poll()
            if data is not None:
                return data

    def poll(self) -> bytes | None:
        """See `Wire`."""
        try:
            return self._socket.recv(READ_SIZE)
        except BlockingIOError:
            return None

    def close(self) -> None:
        """See `Wire`."""
        if self._socket.fileno() >= 0:
            notify_closing(self._socket)
            self._socket.close()


class TlsWire:
    """The same with TLS over it."""

    __slots__ = ("_incoming", "_outgoing", "_sending", "_tls", "_wire")

    def __init__(self, wire: PlainWire, context: ssl.SSLContext, name: str) -> None:
        self._wire = wire
        self._incoming = ssl.MemoryBIO()
        self._sending = trio.Lock()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    async def shake_hands(self) -> None:
        """Raises ssl.SSLError, for instance for a certificate that nobody vouches for."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._more()
                continue
            await self._flush()
            return

    async def send(self, data: bytes) -> None:
        """See `Wire`."""
        self._tls.write(data)
        await self._flush()

    async def receive(self) -> bytes:
        """See `Wire`."""
        while True:
            try:
                return self._tls.read(READ_SIZE)
            except ssl.SSLWantReadError:
                await self._flush()
                await self._more()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def poll(self) -> bytes | None:
        """See `Wire`."""
        data = self._wire.poll()
        if data is not None:
            self._take(data)
        try:
            return self._tls.read(READ_SIZE)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def close(self) -> None:
        """See `Wire`."""
        self._wire.close()

    async def _more(self) -> None:
        self._take(await self._wire.receive())

    def _take(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        """WHY the lock: reading may have to send too, and records must leave in their order."""
        while self._outgoing.pending:
            async with self._sending:
                data = self._outgoing.read()
                if data:
                    await self._wire.send(data)


async def connect(host: str, port: int, tls: ssl.SSLContext | None) -> Wire:
    """A connection to the server. Raises OSError."""
    stream = await trio.open_tcp_stream(host, port)
    wire = PlainWire(socket.socket(fileno=stream.socket.detach()))
    if tls is None:
        return wire
    secured = TlsWire(wire, tls, host)
    try:
        await secured.shake_hands()
    except BaseException:
        wire.close()
        raise
    return secured
