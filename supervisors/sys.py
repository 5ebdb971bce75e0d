"""System messages: look into any behaviour and steer it (SEMANTICS 1.7).

They travel in a lane of their own, ahead of all mail (DESIGN 2.4), so a flooded server
answers them too; a server that is in the middle of an async callback answers after it. Only
to a process that is written by hand they come as mail (`special_process`).
All functions take a pid or a name and a timeout of 5 seconds; they raise CallExit when
there is nobody ("noproc"), when it takes too long ("timeout") or when the process is no
behaviour ("not_a_behaviour").

    >>> import supervisors
    >>> from supervisors import GenServer, call, cast, sys
    >>> class Counter(GenServer):
    ...     def init(self):
    ...         return "ok", 0
    ...     def handle_cast(self, step, count):
    ...         return "noreply", count + step
    ...     def handle_call(self, request, from_, count):
    ...         return "reply", count, count
    ...     def code_change(self, old_vsn, count, extra):
    ...         return "ok", float(count)
    >>> async def main():
    ...     counter = await Counter.start()
    ...     await sys.log(counter, True)
    ...     await sys.suspend(counter)
    ...     cast(counter, 2)
    ...     await sys.change_code(counter, Counter, "ints", None)
    ...     await sys.resume(counter)
    ...     value = await call(counter, "value")
    ...     return value, (await sys.log(counter, "get"))[:2]
    >>> supervisors.run(main)
    (2.0, [('in', ('$gen_cast', 2)), ('noreply', 2.0)])

Debugging is off until asked for and costs nothing while off. What a process is seen to do
are *events*; `supervisors._sys.hooks` lists them, and is where a new behaviour plugs in.
"""

from __future__ import annotations

