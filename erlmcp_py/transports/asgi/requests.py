"""The requests that are at work: their supervisor, their limit, and their reaper.

As `net.pool` is for the connections of a listener: a process of plain callbacks, linked to each request's
own, which are temporary children. There is no socket to listen on, and no connection to keep.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from erlmcp_py import registry
from erlmcp_py.protocol.refusals import EXHAUSTED
from erlmcp_py.transports.asgi.exchange import Exchange
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.net import duties
from supervisors import (
    ChildSpec,
    GenServer,
    Pid,
    call,
    current_runtime,
    exit_signal,
    spawn_link,
    trap_exit,
)

NAME: Final = "asgi"
"""The registered name of the process, and of the transport."""


class RequestStatistics(msgspec.Struct, frozen=True):
    """Since the process started.

    open: requests now. requests: all there were. refused: those turned away because as many were at work
    as may be. reaped: ended because they were late, or their client did not read. unavailable: those
    for whom something was missing or full. bytes_in, bytes_out: of bodies.
    """

    open: int
    requests: int
    refused: int
    reaped: int
    unavailable: int
    bytes_in: int
    bytes_out: int


class _State:
    def __init__(self, config: ListenerConfig, inside: set[Exchange]) -> None:
        self.config = config
        self.inside = inside
        self.open: dict[Pid, Exchange] = {}
        self.requests = self.refused = self.reaped = 0
        self.unavailable = self.bytes_in = self.bytes_out = 0


class Requests(GenServer):
    """The process. ``("start", exchange)`` -> Pid, or the Refusal when the limit is reached."""

    def init(self, config: ListenerConfig, inside: set[Exchange]) -> tuple[Any, ...]:
        """Trap exits: the end of a request is news, not a reason to end.

        inside: what a predecessor has left has nobody any more, but the host may wait for it.
        """
        trap_exit()
        for exchange in inside:
            exchange.close()
        inside.clear()
        state = _State(config, inside)
        duties.look_later(_patience(config))
        return ("ok", state)

    def handle_call(self, request: Any, _from: Any, state: _State) -> tuple[Any, ...]:
        """Start a request, or tell about those there are."""
        match request:
            case ("start", Exchange() as exchange):
                if len(state.open) >= state.config.max_connections:
                    state.refused += 1
                    return ("reply", EXHAUSTED, state)
                state.inside.add(exchange)
                pid = spawn_link(exchange.run, label=f"{NAME} {exchange.peer}")
                state.open[pid] = exchange
                state.requests += 1
                return ("reply", pid, state)
            case ("statistics",):
                return ("reply", self._statistics(state), state)
        return ("reply", duties.answer_as_supervisor(request, state.open), state)

    def handle_info(self, message: Any, state: _State) -> tuple[Any, ...]:
        """The end of a request, or the reaper's tick."""
        match message:
            case ("EXIT", pid, _) if pid in state.open:
                exchange = state.open.pop(pid)
                # Killed before it ran its first line, it could not say so itself.
                exchange.close()
                state.inside.discard(exchange)
                state.unavailable += exchange.unavailable
                state.bytes_in += exchange.wire.bytes_in
                state.bytes_out += exchange.wire.bytes_out
            case duties.REAP:
                self._reap(state)
                duties.look_later(_patience(state.config))
        return ("noreply", state)

    def terminate(self, _reason: Any, state: _State) -> None:
        """The node stops: streams end in the way of their revision, not broken."""
        for exchange in state.open.values():
            exchange.say_goodbye()

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show the counts instead of every request."""
        state = status.get("state")
        if not isinstance(state, _State):
            return status
        return {**status, "state": msgspec.structs.asdict(self._statistics(state))}

    def _reap(self, state: _State) -> None:
        now = current_runtime().now()
        moment, late = now - state.config.idle_timeout, now - state.config.request_timeout
        for pid, exchange in state.open.items():
            stuck, arriving = exchange.wire.stuck_since, exchange.arriving_since
            if stuck is not None and stuck < moment:
                reason = "stuck"
                exchange.wire.drop()
            elif arriving is not None and arriving < late:
                reason = "late"
                exchange.give_up()
            else:
                continue
            exit_signal(pid, ("shutdown", reason))
            state.reaped += 1

    def _statistics(self, state: _State) -> RequestStatistics:
        exchanges = state.open.values()
        return RequestStatistics(
            open=len(exchanges),
            requests=state.requests,
            refused=state.refused,
            reaped=state.reaped,
            unavailable=state.unavailable + sum(each.unavailable for each in exchanges),
            bytes_in=state.bytes_in + sum(each.wire.bytes_in for each in exchanges),
            bytes_out=state.bytes_out + sum(each.wire.bytes_out for each in exchanges),
        )


def _patience(config: ListenerConfig) -> float:
    return min(config.idle_timeout, config.request_timeout)


def child_spec(config: ListenerConfig) -> ChildSpec:
    """The spec of the transport."""
    return ChildSpec(NAME, (_start, (config, set())), type="supervisor")


async def _start(config: ListenerConfig, inside: set[Exchange]) -> Pid:
    pid = await Requests.start_link(config, inside, name=NAME)
    try:
        await registry.register_transport(NAME, pid, {"kind": NAME})
    except BaseException:
        exit_signal(pid, "kill")
        raise
    return pid


async def statistics() -> RequestStatistics:
    """Counts of the transport, from a process of its node."""
    return await call(NAME, ("statistics",))  # type: ignore[no-any-return]
