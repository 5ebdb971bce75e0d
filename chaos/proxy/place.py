"""What a proxy is told, and what of it outlives its processes: the socket, the toxics, the counts."""

from __future__ import annotations

import ipaddress
import os
import random
import socket
from typing import TYPE_CHECKING, Final

import msgspec

from chaos.proxy.toxics import Direction, Toxic

if TYPE_CHECKING:
    from chaos.proxy.connection import Connection

TOXICS_MOST: Final = 32
"""Toxics of one proxy."""

Address = tuple[str, int]


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class ProxySettings(msgspec.Struct, frozen=True, kw_only=True):
    """One proxy.

    name: what it is called by. listen: host and port; port 0 lets the system choose, once: a restarted
    proxy takes the same one again. upstream: where it connects to, a host that begins with
    ``unix:`` being a path. seed: all that is left to chance
    follows from it and from the order of the connections. toxics: that it begins with, by name.
    connections: open at once; one more is reset. connect_within: seconds to reach upstream.
    """

    name: str
    upstream: Address
    listen: Address = ("127.0.0.1", 0)
    seed: int = 0
    toxics: dict[str, Toxic] = {}
    connections: int = 1000
    connect_within: float = 10.0


class Totals:
    """Counts over all connections that have ended, and the events that belong to none."""

    def __init__(self) -> None:
        self.accepted = self.refused = self.unreachable = self.resets = self.closes = 0
        self.bytes_upstream = self.bytes_downstream = self.stalled = self.corrupted = 0


class Place:
    """Where one proxy stands. Lies in its child spec, so it outlasts the processes.

    A descriptor and not a socket object, because it has no owner among the tasks that could close
    it in a `finally`. inside: connections that are open; see `Connections.init`.
    """

    def __init__(self, settings: ProxySettings) -> None:
        self.settings = settings
        self.listen = settings.listen
        self.toxics: dict[str, Toxic] = dict(settings.toxics)
        self.totals = Totals()
        self.inside: set[Connection] = set()
        self.number = 0
        """Of the connection accepted last."""
        self._descriptor = -1

    @property
    def name(self) -> str:
        """What the proxy is called by."""
        return self.settings.name

    def open(self, backlog: int) -> None:
        """Bind and listen, unless that was done. Raises OSError."""
        if self._descriptor >= 0:
            return
        host, port = self.listen
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.listen(backlog)
            self.listen = (host, sock.getsockname()[1])
            self._descriptor = sock.detach()

    def socket(self) -> socket.socket:
        """A socket object of the acceptor's own on the open descriptor; not blocking."""
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

    def toxics_of(self, number: int, direction: Direction) -> dict[str, Toxic]:
        """Those that hit connection `number` in `direction`; a toxic hits both or neither of its
        directions, and whom it hits stays the same while it has its name.
        """
        return {
            name: each
            for name, each in self.toxics.items()
            if each.acts(direction) and self._chance(number, name) < each.toxicity
        }

    def _chance(self, number: int, name: str) -> float:
        return random.Random(f"{self.settings.seed}/{number}/{name}").random()
