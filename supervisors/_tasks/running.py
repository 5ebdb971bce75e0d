"""The process of a task: runs one function, hands its value on and ends.

WHY `callers` beside `ancestors`: a task under a TaskSupervisor is that supervisor's child,
so its ancestors say who started it and not on whose behalf. Logging and tracing want the
latter. Elixir keeps it in the process dictionary as ``$callers``; here it is a context
variable that holds for the one process it was set in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from .._cell import current_process, task_process
from .._pid import Pid
from .._process import Process
from .._task import TaskProcess

Fn = Callable[..., Any]
Done = Callable[[Any], object]

_callers: ContextVar[tuple[Pid, tuple[Pid, ...]] | None] = ContextVar(
    "supervisors.callers", default=None
)


def callers() -> tuple[Pid, ...]:
    """On whose behalf this task runs: who asked for it, who asked for that one, and so on.

    Empty in a process that is no task. Elixir: ``$callers``.
    """
    process = current_process()
    noted = _callers.get()
    if process is None or noted is None or noted[0] is not process.pid:
        return ()
    return noted[1]


def callers_of_next() -> tuple[Pid, ...]:
    """The `callers` of a task that is asked for here and now."""
    process = current_process()
    return () if process is None else (process.pid, *callers())


async def _run(fn: Fn, args: tuple[Any, ...], asked_by: tuple[Pid, ...], done: Done | None) -> None:
    process = task_process.get()
    assert process is not None, "a task runs in a process of its own"
    _callers.set((process.pid, asked_by))
    value = fn(*args)
    if isinstance(value, Awaitable):
        value = await value
    if done is not None:
        done(value)


def spawn_task(
    fn: Fn,
    args: tuple[Any, ...],
    *,
    asked_by: tuple[Pid, ...],
    link: bool = False,
    done: Done | None = None,
    prepare: Callable[[Process], object] | None = None,
) -> Pid:
    """Start the process of a task; `done` is given the value of ``fn(*args)``.

    fn: plain or async. link: to the calling process, the parent either way. prepare: called
    with the record before anything of the process runs.
    """
    if not callable(fn):
        raise TypeError(f"a task runs a function, not {fn!r}")

    def bind(process: TaskProcess) -> None:
        process.behaviour = fn
        if prepare is not None:
            prepare(process)

    return TaskProcess.spawn(_run, (fn, args, asked_by, done), link=link, prepare=bind).pid
