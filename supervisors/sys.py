"""System messages: look into any behaviour and steer it (SEMANTICS 1.7).

They travel in a lane of their own, ahead of all mail (DESIGN 2.4), so a flooded server
answers them too; a server that is in the middle of an async callback answers after it.
All functions take a pid or a registered name and a timeout of 5 seconds; they raise
CallExit when there is nobody ("noproc"), when it takes too long ("timeout") or when the
process is no behaviour ("not_a_behaviour").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._callback import CallbackProcess
from ._cell import current_process
from ._errors import CallExit, Reason, format_reason
from ._gen_server.calls import ParkedCall, call, wait_for, watch
from ._gen_server.plain import PlainServer
from ._gen_server.reporting import shown_status
from ._gen_server.task import TaskServer
from ._names import resolve
from ._pid import Pid
from ._process import DIRTY, RUNNING, STATUS_NAMES, Process
from ._task import TaskProcess


class CallbackFailed(Exception):
    """The function given to `replace_state` raised; the state is what it was.

    reason: what it raised.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"callback failed: {format_reason(self.reason)}"


def _process(server: Pid | str, request: str, timeout: float) -> Process:
    pid = resolve(server) if isinstance(server, str) else server
    process = None if pid is None else pid._process
    if process is None or not process.alive:
        raise CallExit("noproc", server, request, timeout)
    if process is current_process():
        raise CallExit("calling_self", server, request, timeout)
    return process


async def _ask(
    server: Pid | str, request: str, timeout: float, serve: Callable[[Process], Any]
) -> Any:
    """Have `serve(process)` run between two messages of the process; its result."""
    process = _process(server, request, timeout)
    if isinstance(process, CallbackProcess):
        if process.status in (RUNNING, DIRTY):
            raise CallExit("calling_self", server, request, timeout)
        answer = serve(process)
        if isinstance(process, PlainServer):
            process.renew_timeout()
    else:
        assert isinstance(process, TaskProcess)
        if process.sys is None:
            raise CallExit("not_a_behaviour", server, request, timeout)
        waiter = ParkedCall(process)
        watch(process, waiter)
        process.post_system(lambda: waiter.answer(_guarded(serve, process)))
        answer = await wait_for(waiter, process, server, request, timeout)
        if isinstance(answer, _Raised):
            raise answer.error
    return answer


class _Raised:
    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


def _guarded(serve: Callable[[Process], Any], process: Process) -> Any:
    try:
        return serve(process)
    except Exception as error:
        return _Raised(error)


def _state(process: Process) -> Any:
    if isinstance(process, PlainServer):
        return process.state
    assert isinstance(process, TaskProcess)
    assert process.sys is not None
    return process.sys.get_state()


async def get_state(server: Pid | str, timeout: float = 5.0) -> Any:
    """The state of a behaviour, as it is between two messages."""
    return await _ask(server, "get_state", timeout, _state)


async def replace_state(server: Pid | str, fn: Callable[[Any], Any], timeout: float = 5.0) -> Any:
    """Put ``fn(state)`` in the place of the state and answer it.

    Raises CallbackFailed when `fn` raises; the state is kept (S19).
    """

    def serve(process: Process) -> Any:
        try:
            state = fn(_state(process))
        except Exception as error:
            raise CallbackFailed(error) from None
        if isinstance(process, PlainServer):
            process.state = state
        else:
            assert isinstance(process, TaskProcess)
            assert process.sys is not None
            process.sys.replace_state(state)
        return state

    return await _ask(server, "replace_state", timeout, serve)


async def get_status(server: Pid | str, timeout: float = 5.0) -> dict[str, Any]:
    """What the behaviour is doing.

    Keys: pid, name, module, status ("running" or "suspended"), parent, state (as the
    server's `format_status` shows it).
    """

    def serve(process: Process) -> dict[str, Any]:
        module: Any = None
        if isinstance(process, PlainServer):
            module = process.module
        elif isinstance(process, TaskProcess) and isinstance(process.sys, TaskServer):
            module = process.sys.module
        state = _state(process)
        if module is not None:
            state = shown_status(process, module, state, None, None)["state"]
        suspended = process.extras is not None and process.extras.suspended
        return {
            "pid": process.pid,
            "name": process.name,
            "module": process.initial_call,
            "status": "suspended" if suspended else "running",
            "parent": process.parent,
            "state": state,
        }

    answer: dict[str, Any] = await _ask(server, "get_status", timeout, serve)
    return answer


async def suspend(server: Pid | str, timeout: float = 5.0) -> None:
    """Stop handling messages: they queue. Suspending twice is fine (S19)."""
    await _ask(server, "suspend", timeout, lambda process: _set_suspended(process, True))


async def resume(server: Pid | str, timeout: float = 5.0) -> None:
    """Go on, with what has queued, in order."""
    await _ask(server, "resume", timeout, lambda process: _set_suspended(process, False))


def _set_suspended(process: Process, flag: bool) -> None:
    process.more().suspended = flag
    if isinstance(process, CallbackProcess):
        process.settle()


async def statistics(server: Pid | str, timeout: float = 5.0) -> dict[str, Any]:
    """Counters of one behaviour: messages_in, message_queue_len, status."""

    def serve(process: Process) -> dict[str, Any]:
        return {
            "messages_in": process.messages_in,
            "message_queue_len": process.queue_length(),
            "status": STATUS_NAMES[process.status],
        }

    answer: dict[str, Any] = await _ask(server, "statistics", timeout, serve)
    return answer


def trace(server: Pid | str, fn: Callable[[tuple[Any, ...]], object] | None) -> None:
    """Call `fn(event)` for what a process receives, answers and ends with; None stops it.

    Events: ``("in", message)``, ``("out", reply, to)``, ``("exit", reason)``. `fn` runs on
    the traced process's path and must be quick; a server that is traced is not entered
    directly by its callers, so its messages are seen in the order of its mailbox.
    """
    process = _process(server, "trace", 0.0)
    process.more().debug = fn
    if isinstance(process, CallbackProcess) and process.status not in (RUNNING, DIRTY):
        process.settle()


async def terminate(server: Pid | str, reason: Reason, timeout: float = 5.0) -> None:
    """Stop a server through its terminate callback: see `supervisors.stop`."""
    from ._gen_server.stop import stop

    await stop(server, reason, timeout)


__all__ = [
    "CallbackFailed",
    "call",
    "get_state",
    "get_status",
    "replace_state",
    "resume",
    "statistics",
    "suspend",
    "terminate",
    "trace",
]
