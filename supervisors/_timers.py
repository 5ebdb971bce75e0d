"""Timers: one heap, one trio task, trio's own clock.

WHY not a cancel scope per timer: a call that waits, a gen_server timeout and a
`send_after` all need a deadline that is nearly always cancelled again. Arming one here is
a heap push (about a microsecond); cancelling marks the entry, and the heap is rebuilt when
most of it is cancelled, so it never outgrows the live timers by more than a factor of two.
Prior art: OTP's timer wheel (rule P16), asyncio's `call_later`.

A timer for a process ends with it, as in Erlang. WHY no list of timers per process: nearly
all processes that set one cancel it or live longer. So the timers of the dead are looked for
each time the heap has doubled, and until then count as ended to whoever asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from ._pid import Pid

FEW: Final = 64
"""Timers among which nobody looks for those of the dead."""

_order = count()


def require_seconds(value: object, doing: str, *, forever: bool = False) -> None:
    """Raise ValueError unless `value` can be waited for; with `forever` it may be infinite.

    Looked at before anything is set up: in the heap a nan is neither before nor after others.
    """
    if isinstance(value, int | float) and value >= 0 and (forever or value != math.inf):
        return
    limit = ", math.inf for no limit," if forever else ""
    raise ValueError(f"{doing}: a time is a number of seconds from 0 on{limit} and not {value!r}")


class TimerRef:
    """A running timer; an opaque value to its user. Ordered by deadline, then by age."""

    __slots__ = ("deadline", "dest", "fire", "order")

    def __init__(self, deadline: float, fire: Callable[[], object], dest: Pid | None) -> None:
        self.deadline = deadline
        self.dest = dest
        self.order = next(_order)
        self.fire: Callable[[], object] | None = fire

    @property
    def runs(self) -> bool:
        """Whether it has yet to fire: not cancelled, and its process has not ended."""
        return self.fire is not None and (self.dest is None or self.dest._process is not None)

    def __lt__(self, other: TimerRef) -> bool:
        return (self.deadline, self.order) < (other.deadline, other.order)

    def __repr__(self) -> str:
        return f"#Timer<{self.order}>"


class Timers:
    """All timers of one runtime."""

    __slots__ = ("_cancelled", "_clock", "_heap", "_many", "_parked", "_task")

    def __init__(self) -> None:
        self._heap: list[TimerRef] = []
        self._cancelled = 0
        self._many = FEW
        self._task: trio.lowlevel.Task | None = None
        self._parked = False
        self._clock = trio.current_time

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def add(self, delay: float, fire: Callable[[], object], dest: Pid | None = None) -> TimerRef:
        """Call `fire()` once, `delay` seconds from now. `fire` must not raise or block.

        dest: the process it is for, with which it ends.
        """
        if delay != delay:  # a nan would stop them all
            raise ValueError("a timer needs a number of seconds, not nan")
        timer = TimerRef(self._clock() + delay, fire, dest)
        if len(self._heap) >= self._many:
            self._sweep()
        heap = self._heap
        heappush(heap, timer)
        if heap[0] is timer and self._parked and self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._parked = False
        return timer

    def cancel(self, timer: TimerRef) -> float | None:
        """Stop a timer: the seconds that were left, or None if it fired or was cancelled."""
        if timer.fire is None:
            return None
        ran = timer.runs
        timer.fire = None
        self._cancelled += 1
        if self._cancelled > FEW and self._cancelled * 2 > len(self._heap):
            self._sweep()
        return max(0.0, timer.deadline - self._clock()) if ran else None

    def _sweep(self) -> None:
        """Take out those that were cancelled, and those of the dead."""
        heap = []
        for timer in self._heap:
            if timer.runs:
                heap.append(timer)
            else:
                timer.fire = None
        heapify(heap)
        self._heap = heap
        self._cancelled = 0
        self._many = max(FEW, 2 * len(heap))

    async def run(self) -> None:
        """Fire what is due, for ever; the runtime's own task."""
        self._task = trio.lowlevel.current_task()
        while True:
            now = self._clock()
            while self._heap and (self._heap[0].fire is None or self._heap[0].deadline <= now):
                timer = heappop(self._heap)
                if timer.fire is None:
                    self._cancelled -= 1
                else:
                    fire, timer.fire = timer.fire, None
                    fire()
            await self._sleep_until(self._heap[0].deadline if self._heap else math.inf)

    async def _sleep_until(self, deadline: float) -> None:
        with trio.CancelScope(deadline=deadline):
            self._parked = True
            await trio.lowlevel.wait_task_rescheduled(self._aborted)

    def _aborted(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._parked = False  # trio wakes it; nobody else may
        return trio.lowlevel.Abort.SUCCEEDED
