"""System messages: look into any behaviour and steer it (SEMANTICS 1.7).

They travel in a lane of their own, ahead of all mail (DESIGN 2.4), so a flooded server
answers them too; a server that is in the middle of an async callback answers after it. Only
to a process that is written by hand they come as mail (`special_process`).
All functions take a pid or a name and a timeout of 5 seconds; they raise CallExit when
there is nobody ("noproc"), when it takes too long ("timeout") or when the process is no
behaviour ("not_a_behaviour").

A process of another node is asked in the same way, and ``("nodedown", node)`` is one more
cause; functions that are handed over run there, and "there" is also where files are written.

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

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Literal

from ._callback import CallbackProcess
from ._cell import current_process
from ._errors import BadArg, CallExit, Reason
from ._gen_server.calls import ParkedCall, call, hand_over, wait_for
from ._names import Name, resolve
from ._pid import Pid
from ._process import DIRTY, RUNNING, Process, Remote
from ._sys.debug import DebugFunction, Tracer
from ._sys.hooks import CallbackFailed, CodeChangeError, Event, SystemHooks
from ._sys.requests import Raised, hooks_of, post, print_event, serve_now, set_tracer
from ._sys.special import (
    SpecialProcess,
    SystemRequest,
    handle_debug,
    handle_system_msg,
    special_process,
)
from ._task import TaskProcess
from ._timers import require_seconds

Server = Pid | Name


# --- asking -----------------------------------------------------------------------------


def _process(server: Server, request: str, timeout: float) -> Process:
    require_seconds(timeout, f"sys.{request}()", forever=True)
    pid = server if isinstance(server, Pid) else resolve(server)
    process = None if pid is None else pid._process
    if process is None or not process.alive:
        cause = process.exit_reason if isinstance(process, Remote) else "noproc"
        raise CallExit(cause, server, request, timeout)
    if process is current_process():
        raise CallExit("calling_self", server, request, timeout)
    return process


async def _ask(server: Server, timeout: float, *request: Any) -> Any:
    """Have the process serve a request, between two of its messages; its answer."""
    name = request[0]
    process = _process(server, name, timeout)
    if isinstance(process, Remote):
        waiter = ParkedCall(process)
        hand_over(process, waiter, process.system, waiter, request)
    else:
        hooks = hooks_of(process)
        if hooks is None:
            raise CallExit("not_a_behaviour", server, name, timeout)
        if isinstance(process, CallbackProcess):
            if process.status in (RUNNING, DIRTY):
                raise CallExit("calling_self", server, name, timeout)
            return serve_now(process, hooks, request)
        assert isinstance(process, TaskProcess)
        waiter = ParkedCall(process)
        hand_over(process, waiter, post, process, hooks, request, waiter)
    answer = await wait_for(waiter, process, server, name, timeout)
    if isinstance(answer, Raised):
        raise answer.error
    return answer


# --- state and status -------------------------------------------------------------------


async def get_state(server: Server, timeout: float = 5.0) -> Any:
    """The state of a behaviour, as it is between two messages."""
    return await _ask(server, timeout, "get_state")


async def replace_state(server: Server, fn: Callable[[Any], Any], timeout: float = 5.0) -> Any:
    """Put ``fn(state)`` in the place of the state and answer it.

    Raises CallbackFailed when `fn` raises; the state is kept (S19).
    """
    return await _ask(server, timeout, "replace_state", fn)


async def get_status(server: Server, timeout: float = 5.0) -> dict[str, Any]:
    """What the behaviour is doing (OTP: the status term and what gen_server puts in it).

    Keys: pid, name, behaviour ("gen_server", ...), module (the callback class), status
    ("running" or "suspended"), hibernating, parent, ancestors, debug (the options that are
    on), log (the events that `log` keeps) and state, both as `format_status` shows them. Of a
    state machine also queue, postponed, timeouts and modules (see `GenStateMachine`).
    """
    answer: dict[str, Any] = await _ask(server, timeout, "get_status")
    return answer


def is_hibernating(server: Server) -> bool:
    """Whether a process hibernates (G17), seen from outside: it is not asked, so a time to
    hibernate after goes on. A process that is no behaviour never does. BadArg for a process of
    another node, which has to be asked: `get_status`.
    """
    process = _process(server, "is_hibernating", 0.0)
    if isinstance(process, Remote):
        raise BadArg(f"is_hibernating(): {process.pid} lives on another node; use get_status()")
    hooks = hooks_of(process)
    return hooks is not None and hooks.is_hibernating()


# --- suspension and code change -----------------------------------------------------------


async def suspend(server: Server, timeout: float = 5.0) -> None:
    """Stop handling messages: they queue. Suspending twice is fine (S19).

    Only system messages and the EXIT of the parent are looked at until `resume`.
    """
    await _ask(server, timeout, "suspend")


async def resume(server: Server, timeout: float = 5.0) -> None:
    """Go on, with what has queued, in order."""
    await _ask(server, timeout, "resume")


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
    await _ask(server, timeout, "change_code", module, old_vsn, extra)


async def terminate(server: Server, reason: Reason, timeout: float = 5.0) -> None:
    """Have a process end through its terminate callback; see `supervisors.stop` to wait.

    Returns when the process has taken the message; nothing else is handled before it ends.
    """
    await _ask(server, timeout, "terminate", reason)


# --- debugging ----------------------------------------------------------------------------


async def statistics(
    server: Server, flag: bool | Literal["get"] = "get", timeout: float = 5.0
) -> Any:
    """Count what a process does: True begins (anew), False ends, "get" answers.

    The answer has the keys start_time and current_time (seconds on the runtime's clock),
    reductions (messages handled, those taken without being traced included), messages_in,
    messages_out; or is "no_statistics" when nothing is counted. Else None.
    """
    return await _ask(server, timeout, "statistics", flag)


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
        events: list[Event] = await _ask(server, timeout, "log", "get")
        if flag == "get":
            return events
        for event in events:
            print_event(process, event)
        return None
    if isinstance(flag, str) or (not isinstance(flag, bool) and flag < 1):
        raise ValueError(
            f"log(): {flag!r}; it is True, False, a number of events, 'get' or 'print'"
        )
    await _ask(server, timeout, "log", flag)
    return None


async def log_to_file(
    server: Server, path: Path | str | Literal[False], timeout: float = 5.0
) -> None:
    """Append every event of a process to a file as a line of text; False ends it.

    The file is closed when the process ends. Raises OSError when it cannot be opened.
    """
    await _ask(server, timeout, "log_to_file", path)


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
    await _ask(server, timeout, "install", fn if id is None else id, fn, state)


async def remove(server: Server, id: Hashable, timeout: float = 5.0) -> None:
    """Remove a debug function by its id, or itself; nothing if there is none."""
    await _ask(server, timeout, "remove", id)


async def no_debug(server: Server, timeout: float = 5.0) -> None:
    """Switch everything off: statistics, log, trace, log file, debug functions."""
    await _ask(server, timeout, "no_debug")


def trace(server: Server, fn: Tracer | bool | None) -> None:
    """Call `fn(event)` for what a process receives, answers and ends with; None stops it.

    Events: ``("in", message)``, ``("out", reply, to)``, ``("exit", reason)``. True writes
    them to standard error as text (standard output may be a protocol's), False stops. `fn`
    runs on the traced process's path and must be quick; a server that is traced is not
    entered directly by its callers, so its messages are seen in the order of its mailbox.
    Works for every process; takes effect at once, for one of another node before what is sent
    to it afterwards.
    """
    process = _process(server, "trace", 0.0)
    if isinstance(process, Remote):
        process.system(None, ("trace", fn))
    else:
        set_tracer(process, fn)


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
