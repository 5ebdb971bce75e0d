"""Whether an upstream's instances are to run: used, they are started; unused for long, stopped. Pure.

A decision to stop is made and noted in one step, without waiting: whoever comes before is counted, and
there is no stop; whoever comes after sees it, waits, and is the reason for the next start. So no request
meets an instance that is just being stopped.
"""

from __future__ import annotations

import math
from typing import Final, Literal

Phase = Literal["asleep", "waking", "awake", "stopping"]
"""asleep: nothing runs. waking: what is to run is being started. awake: it runs, or its supervisors are at
it. stopping: it is being stopped."""


_EXACT: Final = 1e-6
"""Seconds; what is less is what floating point makes of nothing."""


class Sleep:
    """Of one upstream. timeout: seconds without use after which it is stopped; infinite: never. on_demand:
    whether it is not started before it is used.

    users: requests, and whoever else needs it. watched: whether somebody looks again in any case.
    """

    def __init__(self, timeout: float = math.inf, *, on_demand: bool = False) -> None:
        self.phase: Phase = "asleep" if on_demand else "awake"
        self.timeout = timeout
        self.on_demand = on_demand
        self.users = 0
        self.watched = False
        self._idle_since = -math.inf

    @property
    def may_work(self) -> bool:
        """Whether instances that are up can be given requests."""
        return self.phase == "awake" or self.phase == "waking"

    def enter(self) -> bool:
        """Somebody needs it; whether `decide` has to be called."""
        self.users += 1
        return self.phase == "asleep"

    def leave(self, now: float) -> bool:
        """Somebody needs it no longer; whether `decide` has to be called."""
        self.users -= 1
        if self.users:
            return False
        self._idle_since = now
        return not self.watched and self.timeout != math.inf

    def decide(self, now: float, *, held: bool) -> Literal["start", "stop"] | float | None:
        """What is to be done now: start, stop, or call again after so many seconds, None: when told to.
        held: whether it has to run although nobody uses it. After "start" and "stop" say `done`.
        """
        self.watched = False
        if held:
            self._idle_since = now
        if self.phase == "asleep" and (self.users or held or self._always):
            self.phase = "waking"
            return "start"
        if self.phase != "awake" or self.users or self.timeout == math.inf:
            return None
        rest = self._idle_since + self.timeout - now
        if rest > _EXACT:
            self.watched = True
            return rest
        self.phase = "stopping"
        return "stop"

    @property
    def _always(self) -> bool:
        """Whether it is to run without being used; its settings may have changed while it slept."""
        return self.timeout == math.inf and not self.on_demand

    def done(self, now: float) -> None:
        """What was decided is done; call `decide` again."""
        if self.phase == "waking":
            self.phase = "awake"
            self._idle_since = now
        elif self.phase == "stopping":
            self.phase = "asleep"

    def begin(self, now: float) -> bool:
        """Everything below has ended at once, and is begun anew: whether it is to run."""
        self.phase = "awake" if self.may_work else "asleep"
        self._idle_since = now
        return self.phase == "awake"
