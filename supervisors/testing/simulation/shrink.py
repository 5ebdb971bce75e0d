"""Making a failing plan small: fewer faults, less for them to hit, plainer everything.

Each step plays a smaller plan and keeps it if it still finds something wrong. What it finds
may be another violation than before; the smallest program that breaks a rule is worth more
than a large one that breaks the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .kinds import P, play, smaller
from .tree import Fault


def shrink(plan: P, *, attempts: int = 3000) -> P:
    """The smallest plan found that still fails, in so many attempts; `plan` must fail."""
    left = attempts

    def fails(candidate: P) -> bool:
        nonlocal left
        left -= 1
        return play(candidate).violation is not None

    plan = replace(plan, faults=plan.faults[: play(plan).at + 1])
    found: P | None = plan
    while found is not None:
        plan = found
        found = None
        for candidate in _candidates(plan):
            if left <= 0:
                return plan
            if fails(candidate):
                found = candidate
                break
    return plan


def _candidates(plan: P) -> Iterator[P]:
    """Smaller plans, the boldest first."""
    faults = plan.faults
    size = len(faults)
    while size:
        for start in range(0, len(faults), size):
            yield replace(plan, faults=faults[:start] + faults[start + size :])
        size //= 2
    yield from smaller(plan)
    for index, fault in enumerate(faults):
        for plainer in _plainer_faults(fault):
            yield replace(plan, faults=(*faults[:index], plainer, *faults[index + 1 :]))


def _plainer_faults(fault: Fault) -> Iterator[Fault]:
    if fault.pause:
        yield replace(fault, pause=0.0)
        if fault.pause != 1.0:
            yield replace(fault, pause=1.0)
    if fault.seconds not in (0.0, 1.0):
        yield replace(fault, seconds=1.0)
