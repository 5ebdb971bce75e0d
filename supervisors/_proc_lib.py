"""The start protocol: start a task process and wait until it says it is ready (1.2).

A process started here runs its own initialisation and then calls `init_ack`; until then
its starter waits. If it ends first, the starter gets StartError with the reason, after
the process is gone and its name free (OTP 26). Behaviours on task processes (supervisors,
servers with async callbacks, listeners) are all started this way.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, Literal, overload

import trio
from outcome import Error, Value

from ._cell import current_process, current_runtime, require_process
from ._errors import Finished, Ignore, Reason, StartError
from ._names import NO_NAMES, Name, claim, free_to_start
from ._pid import Pid, Ref
from ._process import EXITING, Monitor, Process, Watch, signal_exit
from ._signals import demonitor
from ._task import TaskProcess, require_async
from ._timers import require_seconds

Prepare = Callable[[Process], object]
"""What is done with a process before it runs."""


class Handshake(Watch):
    """One start in progress, seen from both ends."""

    __slots__ = ("error", "linked_to", "outcome", "task")

    def __init__(self, linked_to: Process | None) -> None:
        self.linked_to = linked_to
        self.task: trio.lowlevel.Task | None = None
        self.outcome: Value[Any] | Error | None = None
        self.error: Exception | None = None

    def settle(self, outcome: Value[Any] | Error) -> None:
        if self.outcome is None:
            self.outcome = outcome
            if self.task is not None:
                trio.lowlevel.reschedule(self.task, outcome)

    def down(self, pid: Pid, reason: Reason) -> None:
        self.settle(Error(self.error or StartError(reason)))

    def before_end(self, process: TaskProcess) -> None:
        """A parent that traps exits hears of a failed start from `start` alone (OTP 26)."""
        parent = self.linked_to
        if parent is not None and parent.trap_exit:
            process.unlink_from(parent)


async def start(
    fn: Callable[..., Awaitable[object]],
    *args: Any,
    name: Name | None = None,
    link: bool = False,
    timeout: float = math.inf,
    label: object = None,
    behaviour: object = None,
    prepare: Prepare | None = None,
) -> Any:
    """Start ``fn(*args)`` as a process and wait for its `init_ack`.

    Answers the pid, or ``(pid, extra)`` when it acknowledged with an extra. name:
    registered before `fn` runs. behaviour: what reports and the shell show as its code.
    prepare: called with the process before it runs.
    Raises StartError (the reason it ended with, ``("already_started", pid)``, "timeout")
    or Ignore.
    """
    require_seconds(timeout, "a start's timeout", forever=True)
    parent = require_process("start_link()") if link else current_process()
    runtime = current_runtime()
    if name is not None and (type(name) is not str or name in runtime.names or name in NO_NAMES):
        await free_to_start(runtime, name)
    handshake = Handshake(parent if link else None)

    def ready(process: TaskProcess) -> None:
        process.starting = handshake
        process.behaviour = behaviour
        if name is not None:
            claim(name, process)
        process.more().monitored_by[handshake] = handshake  # type: ignore[index]
        if prepare is not None:
            prepare(process)

    process = TaskProcess.spawn(fn, args, label=label, link=link, prepare=ready)

    def give_up() -> None:
        if link and parent is not None:
            process.unlink_from(parent)  # who does not want it any more does not die of it
        signal_exit(process, process.pid, "kill", linked=False)

    def late() -> None:
        if handshake.outcome is None:
            handshake.error = StartError("timeout")
            give_up()

    timer = None if timeout == math.inf else runtime.timers.add(timeout, late)

    def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
        handshake.task = None
        if parent is None or parent.status != EXITING:
            give_up()
        # else the starter is dying: what becomes of the child is for the link to say (G8).
        return trio.lowlevel.Abort.SUCCEEDED

    handshake.task = trio.lowlevel.current_task()
    try:
        return await trio.lowlevel.wait_task_rescheduled(abort)
    except (StartError, Ignore):
        if parent is not None and parent.status == EXITING:
            await trio.lowlevel.checkpoint()
        raise
    finally:
        if timer is not None:
            runtime.timers.cancel(timer)


async def start_monitor(
    fn: Callable[..., Awaitable[object]],
    *args: Any,
    name: Name | None = None,
    link: bool = False,
    timeout: float = math.inf,
    label: object = None,
) -> tuple[Any, Ref]:
    """As `start`, monitored by the calling process: what `start` answers, and the reference.

    Atomic: however soon the process ends, its DOWN has the reason. When it does not start,
    its DOWN is in the mailbox all the same, for the reference that StartError and Ignore
    carry as `monitor` (None when there was no process, its name being taken).
    """
    ref = Ref()
    begun = False

    def prepare(process: Process) -> None:
        nonlocal begun
        begun = True
        _watch(me, process, ref)

    me = require_process("start_monitor()")
    try:
        started = await start(
            fn, *args, name=name, link=link, timeout=timeout, label=label, prepare=prepare
        )
    except (StartError, Ignore) as failed:
        failed.monitor = ref if begun else None
        raise
    except BaseException:
        demonitor(ref, flush=True)
        raise
    return started, ref


async def start_monitored(begin: Callable[[Prepare], Awaitable[Pid]]) -> tuple[Pid, Ref]:
    """How behaviours start with a monitor: `begin` is handed what to prepare a process with.

    A failed start takes its DOWN back (OTP: gen).
    """
    me = require_process("start_monitor()")
    ref = Ref()
    try:
        return await begin(lambda process: _watch(me, process, ref)), ref
    except BaseException:
        demonitor(ref, flush=True)
        raise


def _watch(watcher: Process, process: Process, ref: Ref, tag: object = "DOWN") -> None:
    monitor = Monitor(ref, watcher, process, process.pid, tag)
    watcher.more().monitors[ref] = monitor
    process.more().monitored_by[ref] = monitor


@overload
def spawn_opt(
    fn: Callable[..., Awaitable[object]],
    *args: Any,
    link: bool = False,
    monitor: Literal[False] = False,
    label: object = None,
) -> Pid: ...


@overload
def spawn_opt(
    fn: Callable[..., Awaitable[object]],
    *args: Any,
    link: bool = False,
    monitor: Literal[True],
    tag: object = "DOWN",
    label: object = None,
) -> tuple[Pid, Ref]: ...


def spawn_opt(
    fn: Callable[..., Awaitable[object]],
    *args: Any,
    link: bool = False,
    monitor: bool = False,
    tag: object = "DOWN",
    label: object = None,
) -> Pid | tuple[Pid, Ref]:
    """Start ``await fn(*args)`` as a process, linked and monitored as asked, atomically (P2).

    With `monitor` the pid and the reference, else the pid. tag: stands in the place of
    "DOWN" (P10). Erlang's other options set heap sizes and priorities, which a coroutine
    does not have; for a limit to its mailbox it calls `limit_mailbox`.
    """
    require_async(fn)
    if not monitor:
        return TaskProcess.spawn(fn, args, label=label, link=link).pid
    me = require_process("spawn_opt()")
    ref = Ref()
    process = TaskProcess.spawn(
        fn, args, label=label, link=link, prepare=lambda process: _watch(me, process, ref, tag)
    )
    return process.pid, ref


def _handshake(doing: str) -> tuple[TaskProcess, Handshake]:
    process = require_process(doing)
    if not isinstance(process, TaskProcess) or not isinstance(process.starting, Handshake):
        raise RuntimeError(f"{doing}: this process is not being started by proc_lib.start()")
    return process, process.starting


def init_ack(extra: Any = None) -> None:
    """Tell the starter that this process is ready; it goes on with the pid."""
    process, handshake = _handshake("init_ack()")
    process.starting = None
    process.more().monitored_by.pop(handshake, None)  # type: ignore[call-overload]
    handshake.settle(Value(process.pid if extra is None else (process.pid, extra)))


def init_fail(error: Reason, exit_reason: Reason = "normal") -> None:
    """End this process before it was ready: the starter gets StartError(error).

    The process ends with `exit_reason`, without a crash report (OTP 26: ``init_fail``).
    """
    _, handshake = _handshake("init_fail()")
    handshake.error = StartError(error)
    raise Finished(exit_reason)


def init_ignore() -> None:
    """End this process with "normal" before it was ready: the starter gets Ignore."""
    _, handshake = _handshake("init_ignore()")
    handshake.error = Ignore("the process asked to be ignored")
    raise Finished("normal")
