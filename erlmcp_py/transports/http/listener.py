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
import os
import socket
from typing import Any, Final

import trio

from erlmcp_py import registry
from erlmcp_py.transports.http.connection import READ_SIZE, Connection
from erlmcp_py.transports.http.endpoint import refusal
from erlmcp_py.transports.http.response import response
from erlmcp_py.transports.http.settings import ListenerConfig
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
)
from supervisors import self as own_pid

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE: Final = 0.1
_START_FAULTS: Final = {
    errno.EADDRINUSE: "port_in_use",
    errno.EADDRNOTAVAIL: "address_not_available",
    errno.EACCES: "port_forbidden",
}


def format_address(host: str, port: int) -> str:
    """``host:port`` as people write it, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Door:
    """Where one listener stands: the descriptor of its socket, and the port it got.

    Lives in the child spec, so it outlasts the processes: a listener that was told to take
    any port takes the same one again when it is restarted. A descriptor and not a socket
    object, because it has no owner among the tasks that could close it in a `finally`.
    inside: the connections that came in and are open; see `Connections.init`.
    """

    __slots__ = ("_descriptor", "host", "inside", "port")

    def __init__(self, config: ListenerConfig) -> None:
        self.host = config.host
        self.port = config.port
        self.inside: set[Connection] = set()
        self._descriptor = -1

    def open(self, backlog: int) -> None:
        """Bind and listen, unless that was done. Raises OSError."""
        if self._descriptor >= 0:
            return
        family, kind, protocol, _, address = socket.getaddrinfo(
            self.host or None, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.listen(backlog)
            self.port = sock.getsockname()[1]
            self._descriptor = sock.detach()

    def socket(self) -> socket.socket:
        """A socket object of the acceptor's own on the open door; not blocking."""
        sock = socket.socket(fileno=os.dup(self._descriptor))
        sock.setblocking(False)
        return sock

    def close(self) -> None:
        """Stop listening."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


class SocketOwner(GenServer):
    """Opens the door when it starts, closes it when it is stopped."""

    def init(self, config: ListenerConfig, door: Door) -> tuple[Any, ...]:
        """``("stop", ("port_in_use", host, port))`` and the like when it cannot be opened."""
        trap_exit()
        try:
            door.open(config.backlog)
        except socket.gaierror as problem:
            return ("error", ("unknown_host", config.host, problem.strerror))
        except OSError as problem:
            fault = _START_FAULTS.get(problem.errno or 0)
            if fault is None:
                return ("error", ("cannot_listen", config.host, door.port, str(problem)))
            return ("error", (fault, config.host, door.port))
        set_label(f"{config.name} socket {format_address(door.host, door.port)}")
        return ("ok", door)

    def terminate(self, _reason: Any, door: Door) -> None:
        """Close: new connections are refused from now on."""
        door.close()


async def start_listener(config: ListenerConfig, door: Door) -> Pid:
    """Start the acceptor and register it as the transport `config.name`.

    Raises RegistryError if that name belongs to another live transport.
    """
    pid = spawn_link(accept, config, door)
    info = {
        "kind": "http",
        "host": door.host,
        "port": door.port,
        "address": format_address(door.host, door.port),
    }
    try:
        register(f"{config.name}_listener", pid)
        await registry.register_transport(config.name, pid, info)
    except BaseException:
        exit_signal(pid, "kill")
        raise
    return pid


async def accept(config: ListenerConfig, door: Door) -> None:
    """The acceptor's life: hand every connection to the pool, in batches."""
    set_label(f"{config.name} listener {format_address(door.host, door.port)}")
    pool = f"{config.name}_connections"
    about = process_info(own_pid())
    supervisor = None if about is None else about.parent
    try:
        with door.socket() as listening:
            while True:
                await trio.lowlevel.wait_readable(listening)
                try:
                    await _accept_batch(listening, config.accept_batch, pool)
                except OSError as problem:
                    if problem.errno not in _EXHAUSTED:
                        raise
                    await _breathe(config, problem)
    finally:
        # The tree above was killed, or the whole runtime closes: nobody stops the socket's owner.
        if supervisor is None or not is_alive(supervisor):
            door.close()


async def _accept_batch(listening: socket.socket, size: int, pool: str) -> None:
    for _ in range(size):
        try:
            client, address = listening.accept()
        except BlockingIOError:
            return
        except ConnectionError:
            continue  # the client had gone before it was its turn
        await _hand_over(client, address, pool)


async def _hand_over(client: socket.socket, address: Any, pool: str) -> None:
    try:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started = await call(pool, ("start", client, format_address(address[0], address[1])))
    except BaseException:
        client.close()
        raise
    if started is None:
        _turn_away(client)


def _turn_away(client: socket.socket) -> None:
    """Say why, if the socket takes it at once, and close."""
    answer = refusal(503, "this node has as many connections as it allows")
    headers = ((b"Retry-After", b"1"),)
    try:
        client.recv(READ_SIZE)  # unread bytes would turn the close into a reset
    except OSError:
        pass  # nothing came yet, or never will
    try:
        client.send(response(503, answer.body, headers=headers, keep_alive=False))
        client.shutdown(socket.SHUT_WR)
    except OSError:
        return
    finally:
        client.close()


async def _breathe(config: ListenerConfig, problem: OSError) -> None:
    """Out of descriptors or memory: those connected go on, those who wait do so a moment longer."""
    text = f"{config.name} cannot accept: {problem.strerror}; trying again in {_PAUSE} s"
    details = {"errno": problem.errno, "transport": config.name}
    current_runtime().reports.emit(WarningReport(own_pid(), text, details))
    await trio.sleep(_PAUSE)
