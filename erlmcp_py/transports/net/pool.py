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

from typing import Any

import msgspec

from erlmcp_py.guards import tally
from erlmcp_py.guards.drain import Going, Left, tell_left
from erlmcp_py.protocol.refusals import EXHAUSTED, TIMEOUT, TOO_MANY_AT_ONCE, Refusal
from erlmcp_py.transports.net import duties
from erlmcp_py.transports.net.address import network_of
from erlmcp_py.transports.net.door import Door
from erlmcp_py.transports.net.protocol import Connection, ConnectionStatistics, Protocol
from erlmcp_py.transports.net.settings import ListenerSettings
from erlmcp_py.transports.net.wire import Wire
from supervisors import (
    GenServer,
    Pid,
    current_runtime,
    exit_signal,
    set_label,
    spawn_link,
    trap_exit,
)


class ListenerStatistics(msgspec.Struct, frozen=True):
    """One listener, since its connections' supervisor started.

    open: connections now. accepted: all that were served. refused: those turned away because
    as many were open as may be. reaped: closed for being idle, late or not reading. unavailable: requests
    refused because too much waited at a server or session, or it was being restarted. requests,
    bytes_in, bytes_out: over all connections, closed ones too. failed_handshakes: connections over
    TLS that came to nothing.
    """

    open: int
    accepted: int
    refused: int
    reaped: int
    unavailable: int
    requests: int
    bytes_in: int
    bytes_out: int
    failed_handshakes: int


class _State:
    def __init__(self, settings: ListenerSettings, protocol: Protocol, door: Door) -> None:
        self.settings = settings
        self.protocol = protocol
        self.door = door
        self.open: dict[Pid, Connection] = {}
        self.networks: dict[str, int] = {}
        """Connections by where they come from; empty unless that is limited."""
        self.going: Going | None = None
        """Set when the node drains."""
        self.accepted = self.refused = self.reaped = self.failed_handshakes = 0
        self.requests = self.unavailable = self.bytes_in = self.bytes_out = 0


