"""The process of a breaker, `breaker_NAME`: all that changes one goes through it.

WHY requests look past it: a call to a process for each of them would cost more than the guard is worth.
Who is let through is read from the breaker itself; that a request had an answer is told only where it
changes something, which is after failures, and while it is tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from erlmcp_py.guards.breaker.machine import Breaker, BreakerSettings, BreakerStatus, State
from erlmcp_py.protocol.errors import McpError, refused
from erlmcp_py.protocol.refusals import BREAKER_OPEN
from erlmcp_py.telemetry.entry import Level
from erlmcp_py.telemetry.log import log
from supervisors import (
    CallExit,
    ChildSpec,
    GenServer,
    Pid,
    Ref,
    alarm_handler,
    call,
    cancel_timer,
    cast,
    current_runtime,
    demonitor,
    limit_mailbox,
    monitor,
    registered,
    send_after,
    set_label,
    trap_exit,
    whereis,
)
from supervisors import self as own_pid

PREFIX: Final = "breaker_"
"""Of the names that breakers are registered under."""
_MAILBOX: Final = 10_000
_LEVELS: Final[Mapping[State, Level]] = {
    "open": "warning",
    "half_open": "info",
    "closed": "info",
}


class _Told:
    """The alarm that is set: at which handler, with which text. Outlives the process, as the alarm does."""

    __slots__ = ("alarm",)

    def __init__(self) -> None:
        self.alarm: tuple[Pid, str] | None = None


@dataclass(slots=True)
class _State:
    breaker: Breaker
    told: _Told
    probes: dict[Ref, int] = field(default_factory=dict)
    """The epochs of those under way, by the monitors of their processes."""
    timer: tuple[Any, float] | None = None


class BreakerProcess(GenServer):
    """Call it through the functions of this module, and `Permit`."""

    def init(self, breaker: Breaker, told: _Told) -> tuple[Any, ...]:
        """Go on where a predecessor stopped. Traps exits, so that no alarm is left of one that is taken away."""
        trap_exit(True)
        limit_mailbox(_MAILBOX, "refuse")
        set_label(f"breaker {breaker.name}")
        now = current_runtime().now()
        breaker.configure(breaker.wanted, now)
        breaker.recover(now)
        state = _State(breaker, told)
        _arm(state)
        _alarm(state, is_open=breaker.state == "open")
        return ("ok", state)

    def handle_call(self, request: Any, from_: Any, state: _State) -> tuple[Any, ...]:
        """Let a probe through, say how it stands, or do what an operator says."""
        breaker, now = state.breaker, current_runtime().now()
        before = breaker.state, breaker.held
        answer: Any = None
        match request:
            case ("probe", int() as generation):
                # Who has stopped waiting would keep the place: its process may go on to other requests.
                if not from_.settled and breaker.probe(now, generation):
                    answer = Permit(breaker, generation, _watched(state, from_.pid))
            case ("status",):
                answer = breaker.status(now)
            case ("open", str() as why):
                breaker.open_by_hand(now, why)
            case ("close",):
                breaker.close_by_hand(now)
            case ("reset",):
                breaker.reset(now)
            case _:
                return ("reply", ("error", f"a breaker does not know {request!r}"), state)
        _follow(state, before)
        if request[0] in ("open", "close", "reset"):
            answer = breaker.status(now)
        return ("reply", answer, state)

    def handle_cast(self, request: Any, state: _State) -> tuple[Any, ...]:
        """How a request has ended."""
        breaker, now = state.breaker, current_runtime().now()
        before = breaker.state, breaker.held
        match request:
            case ("succeeded", Permit() as permit, ticket):
                # A probe counts once, and may have been told of before, by `Permit.lives`.
                if _forget(state, ticket) or breaker.state != "half_open":
                    breaker.succeeded(permit.epoch, now)
            case ("gone", Permit() as permit, ticket):
                if _forget(state, ticket):
                    breaker.gone(permit.epoch)
            case "configure":
                breaker.configure(breaker.wanted, now)
            case ("failed", Permit() as permit, ticket, str() as why, bool() as lost):
                _forget(state, ticket)
                losses = permit.losses if lost else None
                breaker.failed(permit.epoch, now, why, permit.generation, losses)
        _follow(state, before)
        return ("noreply", state)

    def handle_info(self, message: Any, state: _State) -> tuple[Any, ...]:
        """Time has passed, or the process of a probe has ended without a word."""
        breaker = state.breaker
        before = breaker.state, breaker.held
        match message:
            case "tick":
                state.timer = None
                breaker.tick(current_runtime().now())
            case ("DOWN", Ref() as ref, "process", _, _):
                epoch = state.probes.pop(ref, None)
                if epoch is not None:
                    breaker.gone(epoch)
        _follow(state, before)
        return ("noreply", state)

    def terminate(self, _reason: Any, state: _State) -> None:
        """It is open no more for anybody."""
        _alarm(state, is_open=False)

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show how it stands."""
        state = status.get("state")
        if not isinstance(state, _State):
            return status
        now = current_runtime().now()
        return {**status, "state": msgspec.structs.asdict(state.breaker.status(now))}


