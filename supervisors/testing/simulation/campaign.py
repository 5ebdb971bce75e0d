"""Many simulations, one after the other: seeds, totals, and the memory they leave.

A campaign plays the plans of consecutive seeds, of one node and of several as the seeds have
it, until so many faults have hit, and looks at the interpreter in between: no process record may be left of a simulation that is over, and
the allocator must come back to the floor it had.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

from ..._process import Process
from .kinds import AnyPlan, make, play

WARM_UP = 20
"""Simulations before the floor is measured: caches fill, code is specialised."""

EVERY = 100
"""Simulations between two looks at the memory."""

GROWTH = 20_000
"""Blocks above the floor that are not yet a leak; a plan of 200 faults takes some 40,000."""


@dataclass(slots=True)
class Tally:
    """What a campaign did.

    seed: where it is. simulations, checks: how many. injected: faults that hit, by kind.
    seconds: how long it took. failure: the plan that failed, and its violation.
    """

    seed: int
    simulations: int = 0
    checks: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    failure: tuple[AnyPlan | None, str] | None = None

    @property
    def faults(self) -> int:
        """How many have hit somebody."""
        return self.injected.total()


def campaign(
    seed: int,
    total: int,
    faults: int = 200,
    *,
    make: Callable[[int, int], AnyPlan] = make,
    seconds: float = float("inf"),
    progress: Callable[[Tally], object] | None = None,
) -> Tally:
    """Play the plans of `seed`, `seed` + 1 … until `total` faults have hit or one fails.

    faults: of each plan. make: draws the plan of a seed; by default of either kind.
    seconds: of real time after which no further plan is begun.
    """
    tally = Tally(seed)
    begun = perf_counter()
    _, others = _memory()
    floor: int | None = None
    while tally.faults < total and perf_counter() - begun < seconds:
        plan = make(tally.seed, faults)
        outcome = play(plan)
        tally.simulations += 1
        tally.checks += outcome.checks
        tally.injected.update(outcome.injected)
        if outcome.violation is not None:
            tally.failure = plan, outcome.violation
            break
        if tally.simulations == WARM_UP or tally.simulations % EVERY == 0:
            blocks, left = _memory()
            floor = blocks if floor is None else floor
            if left > others:
                tally.failure = None, f"{left - others} process records outlive their simulations"
            elif blocks > floor + GROWTH:
                tally.failure = None, f"memory grew from {floor} to {blocks} blocks"
            if tally.failure is not None:
                break
            if progress is not None:
                tally.seconds = perf_counter() - begun
                progress(tally)
        tally.seed += 1
    tally.seconds = perf_counter() - begun
    return tally


def _memory() -> tuple[int, int]:
    """Blocks in use, and how many process records there are."""
    gc.collect()
    left = sum(isinstance(thing, Process) for thing in gc.get_objects())
    return sys.getallocatedblocks(), left
