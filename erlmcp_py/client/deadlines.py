"""The time of the calls of one link: one watch for all of them.

WHY no cancel scope for each: that is a quarter of what a client spends on a call. Most calls have the same
time, so the earliest deadline is that of the oldest call, and a new one need not wake the watch.
"""

from __future__ import annotations

import math

import trio

from erlmcp_py.client.calls import InFlight, TimeIsUp


class Deadlines:
    """Ends calls with `TimeIsUp`, as long as `run` runs."""

    __slots__ = ("_calls", "_next", "_sooner")

    def __init__(self, calls: InFlight) -> None:
        self._calls = calls
        self._next = math.inf
        self._sooner = trio.Event()

    def note(self, deadline: float) -> None:
        """A call has that deadline, on trio's clock."""
        if deadline < self._next:
            self._next = deadline
            self._sooner.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            self._sooner = trio.Event()
            with trio.CancelScope(deadline=self._next):
                await self._sooner.wait()
            now = trio.current_time()
            if now < self._next:
                continue
            for call in self._calls.all():
                if call.deadline <= now:
                    call.settle(TimeIsUp())
            left = [call.deadline for call in self._calls.all() if call.deadline > now]
            self._next = min(left, default=math.inf)
