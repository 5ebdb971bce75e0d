"""One connection through a proxy: a task process that owns two sockets and moves bytes.

What leaves when is decided by two `Flow`s; this is the shell around them: for each direction a
reader that feeds the flow as long as it has room, and a writer that waits for what is due.

When it ends: when both directions have finished, when a toxic or a side's reset ends it, or when
both sides are gone and what is left is withheld for ever. It does not end because one side is
gone and `half_open` keeps that from the other: to notice is the other side's task. An end that
waits in its sender, behind more than the buffers on the way take, cannot be seen; such a connection
lasts until the toxic is removed or the proxy is stopped.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator
from typing import Final

import trio
from trio.lowlevel import checkpoint, notify_closing, wait_readable, wait_writable

from chaos.proxy.flow import Ending, Flow
from chaos.proxy.place import Place
from chaos.proxy.toxics import DOWNSTREAM, UPSTREAM
from erlmcp_py.transports.net.address import UNIX
from supervisors import WarningReport, current_runtime
from supervisors import self as own_pid

READ_SIZE: Final = 16 * 1024
_LOOKS_EVERY: Final = 5.0
_HANG_UP: Final = select.POLLRDHUP | select.POLLHUP | select.POLLERR
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_DRAINED_MOST: Final = 64


class _End:
    """One side of the connection. gone: it has finished sending, or is not there any more."""

    __slots__ = ("gone", "socket")

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.gone = False

    def has_hung_up(self) -> bool:
        """Whether it will send no more, unread bytes or not."""
        poll = select.poll()
        poll.register(self.socket, _HANG_UP)
        return bool(poll.poll(0))


class _Way:
    """One direction. lost: its receiver is not there any more."""

    __slots__ = ("changed", "flow", "lost", "receiver", "sender")

    def __init__(self, flow: Flow, sender: _End, receiver: _End) -> None:
        self.flow = flow
        self.sender = sender
        self.receiver = receiver
        self.lost = False
        self.changed = trio.Event()

    def touch(self) -> None:
        """Have the reader and the writer look again."""
        self.changed.set()
        self.changed = trio.Event()


class Connection:
    """The state of one connection; `run` is its process."""

    def __init__(self, client: socket.socket, peer: str, place: Place) -> None:
        place.number += 1
        self.number = place.number
        self.peer = peer
        self._place = place
        seed = f"{place.settings.seed}/{self.number}"
        self.upstream = Flow(f"{seed}/{UPSTREAM}")
        self.downstream = Flow(f"{seed}/{DOWNSTREAM}")
        self._client = _End(client)
        self._server: _End | None = None
        self._ways: tuple[_Way, ...] = ()
        self._over = trio.Event()
        self.ending = Ending.FINISH
        """How it ended, or will."""
        self.toxics_changed()

    def toxics_changed(self) -> None:
        """Take over the proxy's toxics as they are now."""
        self.upstream.set_toxics(self._place.toxics_of(self.number, UPSTREAM))
        self.downstream.set_toxics(self._place.toxics_of(self.number, DOWNSTREAM))
        for way in self._ways:
            way.touch()

    async def run(self) -> None:
        """Connect upstream, and carry until the end."""
        try:
            if await self._dial():
                await self._carry()
        finally:
            self.close()

    def close(self) -> None:
        """Close both sockets in the way of `ending`, waking whoever waits for them."""
        for end in self._ends():
            sock = end.socket
            if sock.fileno() < 0:
                continue
            notify_closing(sock)
            if self.ending is Ending.RESET:
                close_with_reset(sock)
            else:
                _drain(sock)
                sock.close()

    def _ends(self) -> Iterator[_End]:
        yield self._client
        if self._server is not None:
            yield self._server

    async def _dial(self) -> bool:
        settings = self._place.settings
        problem = f"no connection within {settings.connect_within:g} s"
        with trio.move_on_after(settings.connect_within):
            try:
                stream = await _connected(*settings.upstream)
            except OSError as error:
                problem = str(error)
            else:
                sock = socket.socket(fileno=stream.socket.detach())
                sock.setblocking(False)
                self._server = _End(sock)
                return True
        self._place.totals.unreachable += 1
        text = f"proxy {settings.name} cannot reach its upstream: {problem}"
        details = {"proxy": settings.name, "upstream": settings.upstream}
        current_runtime().reports.emit(WarningReport(own_pid(), text, details))
        self.ending = Ending.RESET
        return False

    async def _carry(self) -> None:
        assert self._server is not None
        up = _Way(self.upstream, self._client, self._server)
        down = _Way(self.downstream, self._server, self._client)
        self._ways = (up, down)
        async with trio.open_nursery() as nursery:
            for way, back in ((up, down), (down, up)):
                nursery.start_soon(self._read, way)
                nursery.start_soon(self._write, way, back)
            await self._over.wait()
            nursery.cancel_scope.cancel()

    async def _read(self, way: _Way) -> None:
        flow, end = way.flow, way.sender
        while True:
            if not flow.room:
                await self._wait_for_room(way)
            await wait_readable(end.socket)
            try:
                data = end.socket.recv(READ_SIZE)
            except BlockingIOError:
                continue
            except OSError:
                flow.finish(trio.current_time(), Ending.RESET)
                break
            if not data:
                flow.finish(trio.current_time())
                break
            flow.feed(trio.current_time(), data)
            way.touch()
        way.touch()
        self._gone(end)

    async def _wait_for_room(self, way: _Way) -> None:
        """While nothing can be read, the end behind what is unread is seen only by looking."""
        while not way.flow.room:
            changed = way.changed
            with trio.move_on_after(_LOOKS_EVERY):
                await changed.wait()
            if not way.sender.gone and way.sender.has_hung_up():
                self._gone(way.sender)

    async def _write(self, way: _Way, back: _Way) -> None:
        flow, sock = way.flow, way.receiver.socket
        while True:
            changed, now = way.changed, trio.current_time()
            due = flow.due(now)
            if due > now:
                self._settle()
                with trio.move_on_at(due):
                    await changed.wait()
                continue
            full = not flow.room
            what = flow.take(now)
            if isinstance(what, bytes):
                try:
                    await _send(sock, what)
                except OSError:  # the receiver is gone, which its sender is to see as a reset
                    way.lost = True
                    back.flow.finish(trio.current_time(), Ending.RESET)
                    back.touch()
                    self._gone(way.receiver)
                    return
                if full:
                    way.touch()
                await checkpoint()  # sending does not wait: others get their turn
            elif what is Ending.FINISH:
                try:
                    sock.shutdown(socket.SHUT_WR)
                except OSError:  # the receiver is gone, and has had everything
                    self._gone(way.receiver)
            elif what is not None:
                self._end(what)

    def _gone(self, end: _End) -> None:
        end.gone = True
        self._settle()

    def _settle(self) -> None:
        """End if nothing can come of it any more."""
        if all(end.gone for end in self._ends()) and all(
            way.lost or way.flow.over or way.flow.withheld for way in self._ways
        ):
            self._over.set()

    def _end(self, ending: Ending) -> None:
        self.ending = ending
        if ending is Ending.RESET:
            self._place.totals.resets += 1
        else:
            self._place.totals.closes += 1
        self._over.set()


async def _connected(host: str, port: int) -> trio.SocketStream:
    if host.startswith(UNIX):
        return await trio.open_unix_socket(host.removeprefix(UNIX))
    return await trio.open_tcp_stream(host, port)


def close_with_reset(sock: socket.socket) -> None:
    """Close so that the other side sees a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    sock.close()


async def _send(sock: socket.socket, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[sock.send(rest) :]
        except BlockingIOError:
            await wait_writable(sock)


def _drain(sock: socket.socket) -> None:
    """Read what came: closing with unread bytes would send a reset."""
    for _ in range(_DRAINED_MOST):
        try:
            if not sock.recv(READ_SIZE):
                return
        except OSError:
            return
