"""How often a supervisor may restart before it gives up (rule V9).

Time counts in WHOLE seconds, the floor of a monotonic clock, exactly as OTP does: a
restart at 0.9 s and one at 2.1 s are two seconds apart for a period of 1. The window is
therefore between `period` and `period` + 1 seconds long, which is what the golden traces
show.
"""

from __future__ import annotations

import math
from collections import deque


class RestartWindow:
    """The restart attempts of the last `period` seconds, at most `intensity` of them.

    Attempts are counted, successful or not, once per group restart.
    """

    __slots__ = ("_seconds", "intensity", "period")

    def __init__(self, intensity: int, period: int) -> None:
        self.intensity = intensity
        self.period = period
        self._seconds: deque[int] = deque()

    def attempt(self, now: float) -> bool:
        """Count an attempt at clock reading `now` (seconds); False when it is one too many."""
        second = math.floor(now)
        oldest_kept = second - self.period
        while self._seconds and self._seconds[0] < oldest_kept:
            self._seconds.popleft()
        self._seconds.append(second)
        return len(self._seconds) <= self.intensity

    def go_on_from(self, other: RestartWindow) -> None:
        """Count what `other` has counted; its intensity and period do not matter (V19)."""
        self._seconds = other._seconds.copy()

    def __len__(self) -> int:
        """Attempts counted and not yet forgotten; old ones go at the next attempt."""
        return len(self._seconds)
