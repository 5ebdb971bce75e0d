"""What users call: load, start, stop and ask."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .._cell import current_process, current_runtime
from .._errors import StartError
from .._gen_server.calls import call
from .._gen_server.plain import PlainServer
from .._info import process_info
from .._pid import Pid
from .behaviour import Application, Dependency, RestartType, definition, name_of
from .controller import NAME, ApplicationInfo, Controller, ControllerState
from .errors import ApplicationError
from .node_down import NodeDown


async def _controller() -> Pid:
    pid = current_runtime().names.get(NAME)
    if pid is not None:
        return pid
    try:
        return await Controller.start(name=NAME)
    except StartError as refused:
        match refused.reason:
            case ("already_started", Pid() as first):  # somebody was first
                return first
        raise


def _state() -> ControllerState | None:
    """The controller's state, to read; None before it was needed."""
    pid = current_runtime().names.get(NAME)
    process = None if pid is None else pid._process
    if isinstance(process, PlainServer) and isinstance(process.state, ControllerState):
        return process.state
    return None


async def _ask(request: Any) -> Any:
    verdict, value = await call(await _controller(), request, math.inf)
    if verdict == "error":
        raise ApplicationError(value)
    return value


async def load(app: Application | type[Application], env: Mapping[str, Any] | None = None) -> None:
    """Make an application known, without starting it.

    env: values that take the place of its defaults. ApplicationError
    ``("already_loaded", name)`` or ``("bad_application", (class, fault))``.
    """
    await _ask(("load", definition(app), dict(env or {})))


async def unload(app: Dependency) -> None:
    """Forget an application and its environment. ApplicationError: "running", "not_loaded"."""
    await _ask(("unload", name_of(app)))


async def _known(app: Dependency) -> str:
    """The name of `app`, which is loaded if it came along itself and is not yet."""
    name = name_of(app)
    if not isinstance(app, str):
        state = _state()
        if state is None or name not in state.loaded:
            try:
                await load(app)
            except ApplicationError as refused:
                if refused.reason != ("already_loaded", name):  # by somebody else, meanwhile
                    raise
    return name


async def start(app: Dependency, restart_type: RestartType = "temporary") -> None:
    """Start an application, loading it if need be; what it needs must run (A1).

    restart_type: what its end means for the node (A4). Returns when it is up, phases
    included. ApplicationError: ``("already_started", name)``, ``("not_started", needed)``,
    ``("not_running", needed)`` if that has ended, ``("not_loaded", name)``,
    ``("invalid_restart_type", x)``, ``(reason, call)`` when `start` or `start_phase` raised
    StartError(reason), ``("bad_return", (call, value))``, ``("bad_return_value", ..)`` of a
    phase; `call` is ``(class, callback, args)``.
    """
    await _ask(("start", await _known(app), restart_type))


async def ensure_all_started(app: Dependency, restart_type: RestartType = "temporary") -> list[str]:
    """Start an application and before it, depth first, all it needs and does not run (A1).

    Answers the names started, in order. On error stops them again, last first, and raises
    ApplicationError ``(name, reason)`` with the one that failed.
    """
    started: list[str] = []
    try:
        await _ensure(app, restart_type, started, ())
    except ApplicationError:
        for name in reversed(started):
            await stop(name)
        raise
    return started


async def _ensure(
    app: Dependency, restart_type: RestartType, started: list[str], above: tuple[str, ...]
) -> None:
    name = name_of(app)
    try:
        if name in above:
            raise ApplicationError(("circular_dependency", (*above[above.index(name) :], name)))
        await _known(app)
        state = _state()
        if state is None or name not in state.loaded:
            raise ApplicationError(("not_loaded", name))
    except ApplicationError as refused:
        raise ApplicationError((name, refused.reason)) from None
    running = state.running.get(name)
    if running is not None and running.phase == "running":
        return
    found = state.loaded[name].app
    for needed in found.applications:
        await _ensure(needed, restart_type, started, (*above, name))
    for wanted in found.optional_applications:
        if not isinstance(wanted, str) or wanted in state.loaded:
            await _ensure(wanted, restart_type, started, (*above, name))
    try:
        await start(name, restart_type)
    except ApplicationError as refused:
        if refused.reason != ("already_started", name):
            raise ApplicationError((name, refused.reason)) from None
    else:
        started.append(name)


async def stop(app: Dependency, timeout: float = math.inf) -> None:
    """Stop an application: prep_stop, its tree, stop, whatever is left of it (A3).

    It stays loaded; those that need it are not touched. timeout: seconds until all of it is
    killed. A process of the application may ask for this, and ends of it.
    ApplicationError ``("not_started", name)``.
    """
    await _ask(("stop", name_of(app), timeout))


async def stop_all(timeout: float | None = None) -> list[str]:
    """Stop all applications, the last started first (A5); answers their names in that order.

    timeout: seconds for each; None: each one's own `shutdown_timeout`. To be called before
    the main function returns: a runtime that closes kills what is left.
    """
    seen: set[str] = set()
    stopped: list[str] = []
    while names := [name for name in await _ask("all_newest_first") if name not in seen]:
        name = names[0]
        seen.add(name)
        state = _state()
        entry = None if state is None else state.running.get(name)
        if entry is None:
            continue
        limit = entry.app.shutdown_timeout if timeout is None else timeout
        try:
            await _ask(("shut_down", name, limit))
        except ApplicationError:
            continue  # somebody else was stopping it, and it is gone
        stopped.append(name)
    return stopped


async def which_applications() -> list[ApplicationInfo]:
    """The running applications, the last started first."""
    running: list[ApplicationInfo] = await _ask("which_applications")
    return running


async def set_env(app: Dependency, key: str, value: Any) -> None:
    """Set a value of an application's environment; ApplicationError ``("not_loaded", name)``."""
    await _ask(("set_env", await _known(app), key, value))


def get_env(app: Dependency, key: str, default: Any = None) -> Any:
    """A value of an application's environment, else `default`. Waits for nobody."""
    return get_all_env(app).get(key, default)


def get_all_env(app: Dependency) -> dict[str, Any]:
    """An application's environment, a copy; empty if it is not loaded."""
    state = _state()
    name = name_of(app)
    return {} if state is None or name not in state.loaded else dict(state.loaded[name].env)


def get_application(pid: Pid | None = None) -> str | None:
    """The name of the application a process belongs to, the current one by default."""
    process = current_process() if pid is None else pid._process
    state = _state()
    if process is None or state is None:
        return None
    for ancestor in (process.pid, *process.ancestors):
        if isinstance(ancestor, Pid) and ancestor in state.masters:
            return state.masters[ancestor]
    return None


def get_supervisor(app: Dependency) -> Pid | None:
    """The top process of a running application (OTP 26); None if it does not run or has none."""
    state = _state()
    entry = None if state is None else state.running.get(name_of(app))
    if entry is None or entry.phase != "running":
        return None
    master = process_info(entry.master)
    for pid in () if master is None else master.links:
        linked = process_info(pid)
        if linked is not None and linked.parent == entry.master:
            return pid
    return None


async def on_node_down(hook: NodeDown) -> NodeDown:
    """Say how the node ends when an application it cannot do without has (A4); answers
    what was said before. See `_application.node_down`.
    """
    before: NodeDown = await _ask(("on_node_down", hook))
    return before
