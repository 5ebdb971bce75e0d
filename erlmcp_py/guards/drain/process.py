"""The process `drain`: it tells the members, counts what is left, and says when it is over."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from erlmcp_py.guards.drain.machine import Drain, DrainStatus, Left, Outcome
from erlmcp_py.guards.in_flight import InFlight
from erlmcp_py.telemetry.log import log
from supervisors import (
    CallExit,
    ChildSpec,
    GenServer,
    call,
    cast,
    current_runtime,
    reply,
    send,
    send_after,
    set_label,
    whereis,
)
from supervisors import self as own_pid

NAME: Final = "drain"
TICK: Final = 0.1
"""Seconds between two looks at what is left."""
_NEWS: Final = 5.0
"""Seconds between two lines in the log."""
_PATIENCE: Final = 1.0
"""Seconds that those who wait for the end have to pass it on before the node stops."""


Servers = Callable[[], Collection[str]]


class CutOff(msgspec.Struct, frozen=True):
    """Cast to a server process: every call that is at work now is answered with an error."""

    text: str


@dataclass(slots=True)
class _State:
    drain: Drain
    in_flight: InFlight
    servers: Servers
    over: Callable[[Outcome], object]
    waiting: list[Any] = field(default_factory=list)
    telling: int = 0
    """Those who were told of the end and have not passed it on."""
    said_at: float = 0.0
    ended: bool = False


def child_spec(
    drain: Drain,
    in_flight: InFlight,
    servers: Servers,
    over: Callable[[Outcome], object],
) -> ChildSpec:
    """in_flight: the count of calls at work. servers: gives the names of the processes that take a
    `CutOff`, as they are then.

    over: called once, when nothing is left to wait for; returns at once.
    """
    return Drainer.child_spec(drain, in_flight, servers, over, id=NAME, name=NAME)


class Drainer(GenServer):
    """Call it through the functions of this module; members cast ``("left", name, Left)``."""

    def init(
        self,
        drain: Drain,
        in_flight: InFlight,
        servers: Servers,
        over: Callable[[Outcome], object],
    ) -> tuple[Any, ...]:
        """Go on where a predecessor stopped."""
        state = _State(drain, in_flight, servers, over)
        if drain.phase != "serving":
            send(own_pid(), "tick")
        return ("ok", state)

    def handle_call(self, request: Any, from_: Any, state: _State) -> tuple[Any, ...]:
        """Begin, or say how far it is."""
        drain, now = state.drain, current_runtime().now()
        match request:
            case ("begin", str() as why, deadline, shared):
                begun = drain.begin(now, why, deadline, shared)
                if begun:
                    send(own_pid(), "tick")
                    state.said_at = now
                    log(
                        "info", f"draining: {why}; requests have {drain.ends_at - now:.3g} s to end"
                    )
                return ("reply", begun, state)
            case ("status",):
                return ("reply", drain.status(now), state)
            case ("wait",):
                state.waiting.append(from_)
                if state.ended:
                    _tell(state, now)
                return ("noreply", state)
        return ("reply", ("error", f"drain does not know {request!r}"), state)

    def handle_cast(self, request: Any, state: _State) -> tuple[Any, ...]:
        """What a member has left; or somebody has passed the end on."""
        match request:
            case ("left", str() as member, Left() as left):
                state.drain.report(member, left)
            case "told":
                state.telling -= 1
                if state.ended and state.telling == 0:
                    _finish(state)
        return ("noreply", state)

    def handle_info(self, message: Any, state: _State) -> tuple[Any, ...]:
        """Look what is left."""
        if message == "tick" and not state.ended:
            self._tick(state)
        elif message == "finish" and state.ended:
            _finish(state)
        return ("noreply", state)

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show how far it is."""
        state = status.get("state")
        if not isinstance(state, _State):
            return status
        return {**status, "state": state.drain.status(current_runtime().now()) or "serving"}

    def _tick(self, state: _State) -> None:
        drain, now = state.drain, current_runtime().now()
        present = {member for member in drain.members if whereis(member) is not None}
        match drain.tick(now, state.in_flight.count(), present):
            case "end":
                state.ended = True
                set_label("drained")
                if state.waiting:
                    _tell(state, now)
                    send_after(_PATIENCE, own_pid(), "finish")
                else:
                    _finish(state)
                return
            case "cut":
                log("warning", f"draining: the deadline is over, cutting off {_at_work(drain)}")
                text = "the node is going down, and this took longer than it can wait"
                for server in state.servers():
                    cast(server, CutOff(text))
        if now - state.said_at >= _NEWS:
            state.said_at = now
            left = f"{_at_work(drain)}, {drain.connections} connections"
            log("info", f"draining: {left}; {max(0.0, drain.ends_at - now):.0f} s to the deadline")
        for member in present:
            cast(member, ("drain", drain.going))
        send_after(TICK, own_pid(), "tick")


def _at_work(drain: Drain) -> str:
    return "1 request at work" if drain.requests == 1 else f"{drain.requests} requests at work"


def _tell(state: _State, now: float) -> None:
    outcome = state.drain.outcome(now)
    for from_ in state.waiting:
        reply(from_, outcome)
    state.telling += len(state.waiting)
    state.waiting.clear()


def _finish(state: _State) -> None:
    over, state.over = state.over, _nobody
    over(state.drain.outcome(current_runtime().now()))


def _nobody(_outcome: Outcome) -> None:
    """Has been told."""


async def begin(why: str, deadline: float | None = None, *, shared: bool | None = None) -> bool:
    """Have the node drain; False if it does already. See `Drain.begin`. Raises CallExit."""
    return bool(await call(NAME, ("begin", why, deadline, shared)))


async def status() -> DrainStatus | None:
    """How far it is; None while the node serves, or where nothing drains it."""
    try:
        found = await call(NAME, ("status",), 1.0)
    except CallExit:
        return None
    return found if isinstance(found, DrainStatus) else None


async def until_over(patience: float) -> Outcome:
    """Wait until nothing is left. Whoever got it has a moment, until it casts "told", before the node stops.

    patience: seconds. Raises CallExit.
    """
    outcome = await call(NAME, ("wait",), patience)
    assert isinstance(outcome, Outcome)
    return outcome


def tell_left(member: str, left: Left) -> None:
    """For members."""
    cast(NAME, ("left", member, left))
