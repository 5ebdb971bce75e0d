"""A wire whose bytes are encrypted. It has the interface of `Wire`, and four things of its own.

- **A record that has begun must be finished.** When the system takes only a part of one, OpenSSL
  wants the same bytes again before anything else can be sent. So `send_now` never takes back what it
  has tried: what is left is the owner's to flush.
- **Reading may need writing** (a client that changes its keys), so both ends of every wait are served.
- **The end is said** (``close_notify``), so that a client can tell the end of what was sent from a
  connection that somebody has cut. A client that does not say it is gone at once.
- **The handshake is the process's own**, with a time-out: a client that is slow at it costs its own
  process, never the acceptor.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Final

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

from erlmcp_py.transports.net.tls.credentials import Credentials, TlsProblem
from erlmcp_py.transports.net.wire import READ_SIZE, Wire
from supervisors import send

_HANDSHAKE: Final = b"\x16"
"""The type of the record with which every handshake begins (RFC 8446, 5.1)."""
_TURNS: Final = 64
"""Records sent in one go before others have their turn."""


class TlsWire(Wire):
    """Before `open` a socket that has been accepted; after it, a `Wire`.

    plain_refused: makes what a client is told that does not speak TLS.
    """

    __slots__ = ("_credentials", "_plain_refused", "_ready", "handshake_failed")

    def __init__(
        self,
        sock: socket.socket,
        credentials: Credentials,
        plain_refused: Callable[[], bytes] = bytes,
    ) -> None:
        super().__init__(sock)
        self._credentials = credentials
        self._plain_refused = plain_refused
        self._ready = False
        self.handshake_failed = False

    async def open(self) -> bool:
        """Shake hands, within the time-out; False if there is nobody to serve."""
        if self._ready:
            return True
        with trio.move_on_after(self._credentials.settings.handshake_timeout):
            self._ready = await self._shake_hands()
        self.handshake_failed = not self._ready
        return self._ready

    async def _shake_hands(self) -> bool:
        if not await self._speaks_tls():
            return False
        try:
            # It takes the descriptor over; the old object is closed then.
            sock = self._socket = self._credentials.context.wrap_socket(
                self._socket,
                server_side=True,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
            while True:
                try:
                    sock.do_handshake()
                except ssl.SSLWantReadError:
                    await wait_readable(sock)
                except ssl.SSLWantWriteError:
                    await wait_writable(sock)
                else:
                    return True
        except (OSError, TlsProblem):  # the alert, if there is one, has been sent
            return False

    async def _speaks_tls(self) -> bool:
        """Look at the first byte without taking it; tell those who chose the wrong port."""
        while True:
            await wait_readable(self._socket)
            try:
                first = self._socket.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                continue
            except OSError:
                return False
            break
        if first in (_HANDSHAKE, b""):
            return bool(first)
        words = self._plain_refused()
        with contextlib.suppress(OSError):  # it has gone, or does not read: then it stays unsaid
            self._socket.recv(READ_SIZE)
            if words:
                self._socket.send(words)
            await super().linger()
        return False

    @property
    def descriptor(self) -> None:
        """None: what was agreed in the handshake is known to this process only."""
        return None

    async def read(self) -> bytes:
        """The next bytes; empty at the end, and `gone` if the client did not say that it was one."""
        if self._pending:
            data, self._pending = self._pending, b""
            return data
        return await self._receive()

    async def _receive(self) -> bytes:
        sock = self._socket
        # What is in the TLS layer already would be waited for in vain.
        if not self._decrypted() and not await self._readable():
            return b""
        while True:
            try:
                data = sock.recv(READ_SIZE)
            except (ssl.SSLWantReadError, BlockingIOError):
                if self.parting or not await self._readable():
                    return b""
            except ssl.SSLWantWriteError:
                try:
                    await wait_writable(sock)
                except trio.BusyResourceError:  # so does the owner, for what it flushes
                    await trio.sleep(0.05)
            except OSError:  # reset, cut without a last word, or not what TLS allows
                self.gone = True
                return b""
            else:
                self.bytes_in += len(data)
                return data

    async def _readable(self) -> bool:
        """Wait for bytes; at once, where nothing more is waited for."""
        if not self.parting:
            try:
                await wait_readable(self._socket)
            except trio.ClosedResourceError:
                if not self.parting:
                    raise
        return True

    def _decrypted(self) -> int:
        sock = self._socket
        return sock.pending() if isinstance(sock, ssl.SSLSocket) else 0

    async def flush(self) -> None:
        """Send what was written; waits only if the system's buffer is full. Never raises."""
        out = self._out
        if not out:
            return
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        self.unsent = 0
        if not self.gone:
            await self._send_rest(memoryview(data))

    async def _send_rest(self, rest: memoryview) -> None:
        sock, turns = self._socket, 0
        while rest:
            try:
                sent = sock.send(rest)
            except ssl.SSLWantWriteError:
                self.stuck_since = trio.current_time()
                await wait_writable(sock)
                continue
            except ssl.SSLWantReadError:
                self.stuck_since = trio.current_time()
                await trio.sleep(0.05)  # only `watch` or `read` can help here
                continue
            except OSError:
                self.gone = True
                break
            self.bytes_out += sent
            rest = rest[sent:]
            turns += 1
            if turns % _TURNS == 0:
                self.stuck_since = trio.current_time()
                await trio.lowlevel.checkpoint()
        self.stuck_since = None

    def send_now(self, data: bytes) -> bool:
        """Send at once, in whose turn ever, if nothing waits to be sent before it; False if not,
        and nothing has happened. What the system does not take is left to the owner.
        """
        if self._out or self.stuck_since is not None or self.gone:
            return False
        rest = memoryview(data)
        while rest:
            try:
                sent = self._socket.send(rest)
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                self.write(bytes(rest))
                send(self.owner, ("unsent",))
                return True
            except OSError:  # gone, which the owner has to find out
                return False
            self.bytes_out += sent
            rest = rest[sent:]
        return True

    async def watch(self) -> None:
        """Tell the owner's mailbox when the client goes away; runs beside a waiting call."""
        while len(self._pending) < READ_SIZE:
            data = await self._receive()
            if not data:
                if self.gone or not self.parting:
                    send(self.owner, ("disconnected",))
                return
            self._pending += data

    async def linger(self) -> None:
        """Say that this was all, close the sending half, and read what still comes for a moment."""
        if not self.gone:
            self.parting = False
            self._say_end()
            await super().linger()  # closing half of it ends TLS: what still comes is not decrypted

    def part(self) -> None:
        """See `Wire.part`; who is still shaking hands has asked for nothing."""
        if self._ready:
            super().part()
        else:
            self.drop()

    def hand_over(self) -> TlsWire:
        """A wire for another owner; see `Wire.hand_over`."""
        notify_closing(self._socket)
        successor = TlsWire(self._socket, self._credentials, self._plain_refused)
        successor._ready = True
        successor._pending, self._pending = self._pending, b""
        self._socket = _closed()
        self.gone = True
        return successor

    def close(self) -> None:
        """Close the socket, waking whoever waits for it. An end in the middle of something is not
        said, so that the client knows.
        """
        if self._socket.fileno() >= 0:
            if not (self.gone or self._out or self.stuck_since is not None):
                self._say_end()
            super().close()

    def _say_end(self) -> None:
        sock = self._socket
        if isinstance(sock, ssl.SSLSocket):
            # It is sent, and the client's own is not waited for: that is what the errors say.
            with contextlib.suppress(OSError, ValueError):
                sock.unwrap()


def _closed() -> socket.socket:
    sock = socket.socket()
    sock.close()
    return sock
