"""A simulation of several nodes as data, and drawing one from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Literal

from ..tree import Fault
from .subjects import FAULTS

Kind = Literal["plain", "async", "task"]

NODES: Final = ("a", "b", "c", "d")


@dataclass(frozen=True, slots=True)
class Member:
    """A worker, registered on its node under its id. kind: plain callbacks, async ones, or a
    hand-written task process.
    """

    id: str
    kind: Kind = "plain"
    traps: bool = True


@dataclass(frozen=True, slots=True)
class Station:
    """A node: a supervisor with these workers and a scope of process groups."""

    node: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """One simulation. seed: of the order of tasks and of what the links' delays vary by.

    delay: seconds that a signal is under way at the beginning, on average. The target and
    the other of a fault are workers, written ``node/id``; some faults mean their nodes.
    """

    seed: int
    stations: tuple[Station, ...]
    faults: tuple[Fault, ...]
    delay: float = 0.0


def make_network_plan(seed: int, faults: int) -> NetworkPlan:
    """The plan of a seed: two to four nodes and so many random faults."""
    draw = random.Random(seed)
    stations = tuple(
        Station(node, tuple(_member(draw, f"w{n}") for n in range(draw.randrange(1, 4))))
        for node in NODES[: draw.choice((2, 2, 3, 3, 3, 4))]
    )
    delay = draw.choice((0.0, 0.0, 0.01, 0.2))
    workers = [f"{station.node}/{member.id}" for station in stations for member in station.members]
    kinds = draw.choices(list(FAULTS), [fault.weight for fault in FAULTS.values()], k=faults)
    return NetworkPlan(seed, stations, tuple(_fault(draw, kind, workers) for kind in kinds), delay)


def _member(draw: random.Random, id: str) -> Member:
    return Member(id, draw.choice(("plain", "plain", "async", "task")), draw.random() < 0.7)


def _fault(draw: random.Random, kind: str, workers: list[str]) -> Fault:
    pause = 0.0 if draw.random() < 0.6 else round(draw.expovariate(1.0), 3)
    if kind == "jump":
        pause = round(draw.uniform(5, 60), 3)
    return Fault(
        kind,
        draw.choice(workers),
        draw.choice(workers),
        draw.randrange(1, 40),
        round(draw.uniform(0.01, 4), 3),
        pause,
    )


def as_program(plan: NetworkPlan) -> str:
    """A Python program that plays the plan and fails as it fails."""
    stations = "".join(f"    {station!r},\n" for station in plan.stations)
    faults = "".join(f"    {fault!r},\n" for fault in plan.faults)
    return (
        "from supervisors.testing.simulation.network.plan import Member, NetworkPlan, Station\n"
        "from supervisors.testing.simulation.network.play import replay\n"
        "from supervisors.testing.simulation.tree import Fault\n\n"
        f"stations = (\n{stations})\n"
        f"faults = (\n{faults})\n"
        f"replay(NetworkPlan({plan.seed}, stations, faults, delay={plan.delay!r}))\n"
    )
