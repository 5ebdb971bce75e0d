"""Task processes: a coroutine with a trio task, from its start to its end.

WHY death takes a moment: an Erlang process is gone when it is killed. A coroutine has
`finally` blocks and async context managers that own sockets and files; those are its
directly visible resources, and rule P11 wants them released before anyone hears of the
death. So a killed task process is at once not alive (its mail is dropped, further signals
mean nothing), its cancel scope is cancelled, and exit and down signals go out when it
has unwound.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import trio

from ._cell import current_process, current_runtime, require_process, task_process
from ._errors import Finished, Reason, SelfExit, interrupts, reason_of
from ._mailbox import Match, Receiver
from ._pid import Pid, Ref, drop
from ._process import EXITED, EXITING, RUNNING, Monitor, Process, crash_report, finish
from ._runtime import Runtime


class Starting(Protocol):
    """A start in progress: who waits for the process to acknowledge (`_proc_lib`)."""

    def before_end(self, process: TaskProcess) -> None:
        """The process ends without having acknowledged."""


class TaskProcess(Receiver):
    """The record of a process that is a coroutine."""

    __slots__ = (
        "args",
        "behaviour",
        "fn",
        "on_end",
        "scope",
        "starting",
        "task",
    )

    kind = "task"

    def __init__(
        self,
        runtime: Runtime,
        parent: Process | None,
        fn: Callable[..., Awaitable[object]],
        args: tuple[Any, ...],
    ) -> None:
        super().__init__(runtime, parent)
        self.fn = fn
        self.args = args
        self.behaviour: Any = None
        self.starting: Starting | None = None
        self.scope: trio.CancelScope | None = None
        self.on_end: Callable[[], object] | None = None
        self.task: trio.lowlevel.Task | None = None
        self.status = RUNNING

    @classmethod
    def spawn(
        cls,
        fn: Callable[..., Awaitable[object]],
        args: tuple[Any, ...],
        *,
        label: object = None,
        link: bool = False,
        on_end: Callable[[], object] | None = None,
        prepare: Callable[[TaskProcess], object] | None = None,
    ) -> TaskProcess:
        """Make the record, link it if asked, and have trio start the coroutine."""
        parent = require_process("spawn_link()") if link else current_process()
        runtime = current_runtime()
        nursery = runtime.nursery
        process = cls(runtime, parent, fn, args)
        process.on_end = on_end
        if label is not None:
            process.more().label = label
        if link and parent is not None:
            process.link_with(parent)
        if prepare is not None:
            prepare(process)
        nursery.start_soon(process._main, name=f"process {process.pid}")
        return process

    @property
    def initial_call(self) -> str:
        target = self.behaviour if self.behaviour is not None else self.fn
        module = getattr(target, "__module__", "?")
        return f"{module}:{getattr(target, '__qualname__', repr(target))}"

    # --- life and death -----------------------------------------------------------------

    def die(self, reason: Reason) -> bool:
        if self.alive:
            self.exit_reason = reason
            self.status = EXITING
            self.pid._post = drop
            if self.scope is not None:
                self.scope.cancel()
        return False

    async def _main(self) -> None:
        task_process.set(self)
        self.task = trio.lowlevel.current_task()
        crash: tuple[str, Reason] | None = None
        reason: Reason = "normal"
        with trio.CancelScope() as scope:
            self.scope = scope
            try:
                if self.status == EXITING:
                    scope.cancel()
                    await trio.lowlevel.checkpoint()
                await self.fn(*self.args)
            except Finished as finished:
                reason = finished.reason
            except (SelfExit, trio.Cancelled) as stopped:
                if self.status != EXITING:
                    self.die("killed")  # the runtime itself is being closed
                if isinstance(stopped, trio.Cancelled):
                    self._end(self.exit_reason, None)
                    raise
            except BaseException as error:
                if self.status != EXITING or not _only_cancelled(error):
                    crash = reason_of(error)
                    reason = crash[1]
                if interrupts(error):
                    self._end(reason, crash)
                    raise
                if isinstance(error, BaseExceptionGroup):
                    cancelled, _ = error.split(trio.Cancelled)
                    if cancelled is not None:
                        self._end(self.exit_reason or reason, crash)
                        raise cancelled from None
        self._end(self.exit_reason if self.status == EXITING else reason, crash)

    def _end(self, reason: Reason, crash: tuple[str, Reason] | None) -> None:
        if self.status == EXITED:
            return
        if crash is not None and self.status != EXITING:
            crash_report(self, crash[0], reason)
        if self.starting is not None:
            self.starting.before_end(self)
        finish(self, reason)
        self.scope = self.task = None
        if self.on_end is not None:
            self.on_end()


def _only_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.split((trio.Cancelled, SelfExit))[1] is None
    return isinstance(error, trio.Cancelled | SelfExit)


def spawn(fn: Callable[..., Awaitable[object]], *args: Any, label: object = None) -> Pid:
    """Start ``await fn(*args)`` as a process of its own; answers its pid at once.

    label: shown by the shell and in reports. TypeError when `fn` is not an async function.
    """
    require_async(fn)
    return TaskProcess.spawn(fn, args, label=label).pid


def spawn_link(fn: Callable[..., Awaitable[object]], *args: Any, label: object = None) -> Pid:
    """`spawn` and link to it, atomically: even its immediate end is noticed (rule P2)."""
    require_async(fn)
    return TaskProcess.spawn(fn, args, label=label, link=True).pid


def spawn_monitor(
    fn: Callable[..., Awaitable[object]], *args: Any, label: object = None
) -> tuple[Pid, Ref]:
    """`spawn` and monitor it, atomically (rule P2): the pid and the monitor's reference."""
    require_async(fn)
    watcher = require_process("spawn_monitor()")
    process = TaskProcess.spawn(fn, args, label=label)
    ref = Ref()
    monitor = Monitor(ref, watcher, process, process.pid)
    watcher.more().monitors[ref] = monitor
    process.more().monitored_by[ref] = monitor
    return process.pid, ref


def require_async(fn: Callable[..., Awaitable[object]]) -> None:
    from inspect import iscoroutinefunction

    target = getattr(fn, "func", fn)  # functools.partial
    if not iscoroutinefunction(target) and not iscoroutinefunction(
        getattr(target, "__call__", None)  # noqa: B004
    ):
        raise TypeError(
            f"spawn() needs an async function, not {fn!r}; plain callbacks live in a GenServer"
        )


async def receive(match: Match | None = None, *, timeout: float = math.inf) -> Any:
    """Take the first message that `match` accepts; the others stay, in order (rule P15).

    match: ``message -> bool``; None takes any. timeout: seconds; 0 looks once, without
    waiting. Raises `trio.TooSlowError` when nothing matched in time, RuntimeError outside
    a task process. A call to a GenServer shows as ``("$gen_call", from_, request)``, a
    cast as ``("$gen_cast", request)``.
    """
    process = task_process.get()
    if process is None:
        require_process("receive()")
        raise RuntimeError("receive() works only in a task process, not in a plain callback")
    return await process.receive(match, timeout)
