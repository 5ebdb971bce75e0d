"""The application controller: knows what is loaded and running, and starts and stops it.

One per runtime, registered as ``application_controller``, started on first use. It never
waits: each application starts and stops in its own master, and the controller answers when
that one says so or ends. So it can be asked anything meanwhile, by the application itself
too.

WHY it has no parent and no ancestors: whoever used applications first happened to start
it, and must not own what it starts, nor mark it as part of another application.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .._cell import current_runtime, require_process
from .._errors import Reason, is_atom
from .._gen_server.behaviour import GenServer
from .._gen_server.calls import From, reply
from .._pid import Pid
from .._process import signal_exit
from .._signals import cancel_timer, send, send_after, trap_exit
from .._signals import self as _me
from .._task import spawn, spawn_link
from .._timers import TimerRef
from . import belonging
from .behaviour import Application, RestartType, name_of
from .master import STOP, serve
from .node_down import NodeDown, end_node
from .reports import ApplicationReport

NAME = "application_controller"
RESTART_TYPES = ("permanent", "transient", "temporary")
OK = ("ok", None)


@dataclass(frozen=True, slots=True)
class ApplicationInfo:
    """One line of `which_applications`."""

    name: str
    description: str
    version: str


@dataclass(slots=True)
class Loaded:
    """A known application, and its environment as it is now."""

    app: Application
    env: dict[str, Any]


@dataclass(slots=True)
class Running:
    """An application with a master.

    waiting: who is answered when the phase is over; later: what has to wait until a
    stopping application is gone, handled then.
    """

    app: Application
    restart_type: RestartType
    master: Pid
    phase: Literal["starting", "running", "stopping"] = "starting"
    waiting: list[From] = field(default_factory=list)
    later: list[tuple[Any, From]] = field(default_factory=list)
    timer: TimerRef | None = None


@dataclass(slots=True)
class ControllerState:
    """running: in the order they were started. ended: those that ended by themselves."""

    loaded: dict[str, Loaded] = field(default_factory=dict)
    running: dict[str, Running] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    masters: dict[Pid, str] = field(default_factory=dict)
    node_down: NodeDown = end_node
    going_down: bool = False


class Controller(GenServer):
    """Answers ``("ok", value)`` or ``("error", reason)``."""

    def init(self) -> Any:
        process = require_process("the application controller")
        process.parent = process.spawner = None
        process.ancestors = ()
        trap_exit()
        return "ok", ControllerState()

    def handle_call(self, request: Any, from_: From, state: ControllerState) -> Any:
        match request:
            case ("start", name, restart_type):
                answer = _start(state, name, restart_type, from_, request)
            case ("stop" | "shut_down" as verb, name, timeout):
                forced = verb == "shut_down"
                answer = _stop(state, name, timeout, from_, request, forced=forced)
            case ("load", app, env):
                answer = _load(state, app, env)
            case ("unload", name):
                answer = _unload(state, name)
            case ("set_env", name, key, value):
                answer = _set_env(state, name, key, value)
            case ("on_node_down", hook):
                answer = "ok", state.node_down
                state.node_down = hook
            case "which_applications":
                answer = "ok", _which(state)
            case "all_newest_first":
                answer = "ok", list(state.running)[::-1]
            case _:
                return super().handle_call(request, from_, state)
        return ("noreply", state) if answer is None else ("reply", answer, state)

    def handle_cast(self, request: Any, state: ControllerState) -> Any:
        match request:
            case ("started", name, master) if state.masters.get(master) == name:
                _started(state, name)
                return "noreply", state
            case ("started", _, _):
                return "noreply", state  # was killed right after it had said so
        return super().handle_cast(request, state)

    def handle_info(self, message: Any, state: ControllerState) -> Any:
        match message:
            case (str("EXIT"), Pid() as pid, reason):
                if pid in state.masters:
                    for request, from_ in _ended(state, state.masters.pop(pid), reason):
                        match self.handle_call(request, from_, state):
                            case ("reply", answer, _):
                                reply(from_, answer)
                return "noreply", state
            case (str("late"), Pid() as master):
                _kill(master)
                return "noreply", state
        return super().handle_info(message, state)


Answer = tuple[str, Any] | None
"""None: answered later."""


def _refuse(*reason: Any) -> Answer:
    return "error", reason


def _load(state: ControllerState, app: Application, env: Mapping[str, Any]) -> Answer:
    if app.name in state.loaded:
        return _refuse("already_loaded", app.name)
    state.loaded[app.name] = Loaded(app, {**app.env, **env})
    return OK


def _unload(state: ControllerState, name: str) -> Answer:
    if name in state.running:
        return _refuse("running", name)
    if state.loaded.pop(name, None) is None:
        return _refuse("not_loaded", name)
    state.ended.discard(name)
    return OK


def _set_env(state: ControllerState, name: str, key: str, value: Any) -> Answer:
    if name not in state.loaded:
        return _refuse("not_loaded", name)
    state.loaded[name].env[key] = value
    return OK


def _which(state: ControllerState) -> list[ApplicationInfo]:
    return [
        ApplicationInfo(name, entry.app.description, entry.app.version)
        for name, entry in reversed(state.running.items())
        if entry.phase == "running"
    ]


def _start(
    state: ControllerState, name: str, restart_type: RestartType, from_: From, request: Any
) -> Answer:
    if restart_type not in RESTART_TYPES:
        return _refuse("invalid_restart_type", restart_type)
    entry = state.running.get(name)
    if entry is not None:
        if entry.phase == "running":
            return _refuse("already_started", name)
        if entry.phase == "starting":
            entry.waiting.append(from_)
        else:
            entry.later.append((request, from_))
        return None
    if state.going_down:
        return _refuse("node_down", name)
    if name not in state.loaded:
        return _refuse("not_loaded", name)
    app = state.loaded[name].app
    for needed in map(name_of, app.applications):
        other = state.running.get(needed)
        if other is None or other.phase != "running":
            return _refuse("not_running" if needed in state.ended else "not_started", needed)
    master = spawn_link(serve, app, "normal", _me())
    state.running[name] = Running(app, restart_type, master, waiting=[from_])
    state.masters[master] = name
    state.ended.discard(name)
    return None


def _started(state: ControllerState, name: str) -> None:
    entry = state.running.pop(name)
    state.running[name] = entry  # last: the order is that in which they are up
    if entry.phase == "starting":
        entry.phase = "running"
        _report(entry, "started")
        _answer(entry, OK)


def _stop(
    state: ControllerState,
    name: str,
    timeout: float,
    from_: From,
    request: Any,
    *,
    forced: bool,
) -> Answer:
    """forced: also one that is still starting; it is killed, those who wait for it hear so."""
    entry = state.running.get(name)
    if entry is None:
        if name not in state.ended:
            return _refuse("not_started", name)
        state.ended.remove(name)  # it is over already: nothing to do, once
        return OK
    if entry.phase == "stopping":
        entry.later.append((request, from_))
        return None
    starting = entry.phase == "starting"
    if starting and not forced:
        return _refuse("not_started", name)
    _answer(entry, ("error", ("stopped", name)))
    entry.phase = "stopping"
    entry.waiting.append(from_)
    if starting:
        _kill(entry.master)
        return None
    send(entry.master, STOP)
    if timeout != math.inf:
        entry.timer = send_after(timeout, _me(), ("late", entry.master))
    return None


def _ended(state: ControllerState, name: str, reason: Reason) -> list[tuple[Any, From]]:
    """A master is gone; answers the requests that waited for it."""
    entry = state.running.pop(name)
    if entry.timer is not None:
        cancel_timer(entry.timer)
    belonging.kill_all(current_runtime(), entry.master)
    if entry.phase == "starting":
        _answer(entry, ("error", reason))
    elif entry.phase == "stopping":
        _report(entry, "exited", "stopped")
        _answer(entry, OK)
    else:
        state.ended.add(name)
        _report(entry, "exited", reason)
        if _takes_node_down(entry.restart_type, reason) and not state.going_down:
            state.going_down = True
            why = ("application_terminated", name, reason)
            spawn(_go_down, state.node_down, why, label="node down")
    return entry.later


def _takes_node_down(restart_type: RestartType, reason: Reason) -> bool:
    """A4: a permanent one always, a transient one unless it ended with "normal"."""
    return restart_type == "permanent" or (
        restart_type == "transient" and not is_atom(reason, "normal")
    )


async def _go_down(hook: NodeDown, reason: Reason) -> None:
    from .client import stop_all

    await stop_all()
    hook(reason)


def _kill(master: Pid) -> None:
    """End an application that takes too long: its processes, then its master."""
    process = master._process
    if process is not None:
        belonging.kill_all(process.runtime, master)
        signal_exit(process, master, "kill", linked=False)


def _answer(entry: Running, answer: tuple[str, Any]) -> None:
    waiting, entry.waiting = entry.waiting, []
    for from_ in waiting:
        reply(from_, answer)


def _report(entry: Running, event: Literal["started", "exited"], reason: Reason = None) -> None:
    current_runtime().reports.emit(
        ApplicationReport(entry.master, entry.app.name, event, entry.restart_type, reason)
    )
