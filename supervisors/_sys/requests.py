"""What a process does about a system message, by the name of the function of `sys` that asks.

A request is a tuple ``(name, *arguments)``: plain data as in OTP, so that it can come from
another node. It is served as the process, between two of its messages; functions among the
arguments run there as well.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from .._callback import CallbackProcess
from .._cell import cell
from .._errors import Reason, unwinds
from .._process import Process
from .._task import TaskProcess
from .debug import (
    LOG_SIZE,
    Debug,
    DebugFunction,
    Statistics,
    Tracer,
    debug_of,
    logged,
    switch_on,
    tidy,
)
from .hooks import CallbackFailed, CodeChangeError, Event, SystemHooks

if TYPE_CHECKING:
    from .._gen_server.calls import Waiter

Request = tuple[Any, ...]


class Raised:
    """The answer to a request whose service raised `error`: the asker's, not the process's."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


def hooks_of(process: Process) -> SystemHooks | None:
    """What the behaviour of a process offers; None for a process that is none."""
    hooks = process.sys if isinstance(process, TaskProcess) else process
    return hooks if isinstance(hooks, SystemHooks) else None


def serve_now(process: CallbackProcess, hooks: SystemHooks, request: Request) -> Any:
    """Have a callback process, which is not running, serve a request on the spot."""
    previous, cell.current = cell.current, process
    try:
        answer = _serve(process, hooks, request)
    finally:
        cell.current = previous
    hooks.system_served()
    return answer


def post(process: TaskProcess, hooks: SystemHooks, request: Request, waiter: Waiter) -> None:
    """Have a task process serve a request when it comes to it; the waiter gets the answer."""
    hooks.post_system(process, lambda: waiter.answer(_guarded(process, hooks, request)))


def arrived(process: Process, request: Request, waiter: Waiter | None) -> None:
    """Take a request from another node; waiter None: nobody waits for an answer."""
    if request[0] == "trace":
        set_tracer(process, *request[1:])
    hooks = hooks_of(process)
    if waiter is None:
        return
    if hooks is None:
        waiter.down(process.pid, "not_a_behaviour")
    elif isinstance(process, CallbackProcess):
        try:
            answer = serve_now(process, hooks, request)
        except BaseException as error:
            if unwinds(error):
                raise
            answer = Raised(error)
        waiter.answer(answer)
    else:
        assert isinstance(process, TaskProcess)
        post(process, hooks, request, waiter)


def _serve(process: Process, hooks: SystemHooks, request: Request) -> Any:
    name, *arguments = request
    return SERVED[name](process, hooks, *arguments)


def _guarded(process: Process, hooks: SystemHooks, request: Request) -> Any:
    try:
        return _serve(process, hooks, request)
    except BaseException as error:
        if unwinds(error):
            raise
        return Raised(error)


# --- state and status -------------------------------------------------------------------


def _get_state(_process: Process, hooks: SystemHooks) -> Any:
    return hooks.get_state()


def _replace_state(_process: Process, hooks: SystemHooks, fn: Callable[[Any], Any]) -> Any:
    def guarded(state: Any) -> Any:
        try:
            return fn(state)
        except BaseException as error:
            if unwinds(error):
                raise
            raise CallbackFailed(error) from None

    return hooks.transform_state(guarded)


def _get_status(process: Process, hooks: SystemHooks) -> dict[str, Any]:
    log = logged(process)
    return {
        "pid": process.pid,
        "name": process.name,
        "behaviour": hooks.behaviour,
        "module": hooks.callback_module() or process.initial_call,
        "status": "suspended" if is_suspended(process) else "running",
        "hibernating": hooks.is_hibernating(),
        "parent": process.parent,
        "ancestors": process.ancestors,
        "debug": _options(process),
        **hooks.shown_status(log),
    }


def is_suspended(process: Process) -> bool:
    """Whether it handles no messages until `sys.resume`."""
    return process.extras is not None and process.extras.suspended


# --- suspension, code change, end -----------------------------------------------------------


