"""Starting a server of plain callbacks: `init` runs on the starter's stack, as the server.

So the start protocol of `proc_lib` has nothing to wait for, and when a start function returns
the server is idle or has never been.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio

from .._cell import cell, current_runtime, require_process, task_process
from .._errors import Ignore, StartError, Throw, interrupts, reason_of
from .._names import NO_NAMES, Name, claim, free_to_start
from .._pid import Pid
from .._process import EXITED, EXITING, IDLE, RUNNING, Process, crash_report, finish
from . import outcome
from .outcome import STARTED
from .plain import PlainServer

if TYPE_CHECKING:
    from .behaviour import GenServer


async def start_plain(
    cls: type[GenServer],
    args: tuple[Any, ...],
    name: Name | None,
    *,
    link: bool,
    hibernate_after: float | None = None,
    prepare: Callable[[Process], object] | None = None,
) -> Pid:
    """Start a server of plain callbacks: init runs here and now, as the new process."""
    cell.budget -= 1
    if cell.budget <= 0 and not cell.look():
        await current_runtime().next_turn()
    parent = cell.current or task_process.get()
    if parent is not None:
        runtime = parent.runtime
    elif link:
        parent = require_process("start_link()")
        runtime = parent.runtime
    else:
        runtime = current_runtime()
    if name is not None and (type(name) is not str or name in runtime.names or name in NO_NAMES):
        await free_to_start(runtime, name)
    process = PlainServer(runtime, parent, cls.module)
    if name is not None:
        claim(name, process)
    if link:
        assert parent is not None
        process.link_with(parent)
    else:
        process.spawner = process.parent
        process.parent = None  # the EXIT of whom it is not linked to is mail like any other
    if hibernate_after is not None:
        process.more().hibernate_after = hibernate_after
    if prepare is not None:
        prepare(process)
    previous = cell.current
    cell.current = process
    kind = "exit"
    raised: BaseException | None = None
    try:
        value = process.module.init(*args)
        if type(value) is tuple and len(value) == 2 and value[0] == "ok":
            process.state = value[1]
            if process.status == RUNNING and hibernate_after is None:
                process.status = IDLE
                return process.pid
            if process.exit_reason is None:
                process.settle()
                return process.pid
        started = outcome.read_init(value)
    except Throw as thrown:
        started = outcome.read_init(thrown.value)
    except BaseException as error:
        raised = error
        kind, reason = reason_of(error)
        started = outcome.NotStarted(reason, reason, report=True)
    finally:
        cell.current = previous
    if process.exit_reason is not None:  # a signal was deadly while init ran
        started = outcome.NotStarted(process.exit_reason, process.exit_reason, report=False)
    if isinstance(started, outcome.Started):
        cell.current = process
        try:
            process.conclude(outcome.Next(started.state, started.option), STARTED)
        finally:
            cell.current = previous
        if process.status != EXITED:
            process.settle()
        return process.pid
    failed_start(process, parent if link else None, started, kind)
    if raised is not None and interrupts(raised):
        raise raised
    if parent is not None and parent.status == EXITING:
        await trio.lowlevel.checkpoint()
    if started.error is None:
        raise Ignore(f"{cls.__qualname__}.init returned 'ignore'")
    raise StartError(started.error)


def failed_start(
    process: Process, parent: Process | None, failed: outcome.NotStarted, kind: str
) -> None:
    """End a process whose init refused, before its starter hears of it (G2).

    A parent that traps exits gets no EXIT of it: the start function consumes it (OTP 26).
    """
    if parent is not None and parent.trap_exit:
        process.unlink_from(parent)
    if failed.report:
        crash_report(process, kind, failed.reason)
    finish(process, failed.reason)
