"""The run queue: whose turn it is.

Two sorts stand in it, in one line: callback processes with mail, which the scheduler runs
itself, and trio tasks that have used up their turn, which it lets go on. One turn of trio's
loop has one budget (`_cell`): either the scheduler runs callback processes until it is used
up, or it is handed to the first task in line, whose turn the next one is. So however many
callers never wait, the loop looks at timers and sockets after one budget, not after one
for each of them.

WHY a line of our own and no checkpoint: trio runs all tasks that are ready between two
looks at timers and sockets. A thousand callers at their checkpoints are a thousand task
switches in every turn, and as many budgets.

WHY tasks are let in by twos and fours: most of those who find the budget used up had a
little left to do, in a turn that others filled. As long as nobody of them uses up a turn,
more are let in at a time.

Who waits in other ways, for a message or a socket, is not in this line: trio wakes it in
the next turn, and it has a small allowance even when the budget is gone. What a turn can
take is thus bounded by `BUDGET`, by `GRACE` for each task that trio wakes in it, and by what
tasks do without the kernel.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol, final

import trio
from outcome import Value

from ._cell import cell, not_in_this_thread

WIDEST: Final = 64
"""Tasks that are let in at a time, at most."""


class Runnable(Protocol):
    """What the scheduler runs on its own stack."""

    queued: bool

    def drain(self) -> None:
        """Go on for at most what is left of the turn; queue again with what is left to do."""


class Turn:
    """What the tasks that are let in at a time share."""

    __slots__ = ("begun",)

    def __init__(self) -> None:
        self.begun = False


@final
class InLine:
    """A task that waits for its turn; None when it has given up waiting."""

    __slots__ = ("task",)

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self.task: trio.lowlevel.Task | None = task


class Scheduler:
    """The run queue of one runtime and the trio task that serves it."""

    __slots__ = ("_alone", "_greedy", "_parked", "_task", "_turn", "_width", "queue")

    def __init__(self) -> None:
        self.queue: deque[Runnable | InLine] = deque()
        self._task: trio.lowlevel.Task | None = None
        self._parked = False
        self._alone = False
        self._greedy = False
        self._turn = Turn()
        self._width = 1

    def enqueue(self, entry: Runnable | InLine) -> None:
        """Stand in line; wakes the scheduler once."""
        self.queue.append(entry)
        if self._parked:
            assert self._task is not None
            try:
                trio.lowlevel.reschedule(self._task)
            except RuntimeError as error:
                raise not_in_this_thread() from error
            self._parked = False

    async def next_turn(self) -> None:
        """Have the current task wait for its turn; a checkpoint."""
        if self._task is None or (self._parked and not self._alone):
            # Not open, or nobody else in line: the next turn of the loop is this task's.
            self._alone = True
            try:
                await trio.lowlevel.checkpoint()
            finally:
                self._alone = False
            cell.refill()
            return
        if cell.greedy():
            self._greedy = True
        entry = InLine(trio.lowlevel.current_task())
        self.enqueue(entry)

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            entry.task = None
            return trio.lowlevel.Abort.SUCCEEDED

        turn: Turn = await trio.lowlevel.wait_task_rescheduled(abort)
        if not turn.begun:
            turn.begun = True
            cell.refill()

    async def run(self) -> None:
        """Serve the queue, for ever; the runtime's own task."""
        self._task = trio.lowlevel.current_task()
        queue = self.queue
        try:
            while True:
                cell.refill()
                while queue:
                    entry = queue.popleft()
                    if isinstance(entry, InLine):
                        queue.appendleft(entry)
                        await self._let_in()
                        continue
                    entry.queued = False
                    entry.drain()
                    if cell.budget <= 0 and not cell.look():
                        await trio.lowlevel.checkpoint()
                        cell.refill()
                self._parked = True
                await trio.lowlevel.wait_task_rescheduled(self._aborted)
        finally:
            self._close()

    async def _let_in(self) -> None:
        """Give the next turns of the loop to the tasks at the head of the queue."""
        queue = self.queue
        while queue and isinstance(queue[0], InLine):
            if self._greedy:
                self._width = 1
            elif self._turn.begun:  # else nothing is known of those who were let in last
                self._width = min(2 * self._width, WIDEST)
            self._greedy = False
            turn = self._turn = Turn()
            room = self._width
            while room and queue and isinstance(entry := queue[0], InLine):
                queue.popleft()
                if entry.task is not None:
                    trio.lowlevel.reschedule(entry.task, Value(turn))
                    room -= 1
            await trio.lowlevel.checkpoint()
        # That was the beginning of their turn; the next one is the scheduler's.
        await trio.lowlevel.checkpoint()
        cell.refill()

    def _aborted(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._parked = False  # trio wakes it; nobody else may
        return trio.lowlevel.Abort.SUCCEEDED

    def _close(self) -> None:
        """Nobody will be let in any more: let everybody go."""
        self._task = None
        for entry in self.queue:
            if isinstance(entry, InLine) and entry.task is not None:
                trio.lowlevel.reschedule(entry.task, Value(Turn()))
        self.queue.clear()
