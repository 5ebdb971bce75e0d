"""The process that has an upstream's instances started when they are needed, and stopped when not.

What is to be done is `sleep.Sleep`'s to say, which outlives this process: a successor goes on where it
was. Starting and stopping wait for programs, so a process each does that, and this one is always there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import trio

import supervisors
from erlmcp_py import subscriptions
from erlmcp_py.gateway.instances import INSTANCES
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.telemetry.log import log
from supervisors import (
    CallExit,
    ChildSpec,
    GenServer,
    Pid,
    Runtime,
    SupervisorError,
    TimerRef,
    cancel_timer,
    current_runtime,
    format_reason,
    process_info,
    restart_child,
    send,
    send_after,
    spawn_link,
    terminate_child,
)

STARTS: Final = 16
"""Upstreams that are being started at once, of those that slept."""
STARTING: Final = 10.0
"""Seconds that one counts as being started, if it is neither up nor down before."""
TWICE: Final = 1.0
"""Seconds between two questions for the same; more than subscribers take to come back."""
_AGAIN: Final = 0.1
"""Seconds before what could not be done is tried again: their supervisor was being restarted."""
UNWANTED: Final = 60.0
"""Seconds between two looks whether followed resources are wanted; more often if it may sleep earlier."""


_limits: WeakKeyDictionary[Runtime, trio.CapacityLimiter] = WeakKeyDictionary()


@dataclass(slots=True)
class _State:
    upstream: Upstream
    above: Pid
    worker: Pid | None = None
    timer: TimerRef | None = None
    """Of its next look; there is one at most, whatever else it was told to look by."""
    asks: bool = False
    """Whether it looks again whether followed resources are wanted."""


class Steward(GenServer):
    """Of one upstream. Start argument: the upstream. A cast of "look" has it decide what is to be done, one of
    "followed" tells that a resource is.
    """

    def init(self, upstream: Upstream) -> tuple[str, _State]:
        """Go on where a predecessor was."""
        supervisors.trap_exit(True)
        supervisors.set_label(f"steward of {upstream.name}")
        upstream.steward = supervisors.self()
        state = _State(upstream, process_info(supervisors.self(), "parent"))
        _carry_on(state)
        _ask_later(state)
        return ("ok", state)

    def handle_cast(self, request: Any, state: _State) -> tuple[str, _State]:
        """See the class."""
        if request == "look" and state.worker is None:
            _look(state)
        elif request == "followed":
            _ask_later(state)
            if state.worker is None and state.upstream.sleep.phase == "asleep":
                _look(state)  # somebody wants to be told what only one that runs can tell
        return ("noreply", state)

    def handle_info(self, message: Any, state: _State) -> tuple[str, _State]:
        """A time is over, or what was decided is done, or could not be."""
        match message:
            case "look" if state.worker is None:
                _look(state)
            case "again" if state.worker is None:
                _carry_on(state)
            case "ask":
                spawn_link(_ask, state.upstream, supervisors.self(), label="asking")
            case ("unwanted", uris):
                state.upstream.followed.drop(uris, current_runtime().now())
            case ("EXIT", pid, _) if pid != state.worker:
                state.asks = False
                _ask_later(state)
            case ("EXIT", pid, reason):
                state.worker = None
                if reason == "normal":
                    state.upstream.sleep.done(current_runtime().now())
                    state.upstream.tell()
                    _look(state)
                else:
                    text = f"upstream {state.upstream.name} is not started or stopped yet"
                    log("warning", f"{text}: {format_reason(reason)}")
                    send_after(_AGAIN, supervisors.self(), "again")
        return ("noreply", state)


def steward_spec(upstream: Upstream) -> ChildSpec:
    """The steward as a child, behind the instances."""
    return Steward.child_spec(upstream, id="steward")


def _carry_on(state: _State) -> None:
    """What was decided and is not done yet, or else what is to be done."""
    match state.upstream.sleep.phase:
        case "waking":
            state.worker = spawn_link(_start, state.upstream, state.above, label="waking")
        case "stopping":
            state.worker = spawn_link(_stop, state.upstream, state.above, label="stopping")
        case _:
            _look(state)


def _look(state: _State) -> None:
    upstream, now = state.upstream, current_runtime().now()
    if state.timer is not None:
        cancel_timer(state.timer)
        state.timer = None
    held = bool(upstream.followed) or upstream.errands.are_left(now)
    match upstream.sleep.decide(now, held=held):
        case None:
            return
        case "start":
            for instance in upstream.instances:
                instance.begin()
            _carry_on(state)
        case "stop":
            upstream.asleep_since = upstream.wall_clock()
            log("info", f"upstream {upstream.name} is not used, and stopped until it is")
            _carry_on(state)
        case float(rest):
            state.timer = send_after(rest, supervisors.self(), "look")


def _ask_later(state: _State) -> None:
    upstream = state.upstream
    if upstream.followed and not state.asks:
        state.asks = True
        send_after(min(UNWANTED, upstream.sleep.timeout), supervisors.self(), "ask")


async def _ask(upstream: Upstream, steward: Pid) -> None:
    """Find out what nobody has subscribed to. WHY twice: a process of subscriptions that was just restarted
    knows of nobody.
    """
    try:
        wanted = await subscriptions.watched(upstream.faces)
        await trio.sleep(TWICE)
        wanted |= await subscriptions.watched(upstream.faces)
    except CallExit:
        return  # it is being restarted, and asked again later
    unwanted = [uri for uri in upstream.followed if uri not in wanted]
    if unwanted:
        send(steward, ("unwanted", unwanted))


async def _start(upstream: Upstream, above: Pid) -> None:
    """WHY some at a time: the first client of all upstreams needs all of them, and hundreds of programs that
    begin at once are all too slow.
    """
    runtime = current_runtime()
    if runtime not in _limits:
        _limits[runtime] = trio.CapacityLimiter(STARTS)
    async with _limits[runtime]:
        try:
            await restart_child(above, INSTANCES)
        except SupervisorError as problem:
            if problem.reason not in ("running", "restarting"):
                raise
        with trio.move_on_after(STARTING):
            await upstream.settled()


async def _stop(upstream: Upstream, above: Pid) -> None:
    """WHY one by one: a program may take its time to end, and whoever is above of all has other children."""
    if upstream.supervisor is not None:
        for instance in reversed(upstream.instances):
            try:
                await terminate_child(upstream.supervisor, instance.number)
            except CallExit:
                break  # it has ended, and all below it
            except SupervisorError as problem:
                if problem.reason != "not_found":
                    raise
    await terminate_child(above, INSTANCES)
