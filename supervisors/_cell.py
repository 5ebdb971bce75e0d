"""What the whole kernel looks at on every message: who runs, and how long it may go on.

WHY a cell and not contextvars alone: a callback process runs on the stack of whoever
dispatches it (DESIGN 2.2), so "the current process" changes several million times a
second and must cost one attribute store. Task processes keep theirs in a context
variable, which trio carries across every suspension for them; the cell overrides it only
while a plain callback runs, and a plain callback never suspends.

WHY a budget in slices: a turn ends by count, so that runs can be repeated, and by time, so
that heavy callbacks hold nobody up. The clock costs as much as a third of a call. So who
runs decrements `budget`, and only when that slice is used up does `look` read the clock and
cut the next one, small at first and larger as long as slices are quick.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from threading import get_ident
from time import perf_counter
from typing import TYPE_CHECKING, Final

from trio.lowlevel import current_task

if TYPE_CHECKING:
    import trio

    from ._process import Process
    from ._runtime import Runtime
    from ._task import TaskProcess

BUDGET: Final = 2000
"""Reductions (messages handled or calls made) of one turn of the loop: rule P17."""
TURN: Final = 0.001
"""Seconds after which whoever runs lets others run, however few reductions it has made."""
GRACE: Final = 16
"""Reductions for each task that trio wakes in a turn whose budget others have used up: trio runs
it in this turn anyway, and to put it off would cost more than the few it wants. Also the first
slice of a task that has not been seen to run."""
FIRST: Final = 4
"""Reductions before the first look at the clock."""
CHUNK: Final = 512
"""Reductions at most between two looks."""
GROWTH: Final = 8
"""How much larger the slice is that follows a quick one."""
QUICK: Final = 0.000_1
"""Seconds: a slice that took less was quick."""
SLOW: Final = 0.000_5
"""Seconds: after a slice that took more, each reduction is timed."""


class Cell:
    """The mutable heart of the dispatcher; there is exactly one, in the trio thread.

    current: the process whose plain callback runs. depth: servers entered inside each other
    by `_borrow`. step: the task that trio runs, while a borrowed one stands in for it.
    budget: reductions before the next look. clock: trio's, so that virtual time decides
    in tests. thread: that of the loop, once a runtime was open.
    """

    __slots__ = (
        "_left",
        "_looked",
        "_points",
        "_since",
        "_slice",
        "_task",
        "_used",
        "budget",
        "clock",
        "current",
        "depth",
        "step",
        "thread",
    )

    def __init__(self) -> None:
        self.current: Process | None = None
        self.depth = 0
        self.step: trio.lowlevel.Task | None = None
        self.clock: Callable[[], float] = perf_counter
        self.thread = 0
        self._task = 0
        self._points = self._used = 0
        self._looked = self._since = 0.0
        self.budget = self._slice = FIRST
        self._left = BUDGET - FIRST

    def refill(self) -> None:
        """A turn begins, of the task that runs now, and with it a new budget."""
        self.budget = self._slice = self._used = FIRST
        self._left = BUDGET - FIRST
        task = self.step or current_task()
        self._task = id(task)  # nothing here keeps a task alive
        self._points = getattr(task, "_schedule_points", 0)
        self._looked = self._since = self.clock()

    def unused(self) -> int:
        """Reductions that are left of this turn."""
        return self.budget + self._left

    def look(self) -> bool:
        """Cut the next slice; False when whoever runs now has to let others run.

        That is, when it has run for `TURN` seconds, or the budget is used up and so is its
        `GRACE`: who only wants to take a message and wait again, or to serve one request and
        read the next, does not stand in line behind those who never wait.
        """
        now = self.clock()
        task = self.step or current_task()
        # How often trio has run the task: both together mean one uninterrupted run of it.
        # Not public; without it a run would last for as long as no other task is seen.
        points = getattr(task, "_schedule_points", 0)
        left = self._left + self.budget
        self.budget = 0
        if fresh := id(task) != self._task or points != self._points:
            self._task, self._points, self._since = id(task), points, now
            self._used = 0
            self._slice = GRACE
        elif now - self._since > TURN:
            self._left = left
            self._used = BUDGET
            return False
        elif now - self._looked < QUICK:
            self._slice = min(GROWTH * self._slice, CHUNK)
        elif now - self._looked > SLOW:
            self._slice = 1
        self._looked = now
        if left > 0:
            granted = min(self._slice, left)
        elif fresh:
            granted = left = GRACE
        else:
            self._left = left
            return False
        self.budget = granted
        self._left = left - granted
        self._used += granted
        return True

    def one_at_a_time(self) -> None:
        """What comes next is of unknown weight: have the clock looked at after one more."""
        self._slice = 1

    def greedy(self) -> bool:
        """Whether the run that was just refused has had a large part of the turn itself."""
        return self._used >= BUDGET // 2


cell = Cell()

task_process: ContextVar[TaskProcess | None] = ContextVar("supervisors.process", default=None)
active_runtime: ContextVar[Runtime | None] = ContextVar("supervisors.runtime", default=None)


def not_in_this_thread() -> RuntimeError:
    """What a thread beside the loop gets for waking somebody there: only trio can do that."""
    return RuntimeError(
        "this thread is not the one the processes live in; let trio take it there: "
        "trio.from_thread.run_sync(send, pid, message), trio.from_thread.run(call, pid, request)"
    )


def current_process() -> Process | None:
    """The process whose code is running, or None in a trio task that is no process."""
    return _in_this_thread(cell.current) or task_process.get()


def _in_this_thread(current: Process | None) -> Process | None:
    """`cell.current`, unless it is the loop's and this a thread beside it (`blocking`)."""
    return None if current is None or get_ident() != cell.thread else current


def require_process(doing: str) -> Process:
    """The current process; RuntimeError naming `doing` when there is none."""
    process = _in_this_thread(cell.current) or task_process.get()
    if process is None:
        raise RuntimeError(
            f"{doing} works only inside a process; start one with supervisors.spawn() "
            "or run the program with supervisors.run()"
        )
    return process


def current_runtime() -> Runtime:
    """The runtime of the current process, else the innermost `async with Runtime()`.

    Raises RuntimeError when no runtime is open in this trio run.
    """
    process = cell.current or task_process.get()
    if process is not None:
        return process.runtime
    runtime = active_runtime.get()
    if runtime is None:
        raise RuntimeError(
            "no supervisors.Runtime is open here; use `async with supervisors.Runtime():` "
            "or supervisors.run()"
        )
    return runtime