class Permit:
    """Of one request, to be sent. Whoever has it says how it ended, and `release` in any case."""

    __slots__ = ("breaker", "epoch", "generation", "losses", "ticket")

    def __init__(self, breaker: Breaker, generation: int, ticket: Ref | None = None) -> None:
        self.breaker = breaker
        self.epoch = breaker.epoch
        self.losses = breaker.losses
        self.generation = generation
        self.ticket = ticket

    def succeeded(self) -> None:
        """It had an answer, whatever that says."""
        if self.ticket is not None or not self.breaker.clean:
            cast(name_of(self.breaker), ("succeeded", self, self._spent()))

    def lives(self) -> None:
        """What was asked has not answered yet, and has shown that it is at it, which is enough of a probe."""
        if self.ticket is not None:
            self.succeeded()

    def failed(self, why: str, *, lost: bool = False) -> None:
        """It had none. lost: because its connection broke, as others may say as well."""
        cast(name_of(self.breaker), ("failed", self, self._spent(), why, lost))

    def release(self) -> None:
        """It is over, also if nobody can say how it ended: if it was a probe, another may be one."""
        if self.ticket is not None:
            cast(name_of(self.breaker), ("gone", self, self._spent()))

    def _spent(self) -> Ref | None:
        ticket, self.ticket = self.ticket, None
        return ticket


async def enter(breaker: Breaker, generation: int) -> Permit:
    """Before a request is sent; generation: see `Breaker.probe`. Raises McpError (1086)."""
    if breaker.state == "closed":
        return Permit(breaker, generation)
    check(breaker, generation)
    try:
        permit = await call(name_of(breaker), ("probe", generation))
    except CallExit:
        permit = None  # it is being restarted, and nobody knows who is trying
    if not isinstance(permit, Permit):
        raise _refusal(breaker)
    return permit


def check(breaker: Breaker, generation: int) -> None:
    """Before a request waits for anything. Raises McpError (1086) if it would not be let through."""
    if breaker.state != "open":
        return
    due = breaker.due
    if due is None or (generation == breaker.generation and current_runtime().now() < due):
        raise _refusal(breaker)


def _refusal(breaker: Breaker) -> McpError:
    breaker.refused += 1
    return refused(BREAKER_OPEN, breaker.refusal(current_runtime().now()))


def child_spec(breaker: Breaker) -> ChildSpec:
    """The process; the breaker outlives it."""
    return BreakerProcess.child_spec(breaker, _Told(), id="breaker", name=name_of(breaker))


def name_of(breaker: Breaker) -> str:
    """What its process is registered as."""
    return PREFIX + breaker.name


def configure_breaker(breaker: Breaker, settings: BreakerSettings | None) -> None:
    """Have its process go on with these: now, or when it is there again."""
    breaker.wanted = settings
    cast(name_of(breaker), "configure")


# --- for operators ------------------------------------------------------------------------


async def statuses() -> list[BreakerStatus]:
    """Of all that run, by name. Raises CallExit."""
    found = []
    for name in sorted(registered()):
        if name.startswith(PREFIX):
            status = await call(name, ("status",))
            if isinstance(status, BreakerStatus):
                found.append(status)
    return found


async def open_breaker(name: str, why: str) -> BreakerStatus:
    """Let nobody through until it is closed by hand. why: told to those. Raises CallExit."""
    return await _steer(name, "open", why)


async def close_breaker(name: str) -> BreakerStatus:
    """Let everybody through, and forget what was counted. Raises CallExit."""
    return await _steer(name, "close")


async def reset_breaker(name: str) -> BreakerStatus:
    """See `Breaker.reset`. Raises CallExit."""
    return await _steer(name, "reset")


async def _steer(name: str, *request: str) -> BreakerStatus:
    status = await call(PREFIX + name, request)
    assert isinstance(status, BreakerStatus), "it answers what this module asks"
    return status


# --- after each event ---------------------------------------------------------------------


def _watched(state: _State, pid: Any) -> Ref:
    ref = monitor(pid)
    state.probes[ref] = state.breaker.epoch
    return ref


def _forget(state: _State, ticket: Ref | None) -> bool:
    """Whether it was the ticket of a probe that was under way."""
    if ticket is None or state.probes.pop(ticket, None) is None:
        return False
    demonitor(ticket, flush=True)
    return True


def _follow(state: _State, before: tuple[State, bool]) -> None:
    breaker = state.breaker
    _arm(state)
    if (breaker.state, breaker.held) == before:
        return
    what = breaker.state.replace("_", " ")
    why = f": {breaker.why}" if breaker.why else ""
    log(_LEVELS[breaker.state], f"breaker {breaker.name} is {what}{why}")
    _alarm(state, is_open=breaker.state == "open")


def _arm(state: _State) -> None:
    due = state.breaker.due
    if state.timer is not None:
        timer, at = state.timer
        if at == due:
            return
        cancel_timer(timer)
    state.timer = None
    if due is not None:
        wait = max(0.0, due - current_runtime().now())
        state.timer = send_after(wait, own_pid(), "tick"), due


def _alarm(state: _State, *, is_open: bool) -> None:
    """An open breaker is listed among the alarms, where there is somebody who keeps them."""
    handler, breaker, told = whereis(alarm_handler.NAME), state.breaker, state.told
    wanted = (handler, breaker.why) if is_open and handler is not None else None
    if told.alarm == wanted:
        return
    if told.alarm is not None and told.alarm[0] == handler:
        alarm_handler.clear_alarm(("breaker_open", breaker.name))
    if wanted is not None:
        alarm_handler.set_alarm((("breaker_open", breaker.name), breaker.why))
    told.alarm = wanted