import sys as python
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ._callback import CallbackProcess
from ._cell import cell, current_process
from ._errors import CallExit, Reason
from ._gen_server.calls import ParkedCall, call, wait_for, watch
from ._names import Name, resolve
from ._pid import Pid
from ._process import DIRTY, RUNNING, Process
from ._sys.debug import (
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
from ._sys.hooks import CallbackFailed, CodeChangeError, Event, SystemHooks
from ._sys.special import (
    SpecialProcess,
    SystemRequest,
    handle_debug,
    handle_system_msg,
    special_process,
)
from ._task import TaskProcess

Server = Pid | Name


# --- asking -----------------------------------------------------------------------------


def _process(server: Server, request: str, timeout: float) -> Process:
    pid = server if isinstance(server, Pid) else resolve(server)
    process = None if pid is None else pid._process
    if process is None or not process.alive:
        raise CallExit("noproc", server, request, timeout)
    if process is current_process():
        raise CallExit("calling_self", server, request, timeout)
    return process


def _hooks(process: Process) -> SystemHooks | None:
    """What the behaviour of a process offers; None for a process that is none."""
    hooks = process.sys if isinstance(process, TaskProcess) else process
    return hooks if isinstance(hooks, SystemHooks) else None


async def _ask(
    server: Server,
    request: str,
    timeout: float,
    serve: Callable[[Process, SystemHooks], Any],
) -> Any:
    """Have `serve` run as the process, between two of its messages; its result."""
    process = _process(server, request, timeout)
    hooks = _hooks(process)
    if hooks is None:
        raise CallExit("not_a_behaviour", server, request, timeout)
    if isinstance(process, CallbackProcess):
        if process.status in (RUNNING, DIRTY):
            raise CallExit("calling_self", server, request, timeout)
        previous, cell.current = cell.current, process
        try:
            answer = serve(process, hooks)
        finally:
            cell.current = previous
        hooks.system_served()
    else:
        assert isinstance(process, TaskProcess)
        waiter = ParkedCall(process)
        watch(process, waiter)
        hooks.post_system(process, lambda: waiter.answer(_guarded(serve, process, hooks)))
        answer = await wait_for(waiter, process, server, request, timeout)
        if isinstance(answer, _Raised):
            raise answer.error
    return answer


class _Raised:
    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


def _guarded(
    serve: Callable[[Process, SystemHooks], Any], process: Process, hooks: SystemHooks
) -> Any:
    try:
        return serve(process, hooks)
    except Exception as error:
        return _Raised(error)


# --- state and status -------------------------------------------------------------------


async def get_state(server: Server, timeout: float = 5.0) -> Any:
    """The state of a behaviour, as it is between two messages."""
    return await _ask(server, "get_state", timeout, lambda _, hooks: hooks.get_state())


async def replace_state(server: Server, fn: Callable[[Any], Any], timeout: float = 5.0) -> Any:
    """Put ``fn(state)`` in the place of the state and answer it.

    Raises CallbackFailed when `fn` raises; the state is kept (S19).
    """

    def guarded(state: Any) -> Any:
        try:
            return fn(state)
        except Exception as error:
            raise CallbackFailed(error) from None

    return await _ask(
        server, "replace_state", timeout, lambda _, hooks: hooks.transform_state(guarded)
    )


async def get_status(server: Server, timeout: float = 5.0) -> dict[str, Any]:
    """What the behaviour is doing (OTP: the status term and what gen_server puts in it).

    Keys: pid, name, behaviour ("gen_server", ...), module (the callback class), status
    ("running" or "suspended"), hibernating, parent, ancestors, debug (the options that are
    on), log (the events that `log` keeps) and state, both as `format_status` shows them. Of a
    state machine also queue, postponed, timeouts and modules (see `GenStateMachine`).
    """

    def serve(process: Process, hooks: SystemHooks) -> dict[str, Any]:
        log = logged(process)
        return {
            "pid": process.pid,
            "name": process.name,
            "behaviour": hooks.behaviour,
            "module": hooks.callback_module() or process.initial_call,
            "status": "suspended" if _is_suspended(process) else "running",
            "hibernating": hooks.is_hibernating(),
            "parent": process.parent,
            "ancestors": process.ancestors,
            "debug": _options(process),
            **hooks.shown_status(log),
        }

    answer: dict[str, Any] = await _ask(server, "get_status", timeout, serve)
    return answer


def is_hibernating(server: Server) -> bool:
    """Whether a process hibernates (G17), seen from outside: it is not asked, so a time to
    hibernate after goes on. A process that is no behaviour never does.
    """
    hooks = _hooks(_process(server, "is_hibernating", 0.0))
    return hooks is not None and hooks.is_hibernating()


def _is_suspended(process: Process) -> bool:
    return process.extras is not None and process.extras.suspended


# --- suspension and code change -----------------------------------------------------------


async def suspend(server: Server, timeout: float = 5.0) -> None:
    """Stop handling messages: they queue. Suspending twice is fine (S19).

    Only system messages and the EXIT of the parent are looked at until `resume`.
    """
    await _ask(server, "suspend", timeout, lambda process, _: _set_suspended(process, True))


async def resume(server: Server, timeout: float = 5.0) -> None:
    """Go on, with what has queued, in order."""
    await _ask(server, "resume", timeout, lambda process, _: _set_suspended(process, False))


def _set_suspended(process: Process, flag: bool) -> None:
    process.more().suspended = flag
    if isinstance(process, CallbackProcess):
        process.settle()


async def change_code(
    server: Server, module: Any, old_vsn: Any, extra: Any, timeout: float = 5.0
) -> None:
    """Have a suspended process go over to the code that is loaded now.

    module: the callback class, or the module (or its name) that it is found in by its
    qualified name; None for the module it came from, e.g. after ``importlib.reload``.
    old_vsn, extra: handed to the new class's `code_change` with the state. A supervisor
    calls `init` again instead (V19).
    Raises CodeChangeError when the process runs or the change fails; code and state are
    then what they were.
    """
    request = ("change_code", module, old_vsn, extra)

    def serve(process: Process, hooks: SystemHooks) -> None:
        if not _is_suspended(process):
            raise CodeChangeError(("unknown_system_msg", request))
        hooks.change_code(module, old_vsn, extra)

    await _ask(server, "change_code", timeout, serve)


async def terminate(server: Server, reason: Reason, timeout: float = 5.0) -> None:
    """Have a process end through its terminate callback; see `supervisors.stop` to wait.

    Returns when the process has taken the message; nothing else is handled before it ends.
    """

    def serve(process: Process, hooks: SystemHooks) -> None:
        if isinstance(process, CallbackProcess):
            process.more().suspended = True
            process.settle()
            queue: Any = process.runtime
            queue.enqueue(_Termination(process, hooks, reason))
        else:
            assert isinstance(process, TaskProcess)
            hooks.post_terminate(process, reason)

    await _ask(server, "terminate", timeout, serve)


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


async def _configure(
    server: Server, request: str, timeout: float, change: Callable[[Debug], object]
) -> None:
    def serve(process: Process, _: SystemHooks) -> None:
        try:
            change(switch_on(process))
        finally:
            tidy(process)

    await _ask(server, request, timeout, serve)


async def statistics(
    server: Server, flag: bool | Literal["get"] = "get", timeout: float = 5.0
) -> Any:
    """Count what a process does: True begins (anew), False ends, "get" answers.

    The answer has the keys start_time and current_time (seconds on the runtime's clock),
    reductions (messages handled, those taken without being traced included), messages_in,
    messages_out; or is "no_statistics" when nothing is counted. Else None.
    """
    if flag != "get":

        def switch(debug: Debug) -> None:
            debug.statistics = Statistics(debug.process) if flag else None

        return await _configure(server, "statistics", timeout, switch)

    def serve(process: Process, _: SystemHooks) -> Any:
        debug = debug_of(process)
        if debug is None or debug.statistics is None:
            return "no_statistics"
        return debug.statistics.shown(process)

    return await _ask(server, "statistics", timeout, serve)


async def log(
    server: Server,
    flag: bool | int | Literal["get", "print"],
    timeout: float = 5.0,
) -> list[Event] | None:
    """Keep the last events of a process: True for 10, a number for as many, False ends.

    "get" answers them, oldest first; "print" writes them to standard error. None else.
    ValueError for a number below 1.
    """
    if flag in ("get", "print"):
        process = _process(server, "log", timeout)
        events: list[Event] = await _ask(server, "log", timeout, lambda p, _: logged(p))
        if flag == "get":
            return events
        for event in events:
            _print(process, event)
        return None
    if isinstance(flag, str) or (not isinstance(flag, bool) and flag < 1):
        raise ValueError(
            f"log(): {flag!r}; it is True, False, a number of events, 'get' or 'print'"
        )

    def switch(debug: Debug) -> None:
        if flag is False:
            debug.ring = None
        else:
            debug.keep_log(LOG_SIZE if flag is True else flag)

    await _configure(server, "log", timeout, switch)
    return None


async def log_to_file(
    server: Server, path: Path | str | Literal[False], timeout: float = 5.0
) -> None:
    """Append every event of a process to a file as a line of text; False ends it.

    The file is closed when the process ends. Raises OSError when it cannot be opened.
    """

    def switch(debug: Debug) -> None:
        if path is False:
            debug.close_file()
        else:
            debug.open_file(Path(path))

    await _configure(server, "log_to_file", timeout, switch)


async def install(
    server: Server,
    fn: DebugFunction,
    state: Any = None,
    *,
    id: Hashable = None,
    timeout: float = 5.0,
) -> None:
    """Call ``fn(state, event, server)`` for every event of a process.

    What it returns is its next state; "done" removes it, as does an exception. server:
    the process's name or pid. It runs as the process and must be quick. id: what to
    `remove` it by, `fn` itself by default; one that is installed already stays as it is.
    """
    key = fn if id is None else id

    def switch(debug: Debug) -> None:
        debug.functions.setdefault(key, (fn, state))

    await _configure(server, "install", timeout, switch)


async def remove(server: Server, id: Hashable, timeout: float = 5.0) -> None:
    """Remove a debug function by its id, or itself; nothing if there is none."""
    await _configure(server, "remove", timeout, lambda debug: debug.functions.pop(id, None))


async def no_debug(server: Server, timeout: float = 5.0) -> None:
    """Switch everything off: statistics, log, trace, log file, debug functions."""
    await _configure(server, "no_debug", timeout, Debug.clear)


def trace(server: Server, fn: Tracer | bool | None) -> None:
    """Call `fn(event)` for what a process receives, answers and ends with; None stops it.

    Events: ``("in", message)``, ``("out", reply, to)``, ``("exit", reason)``. True writes
    them to standard error as text (standard output may be a protocol's), False stops. `fn`
    runs on the traced process's path and must be quick; a server that is traced is not
    entered directly by its callers, so its messages are seen in the order of its mailbox.
    Works for every process; takes effect at once.
    """
    process = _process(server, "trace", 0.0)
    if fn is True:
        fn = partial(_print, process)
    switch_on(process).tracer = None if fn is False else fn
    tidy(process)


def _print(process: Process, event: Event) -> None:
    python.stderr.write(Debug(process).line(event) + "\n")


__all__ = [
    "CallbackFailed",
    "CodeChangeError",
    "SpecialProcess",
    "SystemHooks",
    "SystemRequest",
    "call",
    "change_code",
    "get_state",
    "get_status",
    "handle_debug",
    "handle_system_msg",
    "install",
    "is_hibernating",
    "log",
    "log_to_file",
    "no_debug",
    "remove",
    "replace_state",
    "resume",
    "special_process",
    "statistics",
    "suspend",
    "terminate",
    "trace",
]