def _suspend(process: Process, _hooks: SystemHooks, flag: bool) -> None:
    process.more().suspended = flag
    if isinstance(process, CallbackProcess):
        process.settle()


def _change_code(
    process: Process, hooks: SystemHooks, module: Any, old_vsn: Any, extra: Any
) -> None:
    if not is_suspended(process):
        raise CodeChangeError(("unknown_system_msg", ("change_code", module, old_vsn, extra)))
    hooks.change_code(module, old_vsn, extra)


def _terminate(process: Process, hooks: SystemHooks, reason: Reason) -> None:
    if isinstance(process, CallbackProcess):
        process.more().suspended = True
        process.settle()
        queue: Any = process.runtime
        queue.enqueue(_Termination(process, hooks, reason))
    else:
        assert isinstance(process, TaskProcess)
        hooks.post_terminate(process, reason)


class _Termination:
    """The end of a callback process, in the run queue behind the answer to who asked."""

    __slots__ = ("hooks", "process", "queued", "reason")

    def __init__(self, process: CallbackProcess, hooks: SystemHooks, reason: Reason) -> None:
        self.process = process
        self.hooks = hooks
        self.reason = reason
        self.queued = True

    def drain(self) -> None:
        if self.process.alive:
            self.hooks.system_terminate(self.reason)


# --- debugging ----------------------------------------------------------------------------


def _options(process: Process) -> list[Any]:
    debug = debug_of(process)
    return [] if debug is None else debug.options()


def _configure(process: Process, change: Callable[[Debug], object]) -> None:
    try:
        change(switch_on(process))
    finally:
        tidy(process)


def _statistics(process: Process, _hooks: SystemHooks, flag: bool | Literal["get"]) -> Any:
    if flag == "get":
        debug = debug_of(process)
        if debug is None or debug.statistics is None:
            return "no_statistics"
        return debug.statistics.shown(process)

    def switch(debug: Debug) -> None:
        debug.statistics = Statistics(debug.process) if flag else None

    return _configure(process, switch)


def _log(process: Process, _hooks: SystemHooks, flag: bool | int | Literal["get"]) -> Any:
    if flag == "get":
        return logged(process)

    def switch(debug: Debug) -> None:
        if flag is False:
            debug.ring = None
        else:
            debug.keep_log(LOG_SIZE if flag is True else flag)

    return _configure(process, switch)


def _log_to_file(process: Process, _hooks: SystemHooks, path: Path | str | Literal[False]) -> None:
    def switch(debug: Debug) -> None:
        if path is False:
            debug.close_file()
        else:
            debug.open_file(Path(path))

    _configure(process, switch)


def _install(
    process: Process, _hooks: SystemHooks, key: Hashable, fn: DebugFunction, state: Any
) -> None:
    _configure(process, lambda debug: debug.functions.setdefault(key, (fn, state)))


def _remove(process: Process, _hooks: SystemHooks, key: Hashable) -> None:
    _configure(process, lambda debug: debug.functions.pop(key, None))


def _no_debug(process: Process, _hooks: SystemHooks) -> None:
    _configure(process, Debug.clear)


def print_event(process: Process, event: Event) -> None:
    """One event as a line on standard error."""
    sys.stderr.write(Debug(process).line(event) + "\n")


def set_tracer(process: Process, fn: Tracer | bool | None) -> None:
    """`sys.trace`: of any process, and at once."""
    if fn is True:
        fn = partial(print_event, process)
    switch_on(process).tracer = None if fn is False else fn
    tidy(process)


SERVED: Final[dict[str, Callable[..., Any]]] = {
    "get_state": _get_state,
    "replace_state": _replace_state,
    "get_status": _get_status,
    "suspend": partial(_suspend, flag=True),
    "resume": partial(_suspend, flag=False),
    "change_code": _change_code,
    "terminate": _terminate,
    "statistics": _statistics,
    "log": _log,
    "log_to_file": _log_to_file,
    "install": _install,
    "remove": _remove,
    "no_debug": _no_debug,
}
"""``(process, hooks, *arguments)``, by the first element of a request."""
