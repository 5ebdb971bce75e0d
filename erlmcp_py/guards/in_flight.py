"""How many calls may be at work at once: of the node, of one server, of one client.

A call is at work from the moment a process is started for its handler until that has its answer. What
is answered on the spot, by a plain handler or from what is known, never is.

One `InFlight` belongs to a node. The server processes count in it; it stands in their child specs, so
it outlives them, and what a crashed one had counted is given back when that is noticed: when its
successor counts for the first time, or when a limit is reached.
"""

from __future__ import annotations

import msgspec

from erlmcp_py.protocol.errors import McpError, refused
from erlmcp_py.protocol.refusals import BACKPRESSURE, TOO_MANY_AT_ONCE
from supervisors import Pid, is_alive


class InFlightLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Calls at work: of the node (503), of one server (503), of one client (429).

    A client is a session, or else a connection.
    """

    total: int = 10_000
    per_server: int = 5000
    per_client: int = 1000


class _Calls:
    """Those at one server process, and whose they are."""

    __slots__ = ("clients", "count")

    def __init__(self) -> None:
        self.count = 0
        self.clients: dict[Pid, int] = {}


class InFlight:
    """The count."""

    __slots__ = ("_clients", "_limits", "_servers", "total")

    def __init__(self, limits: InFlightLimits | None = None) -> None:
        self._limits = InFlightLimits() if limits is None else limits
        self._servers: dict[Pid, _Calls] = {}
        self._clients: dict[Pid, int] = {}
        self.total = 0
        """Calls at work; those of a server that has just crashed may still be among them."""

    def enter(self, server: Pid, client: Pid) -> McpError | None:
        """A call of `client` is to begin at `server`: None if it may, else why not."""
        own = self._servers.get(server)
        if own is None:
            self._forget_the_dead()
            own = self._servers[server] = _Calls()
        limits = self._limits
        if self.total >= limits.total:
            self._forget_the_dead()
            if self.total >= limits.total:
                return refused(BACKPRESSURE, f"{limits.total} calls are at work on this node")
        if own.count >= limits.per_server:
            return refused(BACKPRESSURE, f"{limits.per_server} calls are at work at this server")
        if self._clients.get(client, 0) >= limits.per_client:
            text = f"{limits.per_client} calls of this client are at work"
            return refused(TOO_MANY_AT_ONCE, text)
        own.count += 1
        own.clients[client] = own.clients.get(client, 0) + 1
        self._clients[client] = self._clients.get(client, 0) + 1
        self.total += 1
        return None

    def count(self) -> int:
        """Calls at work, without those of servers that have crashed."""
        self._forget_the_dead()
        return self.total

    def leave(self, server: Pid, client: Pid) -> None:
        """A call that entered has its answer."""
        own = self._servers[server]
        own.count -= 1
        own.clients[client] -= 1
        if not own.clients[client]:
            del own.clients[client]
        self._give_back(client, 1)

    def _give_back(self, client: Pid, count: int) -> None:
        self.total -= count
        self._clients[client] -= count
        if not self._clients[client]:
            del self._clients[client]

    def _forget_the_dead(self) -> None:
        for server in [pid for pid in self._servers if not is_alive(pid)]:
            for client, count in self._servers.pop(server).clients.items():
                self._give_back(client, count)
