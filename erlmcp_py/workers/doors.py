"""The listening sockets of the workers, held by the parent.

Each worker has a socket of its own on the same port (SO_REUSEPORT), and the system spreads new
connections over them. The parent opens them and keeps them open, and the workers get copies.

WHY the parent: when a worker dies, its socket does not die with it. Who was waiting in its queue, and
who comes while its successor starts, is served by the successor instead of being reset. A worker that
does not come back soon loses its socket, so that its share of the clients goes to the others. And a
port that the system has chosen, or that only a privileged user may bind, is there for every worker.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Final

from erlmcp_py.config import Config
from erlmcp_py.transports.net.address import UNIX
from erlmcp_py.transports.net.door import Door
from erlmcp_py.transports.net.protocol import Connection, Protocol
from erlmcp_py.transports.net.settings import ListenerSettings

BACKLOG: Final = 1024
_NOBODY_SERVES: Final = Protocol("held for workers", Connection)


class Doors:
    """The sockets of every worker, by transport. `close_all` in the end.

    Plain descriptors in the parent; what a worker gets are copies.
    """

    def __init__(self) -> None:
        self._taken: dict[str, socket.socket] = {}
        """Bound and not listening: they keep the ports, also while no worker lives."""
        self._files: dict[str, Door] = {}
        """Sockets in the file system cannot be shared out; all workers accept from the same one."""
        self._open: dict[int, dict[str, socket.socket]] = {}
        self._closed = False

    def take(self, name: str, host: str, port: int) -> None:
        """Keep the address for the workers' transport `name`. Raises OSError, `DoorBlocked`."""
        if host.startswith(UNIX):
            door = Door(ListenerSettings(name=name, host=host), _NOBODY_SERVES)
            door.open(BACKLOG)
            self._files[name] = door
        else:
            self._taken[name] = _bind(host, port)

    def open(self, number: int) -> Mapping[str, int]:
        """The descriptors of one worker: those it had before, or fresh ones.

        A fresh one does not listen until the worker has it do so; a worker that fails while it starts
        draws no clients.
        """
        if self._closed:
            return {}
        if number not in self._open:
            sockets = {name: door.socket() for name, door in self._files.items()}
            try:
                for name, taken in self._taken.items():
                    sockets[name] = _another(taken)
            except BaseException:
                _close(sockets)
                raise
            self._open[number] = sockets
        return {name: sock.fileno() for name, sock in self._open[number].items()}

    def close(self, number: int) -> None:
        """Send this worker no clients any more; those who wait in its queue are lost."""
        _close(self._open.pop(number, {}))

    def close_all(self) -> None:
        """Let nobody in any more. What the workers have of it is theirs to close."""
        self._closed = True
        for number in list(self._open):
            self.close(number)
        for door in self._files.values():
            door.close()
        _close(self._taken)
        self._files.clear()
        self._taken.clear()


def addresses(config: Config) -> dict[str, tuple[str, int]]:
    """Host and port of every transport that several workers can serve."""
    found = {}
    if config.http.enabled:
        found["http"] = (config.http.host, config.http.port)
    if config.tcp.enabled:
        found["tcp"] = (config.tcp.host, config.tcp.port)
    return found


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return _bound(socket.socket(family, kind, protocol), address)


def _another(taken: socket.socket) -> socket.socket:
    """One more socket on the same port."""
    return _bound(socket.socket(taken.family, taken.type, taken.proto), taken.getsockname())


def _bound(sock: socket.socket, address: tuple[object, ...]) -> socket.socket:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _close(sockets: dict[str, socket.socket]) -> None:
    for sock in sockets.values():
        sock.close()
