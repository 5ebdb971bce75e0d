"""The listening socket and the process that accepts from it.

WHY two processes: the socket belongs to one that does nothing else (`SocketOwner`), so a
crash of the acceptor neither closes it nor loses the connections that wait in the system's
queue; the restarted acceptor goes on where the old one stopped. As long as the owner is not
stopped on purpose the socket stays in the `Door`, and even a killed owner finds it again.

WHY batches: with one connection accepted per turn of the loop, a thousand clients that
connect at once wait for a thousand turns. Up to 256 are taken per wake-up.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any, Final

import trio

from erlmcp_py import registry
from erlmcp_py.protocol.refusals import Refusal
from erlmcp_py.transports.net.address import format_address
from erlmcp_py.transports.net.door import Door, DoorBlocked
from erlmcp_py.transports.net.newcomers import SETTLE, keep_out
from erlmcp_py.transports.net.protocol import Protocol, in_silence
from erlmcp_py.transports.net.settings import ListenerSettings
from erlmcp_py.transports.net.wire import READ_SIZE
from supervisors import (
    GenServer,
    Pid,
    WarningReport,
    call,
    current_runtime,
    exit_signal,
    is_alive,
    process_info,
    register,
    set_label,
    spawn_link,
    trap_exit,
    whereis,
)
from supervisors import self as own_pid

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# Of the client that waited, not of the socket (accept(2) of Linux, "Error handling").
_GONE: Final = frozenset(
    getattr(errno, name)
    for name in (
        "ECONNABORTED", "ECONNRESET", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "ENONET",
        "ENOPROTOOPT", "EOPNOTSUPP", "EPERM", "EPIPE", "EPROTO", "ETIMEDOUT",
    )
    if hasattr(errno, name)  # not every system has all
)  # fmt: skip
_PAUSE: Final = 0.1
_START_FAULTS: Final = {
    errno.EADDRINUSE: "port_in_use",
    errno.EADDRNOTAVAIL: "address_not_available",
    errno.EACCES: "port_forbidden",
}


def start_fault(
    problem: DoorBlocked | OSError, host: str, port: int, address: str
) -> tuple[Any, ...]:
    """Why nobody listens: the reason with which `SocketOwner` does not start."""
    if isinstance(problem, DoorBlocked):
        return problem.reason
    if isinstance(problem, socket.gaierror):
        return ("unknown_host", host, problem.strerror)
    fault = None if host.startswith("unix:") else _START_FAULTS.get(problem.errno or 0)
    if fault is not None:
        return (fault, host, port)
    file = "" if problem.filename is None else f"{problem.filename}: "
    return ("cannot_listen", address, f"{file}{problem.strerror or problem}")


class SocketOwner(GenServer):
    """Opens the door when it starts, closes it when it is stopped."""

    def init(self, settings: ListenerSettings, door: Door) -> tuple[Any, ...]:
        """``("stop", ("port_in_use", host, port))`` and the like when it cannot be opened."""
        trap_exit()
        try:
            door.open(settings.backlog)
        except (DoorBlocked, OSError) as problem:
            return ("error", start_fault(problem, settings.host, door.port, door.address))
        set_label(f"{settings.name} socket {door.address}")
        return ("ok", door)

    def terminate(self, _reason: Any, door: Door) -> None:
        """Close: new connections are refused from now on."""
        door.close()


async def start_listener(settings: ListenerSettings, protocol: Protocol, door: Door) -> Pid:
    """Start the acceptor and register it as the transport `settings.name`.

    Raises RegistryError if that name belongs to another live transport.
    """
    pid = spawn_link(accept, settings, protocol, door)
    info = {
        "kind": protocol.kind,
        "host": door.host,
        "port": door.port,
        "address": door.address,
        "tls": door.credentials is not None,
        **protocol.also,
    }
    try:
        register(f"{settings.name}_listener", pid)
        await registry.register_transport(settings.name, pid, info)
    except BaseException:
        exit_signal(pid, "kill")
        raise
    return pid


async def accept(settings: ListenerSettings, protocol: Protocol, door: Door) -> None:
    """The acceptor's life: hand every connection to the pool, in batches."""
    set_label(f"{settings.name} listener {door.address}")
    # Nothing can be said to one too many over TLS without shaking hands with it.
    turned_away = protocol.turned_away if door.credentials is None else in_silence
    entrance = _Entrance(f"{settings.name}_connections", turned_away, door)
    about = process_info(own_pid())
    supervisor = None if about is None else about.parent
    try:
        await door.entered()
        if not door.shut:
            with door.socket() as listening:
                await entrance.inherit()
                door.leaving = listening
                await _let_in(settings, door, entrance, listening)
                if not door.shared:
                    await _let_in_the_last(settings, entrance, listening)
            door.close_for_good()
        await trio.sleep_forever()
    finally:
        # The tree above was killed, or the whole runtime closes: nobody stops the socket's owner.
        if supervisor is None or not is_alive(supervisor):
            door.close()
            pool = whereis(f"{settings.name}_connections")
            if pool is None or not is_alive(pool):
                door.forsake()