class Connections(GenServer):
    """The process. ``("start", socket, peer)`` -> Pid, or the Refusal when a limit is reached;
    ``("lend",)`` -> (host, port, descriptor) of the listening socket, the descriptor a copy of its own.
    ``("adopt", wire, peer)`` goes on with a connection that was served before: the limit does not
    count.
    """

    def init(self, settings: ListenerSettings, protocol: Protocol, door: Door) -> tuple[Any, ...]:
        """Trap exits: the end of a connection is news, not a reason to end.

        What a predecessor left inside the door has nobody any more: its processes ended with it, and
        those that had not run a line by then closed no socket.
        """
        trap_exit()
        set_label(f"{settings.name} connections")
        for connection in door.inside:
            connection.close()
        door.inside.clear()
        state = _State(settings, protocol, door)
        duties.look_later(state.settings.patience)
        return ("ok", state)

    def handle_call(self, request: Any, _from: Any, state: _State) -> tuple[Any, ...]:
        """Start a connection, or tell about those there are."""
        match request:
            case ("start", sock, peer):
                no_room = self._no_room(peer, state)
                if no_room is not None:
                    state.refused += 1
                    tally.count(no_room)
                    return ("reply", no_room, state)
                state.door.arriving.pop(sock, None)
                return ("reply", self._start(state.door.wire(sock), peer, state), state)
            case ("adopt", Wire() as wire, peer):
                return ("reply", self._start(wire, peer, state), state)
            case ("lend",):
                return ("reply", state.door.lend(), state)
            case ("statistics",):
                return ("reply", self._statistics(state), state)
            case ("connections",):
                return ("reply", self._each(state), state)
        return ("reply", duties.answer_as_supervisor(request, state.open), state)

    def handle_cast(self, request: Any, state: _State) -> tuple[Any, ...]:
        """The node drains; see `guards.drain`."""
        match request:
            case ("drain", Going() as going):
                self._drain(going, state)
        return ("noreply", state)

    def handle_info(self, message: Any, state: _State) -> tuple[Any, ...]:
        """The end of a connection, or the reaper's tick."""
        match message:
            case ("EXIT", pid, _) if pid in state.open:
                connection = state.open.pop(pid)
                # Killed before it ran its first line, it could not close its socket itself.
                connection.close()
                state.door.inside.discard(connection)
                self._leave(connection.peer, state)
                state.requests += connection.requests
                state.failed_handshakes += connection.wire.handshake_failed
                state.unavailable += connection.unavailable
                state.bytes_in += connection.wire.bytes_in
                state.bytes_out += connection.wire.bytes_out
            case duties.REAP:
                self._reap(state)
                duties.look_later(state.settings.patience)
        return ("noreply", state)

    def terminate(self, _reason: Any, state: _State) -> None:
        """The transport stops: streams end in the way of their revision, not broken."""
        for pid, connection in state.open.items():
            connection.say_goodbye()
            if connection.pid is None:  # nor will it run: nobody else closes its socket
                exit_signal(pid, "kill")
                connection.close()

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show the counts instead of every connection."""
        state = status.get("state")
        if not isinstance(state, _State):
            return status
        return {**status, "state": msgspec.structs.asdict(self._statistics(state))}

    def _start(self, wire: Wire, peer: str, state: _State) -> Pid:
        connection = state.protocol.connect(wire, peer, state.settings)
        connection.draining = state.going is not None
        state.door.inside.add(connection)
        pid = spawn_link(connection.run, label=f"{state.settings.name} {peer}")
        state.open[pid] = connection
        state.accepted += 1
        if state.settings.max_per_address is not None:
            network = network_of(peer)
            state.networks[network] = state.networks.get(network, 0) + 1
        return pid

    def _no_room(self, peer: str, state: _State) -> Refusal | None:
        settings = state.settings
        if len(state.open) >= settings.max_connections:
            return EXHAUSTED
        if settings.max_per_address is not None:
            network = network_of(peer)
            if network and state.networks.get(network, 0) >= settings.max_per_address:
                return TOO_MANY_AT_ONCE
        return None

    def _leave(self, peer: str, state: _State) -> None:
        if state.settings.max_per_address is not None:
            network = network_of(peer)
            state.networks[network] -= 1
            if not state.networks[network]:
                del state.networks[network]

    def _drain(self, going: Going, state: _State) -> None:
        """Let nobody in any more, end what lasts, let go of the idle, and say what is left."""
        if state.going is None:
            state.door.stop_accepting(shared=going.shared)
            for connection in list(state.open.values()):
                connection.drain()
        state.going = going
        moment = current_runtime().now() - going.idle_grace
        for connection in state.open.values():
            quiet, wire = connection.quiet_since, connection.wire
            if wire.stuck_since is not None or connection.pid is None:
                continue
            late = quiet is not None and max(quiet, going.since) <= moment
            if going.last or (late and connection.arriving_since is None):
                wire.part()
        requests = sum(
            connection.waiting or connection.arriving_since is not None
            for connection in state.open.values()
        )
        name = f"{state.settings.name}_connections"
        tell_left(name, Left(state.door.accepting, len(state.open), requests))

    def _reap(self, state: _State) -> None:
        now = current_runtime().now()
        moment, late = now - state.settings.idle_timeout, now - state.settings.request_timeout
        for pid, connection in state.open.items():
            idle, stuck = connection.idle_since, connection.wire.stuck_since
            arriving = connection.arriving_since
            if stuck is not None and stuck < moment:
                reason = "stuck"
            elif arriving is not None and arriving < late:
                reason = "late"
                tally.count(TIMEOUT)
                connection.give_up()
            elif idle is not None and idle < moment:
                reason = "idle"
            else:
                connection.beat(now)
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
            bytes_in=state.bytes_in + sum(each.wire.bytes_in for each in connections),
            bytes_out=state.bytes_out + sum(each.wire.bytes_out for each in connections),
            failed_handshakes=state.failed_handshakes,
        )

    def _each(self, state: _State) -> list[ConnectionStatistics]:
        return [connection.statistics() for connection in state.open.values()]
