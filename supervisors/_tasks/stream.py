"""async_stream: a task for each item, a limited number at a time.

WHY no links and no mailbox: a stream makes one process per item, and its consumer's
mailbox is not the place for their answers and ends. Each task carries a `_Run` among those
who are told of its end, and the stream one among those who are told of the consumer's. A
crash is passed on to the consumer as by a link; normal ends leave no trace.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal, Self

import trio

from .._cell import require_process, task_process
from .._errors import BadArg, Exit, Reason
from .._pid import Pid
from .._process import Process, Watch, signal_exit
from .._timers import TimerRef
from .running import Done, Fn, callers_of_next, spawn_task

OnTimeout = Literal["exit", "kill_task"]
Result = tuple[Literal["ok", "exit"], Any]
Spawn = Callable[
    [Fn, tuple[Any, ...], tuple[Pid, ...], Done, Callable[[Process], object]], Awaitable[object]
]


async def spawn_here(
    fn: Fn,
    args: tuple[Any, ...],
    asked_by: tuple[Pid, ...],
    done: Done,
    prepare: Callable[[Process], object],
) -> Pid:
    """Start a task of a stream as a child of the consumer."""
    return spawn_task(fn, args, asked_by=asked_by, done=done, prepare=prepare)


class _Run(Watch):
    """One item on its way."""

    __slots__ = ("answered", "process", "result", "stream", "timer", "value")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.process: Process | None = None
        self.timer: TimerRef | None = None
        self.answered = False
        self.value: Any = None
        self.result: Result | None = None

    def begin(self, process: Process) -> None:
        self.process = process
        if self.result is not None:  # given up while its supervisor was starting it
            self.stop()
            return
        process.more().monitored_by[self] = self  # type: ignore[index]
        if self.stream.timeout != math.inf:
            self.timer = process.runtime.timers.add(self.stream.timeout, self.late)

    def done(self, value: Any) -> None:
        self.answered, self.value = True, value

    def late(self) -> None:
        self.timer = None
        self.settle(("exit", "timeout"))
        self.stop()
        if self.stream.on_timeout == "exit":
            self.stream.timed_out = True

    def down(self, pid: Pid, reason: Reason) -> None:
        if self.answered:
            self.settle(("ok", self.value))
            return
        self.settle(("exit", reason))
        consumer = self.stream.consumer
        if self.stream.linked and not consumer.trap_exit:
            signal_exit(consumer, pid, reason, linked=True)

    def settle(self, result: Result) -> None:
        if self.result is not None:
            return
        self.result = result
        if self.timer is not None and self.process is not None:
            self.process.runtime.timers.cancel(self.timer)
        self.stream.settled(self)

    def stop(self) -> None:
        """End the task, of which nothing is wanted any more."""
        process = self.process
        if process is not None:
            if process.extras is not None:
                process.extras.monitored_by.pop(self, None)  # type: ignore[call-overload]
            signal_exit(process, process.pid, "kill", linked=False)


class Stream(Watch):
    """The results of `Task.async_stream` and its likes: an asynchronous iterator of
    ``("ok", value)`` and, for a task that ended without one, ``("exit", reason)``.

    items: anything iterable, read as tasks are started: when the consumer asks for the
        next result and fewer than `max_concurrency` (default: the number of CPUs) run.
    ordered: results in the order of the items; otherwise as they come.
    timeout: seconds for each task; past them it is killed and the consumer ends (Exit
        ``("timeout", ("task", "async_stream", (timeout,)))``), or with on_timeout
        "kill_task" the result is ``("exit", "timeout")``.
    linked: a crash of a task ends the consumer as a link would, unless it traps exits.

    Only the process that made it may iterate. When that process ends, or leaves a loop
    through ``async with`` or `aclose`, the tasks that still run are killed.
    """

    __slots__ = (
        "_asked_by",
        "_buffer",
        "_exhausted",
        "_fresh",
        "_items",
        "_limit",
        "_ordered",
        "_running",
        "_spawn",
        "args",
        "consumer",
        "fn",
        "linked",
        "on_timeout",
        "timed_out",
        "timeout",
    )

    def __init__(
        self,
        items: Iterable[Any],
        fn: Fn,
        args: tuple[Any, ...],
        spawn: Spawn,
        max_concurrency: int | None,
        ordered: bool,
        timeout: float,
        on_timeout: OnTimeout,
        *,
        linked: bool,
    ) -> None:
        if max_concurrency is not None and max_concurrency < 1:
            raise BadArg(f"max_concurrency={max_concurrency!r}; it is a whole number >= 1")
        if on_timeout not in ("exit", "kill_task"):
            raise BadArg(f"on_timeout={on_timeout!r}; it is 'exit' or 'kill_task'")
        self.consumer = require_process("async_stream()")
        self.fn = fn
        self.args = args
        self.linked = linked
        self.timeout = timeout
        self.on_timeout = on_timeout
        self.timed_out = False
        self._asked_by = callers_of_next()
        self._items = iter(items)
        self._spawn = spawn
        self._limit = max_concurrency or os.cpu_count() or 1
        self._ordered = ordered
        self._exhausted = False
        self._running: dict[_Run, None] = {}
        self._buffer: deque[_Run] = deque()
        self._fresh = trio.Event()

    # --- told by the runs -------------------------------------------------------------

    def settled(self, run: _Run) -> None:
        """A task has its result."""
        self._running.pop(run, None)
        if not self._ordered:
            self._buffer.append(run)
        self._fresh.set()

    def down(self, pid: Pid, reason: Reason) -> None:
        """The consumer has ended."""
        self._abandon()

    def _abandon(self) -> None:
        self._exhausted = True
        running, self._running = self._running, {}
        self._buffer.clear()
        for run in running:
            run.result = ("exit", "killed")
            if run.timer is not None:
                self.consumer.runtime.timers.cancel(run.timer)
            run.stop()

    # --- iterating --------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Result:
        process = task_process.get()
        if process is not self.consumer:
            raise BadArg(f"this stream of tasks belongs to {self.consumer.pid}")
        while True:
            self._fresh = trio.Event()
            await self._fill()
            if self.timed_out:
                await self.aclose()
                raise Exit(("timeout", ("task", "async_stream", (self.timeout,))))
            if self._buffer and self._buffer[0].result is not None:
                return self._buffer.popleft().result  # type: ignore[return-value]
            if not self._buffer and not self._running:
                self._leave()
                raise StopAsyncIteration
            await self._fresh.wait()

    async def _fill(self) -> None:
        while not self._exhausted and len(self._running) < self._limit:
            try:
                item = next(self._items)
            except StopIteration:
                self._exhausted = True
                return
            run = _Run(self)
            self._running[run] = None
            watches = self.consumer.more().monitored_by
            watches[self] = self  # type: ignore[index]
            if self._ordered:
                self._buffer.append(run)
            try:
                await self._spawn(self.fn, (item, *self.args), self._asked_by, run.done, run.begin)
            except BaseException:
                await self.aclose()
                raise

    def _leave(self) -> None:
        if self.consumer.extras is not None:
            self.consumer.extras.monitored_by.pop(self, None)  # type: ignore[call-overload]

    async def aclose(self) -> None:
        """Stop early: kill the tasks that still run."""
        self._abandon()
        self._leave()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()