async def _let_in(
    settings: ListenerSettings, door: Door, entrance: _Entrance, listening: socket.socket
) -> None:
    """Until the node drains."""
    while not door.stopping():
        try:
            await trio.lowlevel.wait_readable(listening)
        except trio.ClosedResourceError:
            if not door.stopping():
                raise
            return
        try:
            await entrance.admit(listening, settings.accept_batch)
        except OSError as problem:
            if problem.errno not in _EXHAUSTED:
                raise
            await _breathe(settings, problem)


async def _let_in_the_last(
    settings: ListenerSettings, entrance: _Entrance, listening: socket.socket
) -> None:
    """Those who have come before the door is closed."""
    if keep_out(listening):
        await trio.sleep(SETTLE)
    while True:
        try:
            if not await entrance.admit(listening, settings.accept_batch):
                return
        except OSError as problem:
            if problem.errno not in _EXHAUSTED:
                raise
            await _breathe(settings, problem)


class _Entrance:
    """From the queue of the system to the pool."""

    def __init__(self, pool: str, turned_away: Callable[[Refusal], bytes], door: Door) -> None:
        self._pool = pool
        self._turned_away = turned_away
        self._door = door

    async def admit(self, listening: socket.socket, size: int) -> bool:
        """Accept those who wait, `size` of them at most; whether there may be more."""
        arriving = self._door.arriving
        for _ in range(size):
            try:
                client, address = listening.accept()
            except BlockingIOError:
                return False
            except OSError as problem:
                if problem.errno not in _GONE:
                    raise
                continue  # the client had gone before it was its turn
            arriving[client] = address
            await self._hand_over(client, address)
        return True

    async def inherit(self) -> None:
        """Go on with those a predecessor had accepted."""
        if not self._door.arriving:
            return
        # Behind what the predecessor asked: whom the pool has taken for it, stands here no more.
        await call(self._pool, "count_children")
        for client, address in list(self._door.arriving.items()):
            await self._hand_over(client, address)

    async def _hand_over(self, client: socket.socket, address: Any) -> None:
        try:
            client.setblocking(False)
            if client.family == socket.AF_UNIX:
                self._door.guests += 1
                peer = f"unix#{self._door.guests}"
            else:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer = format_address(address[0], address[1])
        except OSError:  # reset, which some systems say here
            self._door.arriving.pop(client, None)
            client.close()
            return
        started = await call(self._pool, ("start", client, peer))
        if isinstance(started, Refusal):
            self._turn_away(client, started)

    def _turn_away(self, client: socket.socket, why: Refusal) -> None:
        """Say why, if the socket takes it at once, and close."""
        self._door.arriving.pop(client, None)
        try:
            client.recv(READ_SIZE)  # unread bytes would turn the close into a reset
        except OSError:
            pass  # nothing came yet, or never will
        try:
            client.send(self._turned_away(why))
            client.shutdown(socket.SHUT_WR)
        except OSError:
            return
        finally:
            client.close()


async def _breathe(settings: ListenerSettings, problem: OSError) -> None:
    """Out of descriptors or memory: those connected go on, those who wait do so a moment longer."""
    text = f"{settings.name} cannot accept: {problem.strerror}; trying again in {_PAUSE} s"
    details = {"errno": problem.errno, "transport": settings.name}
    current_runtime().reports.emit(WarningReport(own_pid(), text, details))
    await trio.sleep(_PAUSE)
