"""The connections of one listener: their supervisor, their limit and their reaper.

WHY not a `Supervisor`: a start through one is a call to a task process, a start function and
a spec kept per child, some 30 µs for a child that is never restarted. This process has plain
callbacks, so the acceptor's call runs here on its own stack, and a start is one `spawn_link`.
It answers `which_children` and `count_children` as a simple_one_for_one supervisor with
temporary children would, so that the tree can be drawn through it. Its end ends its
connections (links); the end of the acceptor, which is its sibling, does not.

The reaper is a timer of this process: every few seconds it looks at all connections, which
costs less than a deadline per read.
"""

from __future__ import annotations

import socket
from typing import Any, Final

import msgspec

from erlmcp_py.transports.http.connection import Connection, ConnectionStatistics
from erlmcp_py.transports.http.endpoint import Endpoint
from erlmcp_py.transports.http.settings import ListenerConfig
from supervisors import (
    ChildCounts,
    ChildInfo,
    GenServer,
    Pid,
    current_runtime,
    exit_signal,
    send_after,
    set_label,
    spawn_link,
    trap_exit,
)
from supervisors import self as own_pid

_MODULES: Final = (f"{Connection.__module__}.{Connection.__qualname__}",)


class ListenerStatistics(msgspec.Struct, frozen=True):
    """One listener, since its connections' supervisor started.

    open: connections now. accepted: all that were served. refused: those turned away because
    `max_connections` were open. reaped: closed for being idle or not reading. unavailable: requests
    answered 503, because too much waited at a server or session, or it was being restarted. requests, bytes_in, bytes_out: over all connections, closed ones too.
    """

    open: int
    accepted: int
    refused: int
    reaped: int
    unavailable: int
    requests: int
    bytes_in: int
    bytes_out: int


class _State:
    def __init__(self, config: ListenerConfig, endpoint: Endpoint, inside: set[Connection]) -> None:
        self.config = config
        self.endpoint = endpoint
        self.inside = inside
        self.open: dict[Pid, Connection] = {}
        self.accepted = self.refused = self.reaped = 0
        self.requests = self.unavailable = self.bytes_in = self.bytes_out = 0


class Connections(GenServer):
    """The process. ``("start", socket, peer)`` -> Pid, or None when the limit is reached;
    ``("adopt", socket, peer, data)`` goes on with a connection that was served before: the limit does
    not count, and `data` has been read from it.
    """

    def init(
        self, config: ListenerConfig, endpoint: Endpoint, inside: set[Connection]
    ) -> tuple[Any, ...]:
        """Trap exits: the end of a connection is news, not a reason to end.

        inside: outlives the process. What a predecessor left in it has nobody any more: its
        processes ended with it, and those that had not run a line by then closed no socket.
        """
        trap_exit()
        set_label(f"{config.name} connections")
        for connection in inside:
            connection.close()
        inside.clear()
        state = _State(config, endpoint, inside)
        self._arm(state)
        return ("ok", state)

    def handle_call(self, request: Any, _from: Any, state: _State) -> tuple[Any, ...]:
        """Start a connection, or tell about those there are."""
        match request:
            case ("start", sock, peer):
                if len(state.open) >= state.config.max_connections:
                    state.refused += 1
                    return ("reply", None, state)
                return ("reply", self._start(sock, peer, b"", state), state)
            case ("adopt", sock, peer, data):
                return ("reply", self._start(sock, peer, data, state), state)
            case ("statistics",):
                return ("reply", self._statistics(state), state)
            case ("connections",):
                return ("reply", self._each(state), state)
            case "which_children":
                children = [ChildInfo(None, pid, "worker", _MODULES) for pid in state.open]
                return ("reply", ("ok", children), state)
            case "count_children":
                count = len(state.open)
                return ("reply", ("ok", ChildCounts(1, count, 0, count)), state)
            case ("terminate_child", pid):
                if pid not in state.open:
                    return ("reply", ("error", "not_found"), state)
                exit_signal(pid, "shutdown")
                return ("reply", ("ok", None), state)
        return ("reply", ("error", ("unknown_request", request)), state)

    def handle_info(self, message: Any, state: _State) -> tuple[Any, ...]:
        """The end of a connection, or the reaper's tick."""
        match message:
            case ("EXIT", pid, _) if pid in state.open:
                connection = state.open.pop(pid)
                # Killed before it ran its first line, it could not close its socket itself.
                connection.close()
                state.inside.discard(connection)
                state.requests += connection.requests
                state.unavailable += connection.unavailable
                state.bytes_in += connection.bytes_in
                state.bytes_out += connection.bytes_out
            case "reap":
                self._reap(state)
                self._arm(state)
        return ("noreply", state)

    def terminate(self, _reason: Any, state: _State) -> None:
        """The transport stops: streams end in the way of their revision, not broken."""
        for connection in state.open.values():
            connection.say_goodbye()

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show the counts instead of every connection."""
        state = status.get("state")
        if not isinstance(state, _State):
            return status
        return {**status, "state": msgspec.structs.asdict(self._statistics(state))}

    def _start(self, sock: socket.socket, peer: str, data: bytes, state: _State) -> Pid:
        connection = Connection(sock, peer, state.config, state.endpoint, data)
        state.inside.add(connection)
        pid = spawn_link(connection.run, label=f"{state.config.name} {peer}")
        state.open[pid] = connection
        state.accepted += 1
        return pid

    def _arm(self, state: _State) -> None:
        send_after(max(0.05, min(5.0, state.config.idle_timeout / 4)), own_pid(), "reap")

    def _reap(self, state: _State) -> None:
        moment = current_runtime().now() - state.config.idle_timeout
        for pid, connection in state.open.items():
            idle, stuck = connection.idle_since, connection.stuck_since
            if stuck is not None and stuck < moment:
                reason = "stuck"
            elif idle is not None and idle < moment:
                reason = "idle"
            else:
                continue
            exit_signal(pid, ("shutdown", reason))
            state.reaped += 1

    def _statistics(self, state: _State) -> ListenerStatistics:
        connections = state.open.values()
        return ListenerStatistics(
            open=len(connections),
            accepted=state.accepted,
            refused=state.refused,
            reaped=state.reaped,
            unavailable=state.unavailable + sum(each.unavailable for each in connections),
            requests=state.requests + sum(each.requests for each in connections),
            bytes_in=state.bytes_in + sum(each.bytes_in for each in connections),
            bytes_out=state.bytes_out + sum(each.bytes_out for each in connections),
        )

    def _each(self, state: _State) -> list[ConnectionStatistics]:
        return [connection.statistics() for connection in state.open.values()]
