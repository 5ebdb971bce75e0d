"""One connected socket: bytes in, bytes out, and what becomes of a client that does not read.

WHY a plain socket: writing is tried first and waited for only on EAGAIN, and reads go straight to
whoever parses them. trio's socket wrappers checkpoint on every call.

WHY no deadline on reads: arming one costs more than the read. The pool looks at all its
connections every few seconds instead (`stuck_since`, `Connection.idle_since`).
"""

from __future__ import annotations

import socket
from typing import Any, Final

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

from supervisors import send

READ_SIZE: Final = 64 * 1024
"""Bytes taken in one read, and kept for later while a call is waited for."""
WRITE_SOON: Final = 256 * 1024
"""Bytes written but not sent from which on a writer should `flush`."""
_LINGER: Final = 1.0


class Wire:
    """A connected socket that does not block, of one process (`owner`).

    data: what has been read from it already, to be read once more. Only the owner reads, writes and
    flushes; `send_now` and `close` may be called in anybody's turn.
    """

    handshake_failed = False
    """Whether `open` was in vain."""

    __slots__ = (
        "_out",
        "_pending",
        "_socket",
        "bytes_in",
        "bytes_out",
        "gone",
        "owner",
        "parting",
        "stuck_since",
        "unsent",
    )

    def __init__(self, sock: socket.socket, data: bytes = b"") -> None:
        self._socket = sock
        self._pending = data
        self._out: list[bytes] = []
        self.owner: Any = None
        """The process that is told ``("disconnected",)`` by `watch` and ``("unsent",)`` by `send_now`."""
        self.unsent = 0
        """Bytes that wait for the next `flush`; past `WRITE_SOON` it is time for one."""
        self.bytes_in = self.bytes_out = 0
        self.gone = False
        """The client has closed or reset: what is written from now on is dropped."""
        self.parting = False
        """Nothing is waited for that the client has not sent yet: `read` ends when all was read."""
        self.stuck_since: float | None = None
        """Since when the client has not taken what it was sent; None if it does."""

    async def open(self) -> bool:
        """Do what has to be done before the first byte can be read; False if there is nobody to
        serve.
        """
        return True

    @property
    def descriptor(self) -> int | None:
        """Of the socket, for another operating-system process that goes on with the conversation;
        None if only this one can, because there are secrets of its own in it (TLS).
        """
        return self._socket.fileno()

    async def read(self) -> bytes:
        """The next bytes; empty at the end, and `gone` if that was no orderly one. Bytes that came
        while `watch` ran come first.
        """
        if self._pending:
            data, self._pending = self._pending, b""
            return data
        while True:
            try:
                if not self.parting:
                    await wait_readable(self._socket)
                data = self._socket.recv(READ_SIZE)
            except trio.ClosedResourceError:
                if not self.parting:
                    raise
                continue  # look once more: something may have come in this very moment
            except BlockingIOError:
                if self.parting:
                    return b""
                continue
            except OSError:
                self.gone = True
                return b""
            self.bytes_in += len(data)
            return data

    def write(self, data: bytes) -> None:
        """Append to what is sent at the next `flush`."""
        self._out.append(data)
        self.unsent += len(data)

    async def flush(self) -> None:
        """Send what was written; waits only if the system's buffer is full. Never raises."""
        out = self._out
        if not out:
            return
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        self.unsent = 0
        if self.gone:
            return
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.gone = True
            return
        self.bytes_out += sent
        if sent < len(data):
            await self._send_rest(memoryview(data)[sent:])

    async def _send_rest(self, rest: memoryview) -> None:
        while rest:
            self.stuck_since = trio.current_time()
            await wait_writable(self._socket)
            try:
                sent = self._socket.send(rest)
            except BlockingIOError:
                continue
            except OSError:
                self.gone = True
                break
            self.bytes_out += sent
            rest = rest[sent:]
        self.stuck_since = None

    def send_now(self, data: bytes) -> bool:
        """Send at once, in whose turn ever, if nothing waits to be sent before it; False if not,
        and nothing has happened. What the system does not take is left to the owner.
        """
        if self._out or self.stuck_since is not None or self.gone:
            return False
        try:
            sent = self._socket.send(data)
        except OSError:  # full, or gone, which the owner has to find out
            return False
        self.bytes_out += sent
        if sent < len(data):
            self.write(data[sent:])
            send(self.owner, ("unsent",))
        return True

    async def watch(self) -> None:
        """Tell the owner's mailbox when the client goes away; runs beside a waiting call.

        What the client sends meanwhile is kept, up to one read, for when its turn comes.
        """
        while len(self._pending) < READ_SIZE:
            try:
                await wait_readable(self._socket)
            except trio.ClosedResourceError:
                if self.parting:
                    return  # the owner is about to end it
                raise
            try:
                data = self._socket.recv(READ_SIZE)
            except BlockingIOError:
                continue
            except OSError:
                self.gone = True
                data = b""
            if not data:
                send(self.owner, ("disconnected",))
                return
            self.bytes_in += len(data)
            self._pending += data

    async def linger(self) -> None:
        """Close the sending half, and read what still comes for a moment.

        Closing with unread bytes makes the system send a reset, which may overtake the last
        answer on its way to the client (RFC 9112, 9.6).
        """
        if self.gone:
            return
        self.parting = False
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return
        with trio.move_on_after(_LINGER):
            while await self.read():
                pass

    def hand_over(self) -> Wire:
        """A wire for another owner, with the socket and what was read already; for this one the
        client is gone. Everything written has to be flushed before.
        """
        successor = Wire(_detached(self._socket), self._pending)
        self._pending = b""
        self.gone = True
        return successor

    def part(self) -> None:
        """Have the owner end the conversation when it has read what has come already; in whose turn ever."""
        if not self.parting and self._socket.fileno() >= 0:
            self.parting = True
            notify_closing(self._socket)

    @property
    def ahead(self) -> bool:
        """Whether bytes were read that the owner has not been given yet."""
        return bool(self._pending)

    def drop(self) -> None:
        """End the conversation in whose turn ever, as if the client had; the owner finds out."""
        try:
            # Of the socket itself: TLS's own is a goodbye, and needs a client that reads.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            return  # it has gone already

    def close(self) -> None:
        """Close the socket, waking whoever waits for it."""
        if self._socket.fileno() >= 0:
            notify_closing(self._socket)
            self._socket.close()


def _detached(sock: socket.socket) -> socket.socket:
    """The descriptor in an object of its own; the old object is closed."""
    notify_closing(sock)
    return socket.socket(fileno=sock.detach())
