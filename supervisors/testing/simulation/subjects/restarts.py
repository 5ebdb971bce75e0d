"""The books on restarts: budgets (rule V9), pauses, and budgets of one child.

They are kept from the supervisors' reports alone, without asking the kernel.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from ...._errors import is_normal
from ...._pid import Pid
from ...._reports import SupervisorReport
from ..tree import Worker
from .subject import Subject

if TYPE_CHECKING:
    from ..world import World

SLACK: Final = 1000.0
"""Seconds that may lie between a failed restart and its next attempt, in the ledger's eyes:
a supervisor may be busy stopping slow children in between."""

LONGEST: Final = 8
"""How many times its first pause a child waits at most."""


class Budget:
    """The restarts of one supervisor, or of one child with a budget of its own."""

    __slots__ = ("attempts", "exceeded", "failures", "intensity", "period")

    def __init__(self, intensity: int, period: int) -> None:
        self.intensity = intensity
        self.period = period
        self.attempts: deque[int] = deque()
        self.failures: deque[float] = deque()
        self.exceeded = False

    def crashed(self, now: float) -> None:
        """A child ended that has to be restarted: an attempt, now."""
        second = math.floor(now)
        while self.attempts and self.attempts[0] < second - self.period:
            self.attempts.popleft()
        self.attempts.append(second)
        if len(self.attempts) > self.intensity:
            self.exceeded = True

    def failed(self, now: float) -> None:
        """A start failed: another attempt follows, some time later."""
        while self.failures and self.failures[0] < now - SLACK:
            self.failures.popleft()
        self.failures.append(now)

    def may_give_up(self) -> bool:
        """Whether there can have been more attempts than are allowed."""
        return len(self.attempts) + len(self.failures) > self.intensity


@dataclass(slots=True)
class Pause:
    """What is known of the pauses of one child.

    due: it may not come back before. rested: when its supervisor was first seen at rest
    since, with the restart put off.
    """

    first: float
    step: int = 0
    due: float = -math.inf
    rested: float | None = None

    def begin(self, now: float) -> None:
        """Another restart is needed: the pause before it is twice the one before."""
        if now - self.due >= self.first * LONGEST:
            self.step = 0
        self.due = now + min(self.first * 2**self.step, self.first * LONGEST)
        self.step += 1
        self.rested = None


def hear(world: World, report: SupervisorReport) -> None:
    """Enter one report of a supervisor of the tree."""
    assert report.pid is not None
    supervisor = report.pid
    now = world.now()
    restart = report.offender["restart_type"]
    worker = _worker(world, supervisor, report.offender["id"])
    budget = _budget_of(world, supervisor, worker)
    if report.context == "child_terminated":
        if restart == "permanent" or (restart == "transient" and not is_normal(report.reason)):
            budget.crashed(now)
            _pause(world, supervisor, worker, now)
    elif report.context == "start_error":
        budget.failed(now)
        _pause(world, supervisor, worker, now)
    elif report.context == "shutdown":
        own = [b for (parent, _), b in world.own_budgets.items() if parent is supervisor]
        if not any(each.may_give_up() for each in (world.budgets[supervisor], *own)):
            world.accuse(f"{report.supervisor} gave up within its restart budget")
        world.gave_up.add(supervisor)


def _worker(world: World, supervisor: Pid, id: Any) -> Worker | None:
    """The node of a named child; None for one that is known by its pid only."""
    holder = world.shapes[supervisor]
    if holder.has_patterns:
        return None
    if holder.behaviour == "partition":  # all copies are restarted as the first one
        first = holder.children[0]
        assert isinstance(first, Worker)
        return replace(first, id=holder.children[id].id)
    node = world.nodes[str(id)]
    return node if isinstance(node, Worker) else None


def _budget_of(world: World, supervisor: Pid, worker: Worker | None) -> Budget:
    if worker is None or worker.budget is None:
        return world.budgets[supervisor]
    return world.own_budgets.setdefault((supervisor, worker.id), Budget(*worker.budget))


def _pause(world: World, supervisor: Pid, worker: Worker | None, now: float) -> None:
    if worker is not None and worker.backoff:
        key = supervisor, worker.id
        world.pauses.setdefault(key, Pause(worker.backoff)).begin(now)


def comes_back(world: World, supervisor: Pid, id: str) -> None:
    """A child is started: not before its pause is over, where nobody else brings it back."""
    pause = world.pauses.get((supervisor, id))
    holder = world.shapes.get(supervisor)
    alone = holder is not None and holder.strategy == "one_for_one"
    if pause is not None and alone and world.now() < pause.due - 1e-6:
        world.accuse(f"{id} came back {pause.due - world.now():.3f} s before its pause was over")


def stopped(world: World, supervisor: Pid, id: str) -> None:
    """Somebody asks for the child to be stopped: a pause is over with that."""
    pause = world.pauses.get((supervisor, id))
    if pause is not None:
        pause.due = -math.inf


def pauses(world: World, supervisor: Pid, id: str) -> bool:
    """Whether a child that is to be restarted, under a supervisor at rest, may still wait."""
    pause = world.pauses.get((supervisor, id))
    if pause is None:
        return False
    if pause.rested is None:
        pause.rested = world.now()
    return world.now() <= pause.rested + pause.first * LONGEST


def _check(world: World) -> Iterator[str]:
    for (supervisor, id), budget in world.own_budgets.items():
        record = supervisor._process
        if record is None or supervisor in world.gave_up or not world.rests(supervisor):
            continue
        if budget.exceeded:
            yield f"{supervisor} restarts {id} more often than its own budget allows"


def forget(world: World, supervisor: Pid) -> None:
    """The supervisor is gone."""
    for table in (world.own_budgets, world.pauses):
        for key in [key for key in table if key[0] is supervisor]:
            del table[key]


SUBJECT = Subject(check=_check)
