"""One client connection as a task process: it owns the socket and nothing else.

The loop reads, lets `endpoint` decide and `exchange` carry out, and writes. A request that
is answered at once costs no trio task, no nursery and no checkpoint of its own; the
connection parks once per read, in `wait_readable`. What was answered is written in one piece
when the bytes that were read are used up, so pipelined requests share a system call.

WHY a plain socket: writing is tried first and waited for only on EAGAIN, and reads go
straight into the parser. trio's socket wrappers checkpoint on every call.

WHY no deadline on reads: arming one costs more than the read. The pool looks at all its
connections every few seconds instead (`idle_since`, `stuck_since`). What counts is a complete
request, not a byte, so a client that dribbles is as idle as one that is silent.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

import msgspec
import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

from erlmcp_py.transports.http.endpoint import Endpoint, refusal
from erlmcp_py.transports.http.exchange import carry_out
from erlmcp_py.transports.http.request import Fault, RequestParser
from erlmcp_py.transports.http.response import CONTINUE, response
from erlmcp_py.transports.http.settings import ListenerConfig
from supervisors import CallExit, Pid, call, limit_mailbox, receive, send
from supervisors import self as own_pid

READ_SIZE: Final = 64 * 1024
_WRITE_SOON: Final = 256 * 1024
_LINGER: Final = 1.0


class ConnectionStatistics(msgspec.Struct, frozen=True):
    """One connection. Times are seconds on the runtime's clock.

    requests: complete ones read. unavailable: those answered 503, because too much
    waited at a server or session, or it was being restarted. waiting: whether a request is being answered now.
    """

    pid: Pid | None
    peer: str
    opened_at: float
    last_request_at: float | None
    requests: int
    unavailable: int
    bytes_in: int
    bytes_out: int
    waiting: bool


class Connection:
    """The state of one connection; `run` is its process."""

    __slots__ = (
        "_last_request_at",
        "_opened_at",
        "_out",
        "_out_size",
        "_parser",
        "_pending",
        "_socket",
        "_stuck_since",
        "bytes_in",
        "bytes_out",
        "closing",
        "config",
        "endpoint",
        "gone",
        "last_words",
        "peer",
        "pid",
        "requests",
        "unavailable",
        "waiting",
    )

    def __init__(
        self,
        sock: socket.socket,
        peer: str,
        config: ListenerConfig,
        endpoint: Endpoint,
        data: bytes = b"",
    ) -> None:
        self._socket = sock
        self.peer = peer
        self.config = config
        self.endpoint = endpoint
        self.pid: Any = None
        self._parser = RequestParser(config.limits)
        self._pending = data
        self._out: list[bytes] = []
        self._out_size = 0
        self._opened_at = trio.current_time()
        self._last_request_at: float | None = None
        self._stuck_since: float | None = None
        self.requests = self.unavailable = self.bytes_in = self.bytes_out = 0
        self.waiting = False
        self.gone = False
        """The client has closed or reset: what is written from now on is dropped."""
        self.last_words: Callable[[], bytes] | None = None
        """What an open stream has to say when the transport stops."""
        self.closing = False
        """End once what was written is sent."""

    def statistics(self) -> ConnectionStatistics:
        """What can be said about the connection now."""
        return ConnectionStatistics(
            self.pid,
            self.peer,
            self._opened_at,
            self._last_request_at,
            self.requests,
            self.unavailable,
            self.bytes_in,
            self.bytes_out,
            self.waiting,
        )

    @property
    def idle_since(self) -> float | None:
        """When its last request was answered (or it was opened); None while one is being answered."""
        if self.waiting:
            return None
        return self._opened_at if self._last_request_at is None else self._last_request_at

    @property
    def stuck_since(self) -> float | None:
        """Since when the client has not taken what it was sent; None if it does."""
        return self._stuck_since

    async def run(self) -> None:
        """Serve until either side closes."""
        self.pid = own_pid()
        limit_mailbox(self.config.mailbox, "kill")
        try:
            await self._serve()
        finally:
            self.close()

    def say_goodbye(self) -> None:
        """Send the last words of an open stream, if the system takes them at once."""
        if self.last_words is not None and not self.gone:
            self.send_now(self.last_words())

    def close(self) -> None:
        """Close the socket; waking whoever waits for it."""
        if self._socket.fileno() >= 0:
            notify_closing(self._socket)
            self._socket.close()

    async def _serve(self) -> None:
        parser = self._parser
        while True:
            data = await self._read()
            if not data:
                return
            for event in parser.feed(data):
                if type(event) is Fault:
                    await self._refuse(event)
                    return
                self.requests += 1
                self.waiting = True
                await carry_out(self, event, self.endpoint.decide(event))  # type: ignore[arg-type]
                self.waiting = False
                self._last_request_at = trio.current_time()
                if self._out_size > _WRITE_SOON:
                    await self.flush()
                if self.closing or self.gone:
                    break
            await self.flush()
            if self.closing or self.gone or parser.closed:
                await self._linger()
                return
            if parser.wants_continue:
                self.write(CONTINUE)
                await self.flush()

    async def _read(self) -> bytes:
        """The next bytes; empty at the end. Bytes that came during a call come first."""
        if self._pending:
            data, self._pending = self._pending, b""
            return data
        while True:
            await wait_readable(self._socket)
            try:
                data = self._socket.recv(READ_SIZE)
            except BlockingIOError:
                continue
            except OSError:
                return b""
            self.bytes_in += len(data)
            return data

    async def _refuse(self, fault: Fault) -> None:
        """Answer what could not be read, and close."""
        answer = refusal(fault.status, fault.reason)
        self.write(response(answer.status, answer.body, keep_alive=False))
        await self.flush()
        await self._linger()

    async def _linger(self) -> None:
        """Close the sending half, and read what still comes for a moment.

        Closing with unread bytes makes the system send a reset, which may overtake the last
        answer on its way to the client (RFC 9112, 9.6).
        """
        if self.gone:
            return
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return
        with trio.move_on_after(_LINGER):
            while await self._read():
                pass

    # --- for exchange -------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Append to what is sent at the next `flush`."""
        self._out.append(data)
        self._out_size += len(data)

    async def flush(self) -> None:
        """Send what was written; waits only if the system's buffer is full. Never raises."""
        out = self._out
        if not out:
            return
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        self._out_size = 0
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
            self._stuck_since = trio.current_time()
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
        self._stuck_since = None

    def send_now(self, data: bytes) -> bool:
        """Send at once, in whose turn ever, if nothing waits to be sent before it; False if not,
        and nothing has happened. What the system does not take is left to the process.
        """
        if self._out or self._stuck_since is not None or self.gone:
            return False
        try:
            sent = self._socket.send(data)
        except OSError:  # full, or gone, which the process has to find out
            return False
        self.bytes_out += sent
        if sent < len(data):
            self.write(data[sent:])
            send(self.pid, ("unsent",))
        return True

    async def hand_over(self) -> None:
        """Let another process serve the client, while this one stays with its call.

        For this process the client is then gone. What was read already goes along.
        """
        await self.flush()
        if self.gone:
            return
        self.gone = True
        data, self._pending = self._pending, b""
        notify_closing(self._socket)
        sock = socket.socket(fileno=self._socket.detach())
        try:
            await call(f"{self.config.name}_connections", ("adopt", sock, self.peer, data))
        except CallExit:
            sock.close()

    async def poll(self) -> Any:
        """A message that is in the mailbox already; None if there is none."""
        try:
            return await receive(timeout=0)
        except trio.TooSlowError:
            return None

    async def watch(self) -> None:
        """Tell the connection's mailbox when the client goes away; runs beside a waiting call.

        What the client sends meanwhile is kept, up to one read, for when its turn comes.
        """
        while len(self._pending) < READ_SIZE:
            await wait_readable(self._socket)
            try:
                data = self._socket.recv(READ_SIZE)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                send(self.pid, ("disconnected",))
                return
            self.bytes_in += len(data)
            self._pending += data
