"""The connections of one proxy, and its toxics: the process that answers for it.

Linked to a process per connection; a connection's crash is its own, the end of this process is the
end of all. It answers as a simple_one_for_one supervisor with temporary children would
(`answer_as_supervisor`), so that the tree can be drawn through it.
"""

from __future__ import annotations

import errno
import socket
from typing import Any, Final

import msgspec

from chaos.proxy.connection import Connection
from chaos.proxy.place import TOXICS_MOST, Place
from chaos.proxy.toxics import Toxic
from erlmcp_py.transports.net.address import format_address
from erlmcp_py.transports.net.duties import answer_as_supervisor
from supervisors import GenServer, Pid, set_label, spawn_link, trap_exit

_BACKLOG: Final = 1024
_START_FAULTS: Final = {
    errno.EADDRINUSE: "port_in_use",
    errno.EADDRNOTAVAIL: "address_not_available",
    errno.EACCES: "port_forbidden",
}


class ProxyStatistics(msgspec.Struct, frozen=True):
    """One proxy, since it was started, restarts of its processes included.

    listen, upstream: addresses. toxics: by name. open: connections now. accepted: all there were.
    refused: reset at once, because as many as allowed were open. unreachable: reset because there
    was no way upstream. resets, closes: connections that ended by a reset, a toxic's or one passed
    on, and by `limit_data`. bytes_upstream, bytes_downstream: that have left. held: bytes that wait
    now. stalled: packets that were lost and sent again. corrupted: bytes that were changed.
    """

    name: str
    listen: str
    upstream: str
    seed: int
    toxics: dict[str, Toxic]
    open: int
    accepted: int
    refused: int
    unreachable: int
    resets: int
    closes: int
    bytes_upstream: int
    bytes_downstream: int
    held: int
    stalled: int
    corrupted: int


class _State:
    def __init__(self, place: Place) -> None:
        self.place = place
        self.open: dict[Pid, Connection] = {}


class Connections(GenServer):
    """The process. Calls: ``("start", socket, peer)`` -> Pid, or None when the limit is reached;
    ``("set", name, toxic)`` -> ``"ok"`` or ``"too_many"``; ``("remove", name | None)`` -> how many
    were removed; ``("statistics",)``.
    """

    def init(self, place: Place) -> tuple[Any, ...]:
        """Listen. ``("error", ("port_in_use", host, port))`` and the like when that cannot be.

        What a predecessor left inside has nobody any more: its processes ended with it, and those
        that had not run a line by then closed no socket.
        """
        trap_exit()
        try:
            place.open(_BACKLOG)
        except socket.gaierror as problem:
            return ("error", ("unknown_host", place.listen[0], problem.strerror))
        except OSError as problem:
            fault = _START_FAULTS.get(problem.errno or 0)
            if fault is None:
                return ("error", ("cannot_listen", *place.listen, str(problem)))
            return ("error", (fault, *place.listen))
        if place.listen == place.settings.upstream:
            place.close()
            return ("error", ("upstream_is_itself", *place.listen))
        for connection in place.inside:
            connection.close()
        place.inside.clear()
        set_label(f"proxy {place.name} {format_address(*place.listen)}")
        return ("ok", _State(place))

    def handle_call(self, request: Any, _from: Any, state: _State) -> tuple[Any, ...]:
        """Start a connection, change the toxics, or tell."""
        match request:
            case ("start", sock, peer):
                return ("reply", self._start(sock, peer, state), state)
            case ("set", str(name), toxic):
                return ("reply", self._set(name, toxic, state), state)
            case ("remove", name):
                return ("reply", self._remove(name, state), state)
            case ("statistics",):
                return ("reply", _statistics(state), state)
        return ("reply", answer_as_supervisor(request, state.open), state)

    def handle_info(self, message: Any, state: _State) -> tuple[Any, ...]:
        """The end of a connection."""
        match message:
            case ("EXIT", pid, _) if pid in state.open:
                connection = state.open.pop(pid)
                # Killed before it ran its first line, it could not close its sockets itself.
                connection.close()
                state.place.inside.discard(connection)
                _book(connection, state.place)
        return ("noreply", state)

    def terminate(self, _reason: Any, state: _State) -> None:
        """Stopped, not killed: new connections are refused from now on."""
        state.place.close()

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show the counts instead of every connection."""
        state = status.get("state")
        if not isinstance(state, _State):
            return status
        return {**status, "state": msgspec.to_builtins(_statistics(state))}

    def _start(self, sock: socket.socket, peer: str, state: _State) -> Pid | None:
        place = state.place
        if len(state.open) >= place.settings.connections:
            place.totals.refused += 1
            return None
        connection = Connection(sock, peer, place)
        place.inside.add(connection)
        pid = spawn_link(connection.run, label=f"proxy {place.name} {peer}")
        state.open[pid] = connection
        place.totals.accepted += 1
        return pid

    def _set(self, name: str, toxic: Toxic, state: _State) -> str:
        toxics = state.place.toxics
        if name not in toxics and len(toxics) >= TOXICS_MOST:
            return "too_many"
        toxics[name] = toxic
        self._tell(state)
        return "ok"

    def _remove(self, name: str | None, state: _State) -> int:
        toxics = state.place.toxics
        names = list(toxics) if name is None else [name] if name in toxics else []
        for each in names:
            del toxics[each]
        if names:
            self._tell(state)
        return len(names)

    def _tell(self, state: _State) -> None:
        for connection in state.open.values():
            connection.toxics_changed()


def _book(connection: Connection, place: Place) -> None:
    """Add what a connection came to."""
    totals, up, down = place.totals, connection.upstream, connection.downstream
    totals.bytes_upstream += up.passed
    totals.bytes_downstream += down.passed
    totals.stalled += up.stalled + down.stalled
    totals.corrupted += up.corrupted + down.corrupted


def _statistics(state: _State) -> ProxyStatistics:
    place, totals = state.place, state.place.totals
    ups = [each.upstream for each in state.open.values()]
    downs = [each.downstream for each in state.open.values()]
    return ProxyStatistics(
        name=place.name,
        listen=format_address(*place.listen),
        upstream=format_address(*place.settings.upstream),
        seed=place.settings.seed,
        toxics=dict(place.toxics),
        open=len(state.open),
        accepted=totals.accepted,
        refused=totals.refused,
        unreachable=totals.unreachable,
        resets=totals.resets,
        closes=totals.closes,
        bytes_upstream=totals.bytes_upstream + sum(each.passed for each in ups),
        bytes_downstream=totals.bytes_downstream + sum(each.passed for each in downs),
        held=sum(each.held for each in ups + downs),
        stalled=totals.stalled + sum(each.stalled for each in ups + downs),
        corrupted=totals.corrupted + sum(each.corrupted for each in ups + downs),
    )
