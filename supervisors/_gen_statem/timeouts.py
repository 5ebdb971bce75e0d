"""The time-outs of one machine: which run, which are due at once, which are to be started.

WHY zero is special: a time-out of 0 never goes through the mailbox. It waits in a queue of
its own that is looked at when no event is queued, before anything not yet received (T1).
It can be cancelled there like any other.

The table does not know what time it is. It answers what to start and to stop, as effects,
and is told what fired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .actions import CancelTimeout, SetTimeout, Timeout, TimeoutName, UpdateTimeout

Event = tuple[Any, Any]
"""``(type, content)``."""


class Timer:
    """One time-out that runs.

    handle: whatever the one who carries out the effects needs to stop it.
    """

    __slots__ = ("content", "handle", "name", "zero")

    def __init__(self, name: TimeoutName, content: Any, *, zero: bool) -> None:
        self.name = name
        self.content = content
        self.zero = zero
        self.handle: Any = None

    def __repr__(self) -> str:
        return f"<Timer {self.name!r}>"


@dataclass(frozen=True, slots=True)
class Start:
    """Effect: have `timer` fire in `time` seconds, or at that moment if `absolute`."""

    timer: Timer
    time: float
    absolute: bool


@dataclass(frozen=True, slots=True)
class Cancel:
    """Effect: `timer` is not to fire any more."""

    timer: Timer


class Timeouts:
    """All time-outs of one machine; at most one of each name."""

    __slots__ = ("_due", "_running")

    def __init__(self) -> None:
        self._running: dict[TimeoutName, Timer] = {}
        self._due: list[Timer] = []

    def __iter__(self) -> Any:
        return iter(self._running.values())

    def __len__(self) -> int:
        return len(self._running)

    def cancel(self, name: TimeoutName) -> Cancel | None:
        """Stop the time-out of this name; the effect that takes, if any."""
        timer = self._running.pop(name, None)
        if timer is None:
            return None
        if timer.zero:
            self._due.remove(timer)
            return None
        return Cancel(timer)

    def apply(self, action: Timeout) -> list[Start | Cancel]:
        """Do what an action asks for; the effects that takes, in order (T3)."""
        name = action.name
        if isinstance(action, UpdateTimeout):
            running = self._running.get(name)
            if running is not None:
                running.content = action.content
                return []
            action = SetTimeout(name, 0, action.content)
        stopped = self.cancel(name)
        effects: list[Start | Cancel] = [] if stopped is None else [stopped]
        if isinstance(action, CancelTimeout):
            return effects
        timer = Timer(name, action.content, zero=action.time == 0)
        self._running[name] = timer
        if timer.zero:
            self._due.append(timer)
        else:
            effects.append(Start(timer, action.time, action.absolute))
        return effects

    def next_due(self) -> Event | None:
        """The event of the oldest time-out of 0, which is over with this."""
        if not self._due:
            return None
        timer = self._due.pop(0)
        del self._running[timer.name]
        return timer.name, timer.content

    def fired(self, timer: Timer) -> Event | None:
        """The event of a timer that has fired; None when it was cancelled meanwhile."""
        if self._running.get(timer.name) is not timer:
            return None
        del self._running[timer.name]
        return timer.name, timer.content
