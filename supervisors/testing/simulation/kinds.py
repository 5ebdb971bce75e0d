"""The two kinds of plans, and what can be done with either: draw, play, make smaller, print.

A plan is of one tree on one node, or of several connected nodes (`network`). Which of them
a seed stands for follows from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias, TypeVar, cast

from . import plan as tree_plan
from . import play as tree_play
from . import smaller as tree_smaller
from .network import plan as network_plan
from .network import play as network_play
from .network import smaller as network_smaller
from .network.plan import NetworkPlan
from .play import Outcome
from .tree import Plan

AnyPlan: TypeAlias = Plan | NetworkPlan
P = TypeVar("P", bound=AnyPlan)

NETWORK_EVERY: Final = 4
"""One seed in so many is of several nodes."""


def make(seed: int, faults: int) -> AnyPlan:
    """The plan of a seed."""
    if seed % NETWORK_EVERY == NETWORK_EVERY - 1:
        return network_plan.make_network_plan(seed, faults)
    return tree_plan.make_plan(seed, faults)


def play(plan: AnyPlan) -> Outcome:
    """Play it once; the same plan has the same outcome."""
    return tree_play.play(plan) if isinstance(plan, Plan) else network_play.play(plan)


def smaller(plan: P) -> Iterator[P]:
    """Plans with the same faults and less for them to hit, the boldest first."""
    if isinstance(plan, Plan):
        return cast("Iterator[P]", tree_smaller.smaller(plan))
    return cast("Iterator[P]", network_smaller.smaller(plan))


def as_program(plan: AnyPlan) -> str:
    """A Python program that plays the plan and fails as it fails."""
    if isinstance(plan, Plan):
        return tree_plan.as_program(plan)
    return network_plan.as_program(plan)
