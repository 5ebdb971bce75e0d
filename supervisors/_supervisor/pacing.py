"""Restarts with a pause, and a limit per child: two options that OTP does not have.

WHY: a child that depends on something outside (a database that is down for a minute) uses
up its supervisor's intensity in milliseconds and takes its siblings along. `Backoff` puts
off its restarts, longer each time, while the supervisor serves everybody else and shows
the child as "restarting". `Budget` gives a child a limit of its own, counted instead of
the supervisor's, so that it neither uses up the others' nor is stopped for them. Both are
off unless a spec asks for them; when either limit is passed the supervisor gives up as
always (V9).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

from .errors import SupervisorError
from .intensity import RestartWindow


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses before the restarts of a child, in seconds.

    first: before the first restart; each further one waits `factor` times longer, at most
    `limit`. A child that has run for `limit` seconds since begins again with `first`.
    jitter: the part of a pause that is left to chance, 0 to 1, so that many children do not
    come back at the same moment. random: where chance comes from, a number from 0 to 1.
    """

    first: float = 0.1
    factor: float = 2.0
    limit: float = 30.0
    jitter: float = 0.5
    random: Callable[[], float] = field(default=random.random, repr=False, compare=False)

    def pause(self, step: int) -> float:
        """Seconds before the restart number `step`, counted from 0."""
        try:
            longest = min(self.limit, self.first * self.factor**step)
        except OverflowError:
            longest = self.limit
        return longest * (1 - self.jitter * self.random())


@dataclass(frozen=True, slots=True)
class Budget:
    """More than `intensity` restarts of the child within `period` whole seconds, and the
    supervisor gives up (as V9 has it, for this child alone).
    """

    intensity: int
    period: int


class Paced(Protocol):
    """What a child spec says about pace."""

    @property
    def backoff(self) -> Backoff | None: ...

    @property
    def budget(self) -> Budget | None: ...


class Pace:
    """How one child's restarts have gone so far."""

    __slots__ = ("_backoff", "_step", "_window", "due", "waiting")

    def __init__(self, backoff: Backoff | None, budget: Budget | None) -> None:
        self._backoff = backoff
        self._window = None if budget is None else RestartWindow(budget.intensity, budget.period)
        self._step = 0
        self.due = -math.inf
        self.waiting = False

    def allows(self, now: float, shared: RestartWindow) -> bool:
        """Count an attempt, against the child's own budget if it has one."""
        return (shared if self._window is None else self._window).attempt(now)

    def put_off(self, now: float) -> float:
        """Seconds to wait before the attempt that has just been counted."""
        if self._backoff is None:
            return 0.0
        if now - self.due >= self._backoff.limit:
            self._step = 0
        pause = self._backoff.pause(self._step)
        self._step += 1
        self.due = now + pause
        self.waiting = pause > 0
        return pause


def go_ahead(pace: Pace | None, now: float, shared: RestartWindow) -> float | None:
    """Seconds to wait before a restart that is due; None when a limit has been passed.

    An attempt is counted before its pause, so the one that comes after it is not counted.
    """
    if pace is None:
        return 0.0 if shared.attempt(now) else None
    if pace.waiting:
        pace.waiting = False
        return 0.0
    return pace.put_off(now) if pace.allows(now, shared) else None


def pace_of(spec: Paced) -> Pace | None:
    """The pace of a child of this spec; None when it asks for no option of this module."""
    if spec.backoff is None and spec.budget is None:
        return None
    return Pace(spec.backoff, spec.budget)


def handed_on(old: Pace | None, before: Paced, after: Paced) -> Pace | None:
    """The pace of a child whose spec is replaced while it is known.

    Other options begin anew, but a restart that waits has been counted, and is not again.
    """
    if (before.backoff, before.budget) == (after.backoff, after.budget):
        return old
    new = pace_of(after)
    if old is None or not old.waiting:
        return new
    if new is None:
        new = Pace(None, None)
    new.due, new.waiting = old.due, True
    return new


class Paces:
    """The paces of children without ids, by what each is known by at the time.

    Only a child that has been restarted has one, so the thousands that never crash cost
    nothing. It goes along when the child gets another pid.
    """

    __slots__ = ("_paces",)

    def __init__(self) -> None:
        self._paces: dict[Hashable, Pace] = {}

    def of(self, key: Hashable, spec: Paced) -> Pace | None:
        """The pace of a child that is about to be restarted."""
        pace = self._paces.get(key)
        if pace is None and (pace := pace_of(spec)) is not None:
            self._paces[key] = pace
        return pace

    def handed_on(self, before: Paced, after: Paced) -> Paces:
        """Those of the same children under another spec."""
        heirs = Paces()
        for key, old in self._paces.items():
            pace = handed_on(old, before, after)
            if pace is not None:
                heirs._paces[key] = pace
        return heirs

    def rename(self, key: Hashable, new: Hashable) -> None:
        """The child is known by `new` from now on."""
        pace = self._paces.pop(key, None)
        if pace is not None:
            self._paces[new] = pace

    def forget(self, key: Hashable) -> None:
        """The child is gone for good."""
        self._paces.pop(key, None)

    def __len__(self) -> int:
        return len(self._paces)


def check_pacing(backoff: object, budget: object) -> None:
    """Raises `SupervisorError` ``("invalid_backoff", X)`` or ``("invalid_budget", X)``."""
    if backoff is not None and not (
        isinstance(backoff, Backoff)
        and 0 <= backoff.first <= backoff.limit < math.inf
        and backoff.factor >= 1
        and 0 <= backoff.jitter <= 1
        and callable(backoff.random)
    ):
        raise SupervisorError(("invalid_backoff", backoff))
    if budget is not None and not (
        isinstance(budget, Budget)
        and type(budget.intensity) is int
        and budget.intensity >= 0
        and type(budget.period) is int
        and budget.period >= 1
    ):
        raise SupervisorError(("invalid_budget", budget))
