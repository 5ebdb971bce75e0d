"""The runtime: process table, names, reports, timers, run queue, one system nursery.

Everything a node of processes shares. One is opened per trio run, normally by `run` or
``async with Runtime()``; when it closes, every process that is left is killed, as when an
Erlang node halts.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import Token
from itertools import count
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import trio

from ._cell import active_runtime, cell, task_process
from ._errors import Exit, unwinds
from ._pid import Pid
from ._process import Process, signal_exit
from ._reports import Reports, Subscriber
from ._scheduler import Scheduler
from ._timers import Timers

if TYPE_CHECKING:
    from .distribution.endpoint import Endpoint

T = TypeVar("T")

GC_THRESHOLD: Final = 10_000
"""New container objects between two young collections, in a program started by `run`."""
GC_RARER: Final = 2
"""How many times as many young collections go by before an older generation is looked at: with
100,000 processes a full collection takes some 70 ms."""

_serials = count()
"""Runtimes of this run of Python; `CREATION` of `_pid` tells runs apart."""

_open: list[int] = []
"""The thread of each runtime that is open: always one and the same, for what runs now is
known to all of them by one `cell`."""


class Runtime:
    """A node of processes.

    node: its name, part of every pid. Use as ``async with Runtime() as runtime:``; inside,
    `spawn`, `GenServer.start` and the rest find it by themselves.
    """

    def __init__(self, node: str = "node") -> None:
        self.node = node
        self.serial = next(_serials)
        self.table: dict[Pid, Process] = {}
        self.names: dict[str, Pid] = {}
        self.reports = Reports()
        self.timers = Timers()
        self.scheduler = Scheduler()
        self.queue = self.scheduler.queue
        self.enqueue = self.scheduler.enqueue
        self.next_turn = self.scheduler.next_turn
        self.exit_stop: Callable[[], None] | None = None
        self._ids = 0
        self._nursery_manager: Any = None
        self._nursery: trio.Nursery | None = None
        self._endpoint: Endpoint | None = None
        self._token: Token[Runtime | None] | None = None

    # --- life -----------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._nursery_manager is not None:
            raise RuntimeError("a Runtime can be opened once; make a new one")
        if _open and _open[0] != get_ident():
            raise RuntimeError(
                "another thread has a Runtime open: processes live in one thread of a program, "
                "where there may be several runtimes; for a second core start a second program"
            )
        self._nursery_manager = trio.open_nursery(strict_exception_groups=True)
        nursery = await self._nursery_manager.__aenter__()
        self._nursery = nursery
        _open.append(get_ident())
        self._token = active_runtime.set(self)
        cell.clock = trio.lowlevel.current_clock().current_time
        cell.thread = get_ident()
        nursery.start_soon(self.scheduler.run, name="supervisors scheduler")
        nursery.start_soon(self.timers.run, name="supervisors timers")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # No process raises into the nursery, so what the body raised leaves as it is,
        # not wrapped in a group.
        assert self._nursery is not None
        assert self._token is not None
        active_runtime.reset(self._token)
        if self._endpoint is not None:
            self._endpoint.close()
        for pid in list(self.table):
            if pid._process is not None:
                signal_exit(pid._process, pid, "kill", linked=False)
        self._nursery.cancel_scope.cancel()
        try:
            await self._nursery_manager.__aexit__(None, None, None)
        except BaseExceptionGroup as group:
            if group.split(KeyboardInterrupt)[1] is not None:
                raise
            raise KeyboardInterrupt from group
        finally:
            _open.pop()

    @contextmanager
    def active(self) -> Iterator[Self]:
        """``with runtime.active():`` what is started inside is started here, as by no process.

        For programs that have several runtimes open at a time: otherwise it is the current
        process that decides, and outside of processes the one that was opened last.
        """
        runtime_token, process_token = active_runtime.set(self), task_process.set(None)
        current = cell.current
        cell.current = None
        try:
            yield self
        finally:
            if current is not None:
                cell.current = current
            task_process.reset(process_token)
            active_runtime.reset(runtime_token)

    # --- what the kernel's other modules use ------------------------------------------

    @property
    def nursery(self) -> trio.Nursery:
        """The system nursery; RuntimeError when the runtime is not open."""
        if self._nursery is None:
            raise RuntimeError("this Runtime is not open; use `async with Runtime():`")
        return self._nursery

    @property
    def endpoint(self) -> Endpoint:
        """This node's end of the distribution, made on first use."""
        if self._endpoint is None:
            from .distribution.endpoint import Endpoint

            self._endpoint = Endpoint(self)
        return self._endpoint

    @property
    def distributed(self) -> bool:
        """Whether it has anything to do with other nodes."""
        return self._endpoint is not None

    def new_pid(self) -> Pid:
        self._ids += 1
        return Pid(self.node, self._ids, self.serial)

    # --- what everybody may ask ---------------------------------------------------------

    def now(self) -> float:
        """Seconds on trio's clock: virtual under a MockClock."""
        return trio.current_time()

    def processes(self) -> list[Pid]:
        """The pids of all live processes, oldest first."""
        return [pid for pid, process in self.table.items() if process.alive]

    def find(self, node: str, id: int, serial: int) -> Pid | None:
        """The pid of a live process from its numbers, None when there is none."""
        for pid in self.table:
            if pid.id == id and pid.serial == serial and pid.node == node:
                return pid
        return None

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Get every report from now on: see `supervisors.Report`; answers how to stop."""
        return self.reports.subscribe(subscriber)


def run(
    async_fn: Callable[..., Awaitable[T]],
    *args: Any,
    node: str = "node",
    clock: trio.abc.Clock | None = None,
    log: bool = True,
) -> T:
    """``trio.run`` with a runtime open and `async_fn` running as its first process.

    Returns what it returns. Raises `Exit` when the process was ended by a signal, and
    whatever it raised itself. Every other process is killed when it is done.

    log: as long as nobody subscribes to reports (`Runtime.subscribe`), those of level warning
    and above are printed to standard error; False leaves it silent. A `Runtime` that is
    opened otherwise prints nothing.

    While it runs, Python's cyclic garbage collector starts at `GC_THRESHOLD` new objects
    instead of 700: processes are records that die by reference count, and looking at the
    young ones after every few hundred starts takes half the time of a start. A full
    collection, which holds everybody up, becomes `GC_RARER` squared times as rare. A
    threshold that was set to something else than Python's own is left alone.
    """
    from ._printing import Printer  # it needs what needs this module
    from ._task import TaskProcess

    printer = Printer() if log else None

    async def main() -> T:
        async with Runtime(node) as runtime:
            runtime.reports.unheard = printer
            done = trio.Event()
            box: list[T] = []
            failed: list[BaseException] = []

            async def first() -> None:
                try:
                    box.append(await async_fn(*args))
                except BaseException as error:
                    if unwinds(error):
                        raise
                    failed.append(error)

            process = TaskProcess.spawn(first, (), label="main", on_end=done.set)
            await done.wait()
            if failed:
                raise failed[0]
            if not box:
                raise Exit(process.exit_reason)
            return box[0]

    before = gc.get_threshold()
    if before[0] in (700, 2000):  # Python 3.11-3.13, and 3.14
        gc.set_threshold(GC_THRESHOLD, *(GC_RARER * n for n in before[1:]))
    try:
        return trio.run(main, clock=clock)
    finally:
        gc.set_threshold(*before)
        if printer is not None:
            printer.close()
