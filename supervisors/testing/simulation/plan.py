"""What a simulation does, as data: a tree of processes and a list of faults, from one seed.

Everything random is drawn here. Playing a plan draws nothing but the order of tasks, from
the same seed, so a plan is the whole of a run: its repr is a program (`as_program`), and a
smaller plan that still fails is a smaller program (`shrink`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ..._supervisor.spec import AutoShutdown, Restart, Shutdown, Strategy

Kind = Literal["plain", "async", "task"]

REASONS: Final = ("normal", "shutdown", ("shutdown", "done"), "bad", "kill")
"""Exit reasons that a fault picks from by number."""

INITS: Final = ("fail", "error", "raise", "ignore", "slow", "exit")
"""What a child's next start can come to instead of success."""

ADMIN: Final = ("start", "terminate", "restart", "delete", "which", "count", "spec")

WEIGHTS: Final[dict[str, int]] = {
    "kill": 14,
    "exit": 10,
    "raise": 8,
    "throw": 2,
    "stop": 4,
    "bad_return": 2,
    "init": 10,
    "linger": 5,
    "hang": 6,
    "unlink": 1,
    "link": 4,
    "monitor": 8,
    "spawn": 4,
    "timer": 4,
    "timeout": 3,
    "flood": 8,
    "calls": 14,
    "suspend": 4,
    "admin": 12,
    "stray": 3,
    "jump": 6,
}
"""The kinds of faults and how often each is drawn."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A leaf. kind: plain callbacks, async callbacks, or a hand-written task process."""

    id: str
    kind: Kind = "plain"
    named: bool = False
    traps: bool = False
    restart: Restart = "permanent"
    shutdown: Shutdown = 5.0
    significant: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """A supervisor. A simple_one_for_one one has its pattern as the only child and starts
    `dynamic` of it.
    """

    id: str
    children: tuple[Worker | Branch, ...] = ()
    strategy: Strategy = "one_for_one"
    intensity: int = 5
    period: int = 5
    auto_shutdown: AutoShutdown = "never"
    dynamic: int = 0
    named: bool = False
    restart: Restart = "permanent"
    shutdown: Shutdown = 600.0
    significant: bool = False


Node: TypeAlias = Worker | Branch


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, and the pause after it.

    kind: a key of `WEIGHTS`. target, other: ids in the tree. number: picks among the
    processes of that id, or is a count or a choice, as the kind has it. seconds: of
    slowness. pause: seconds of virtual time until the next fault.
    """

    kind: str
    target: str = ""
    other: str = ""
    number: int = 0
    seconds: float = 0.0
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """One simulation. seed: of the order of tasks."""

    seed: int
    tree: Branch
    faults: tuple[Fault, ...]


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    if isinstance(node, Branch):
        for child in node.children:
            yield from walk(child)


def make_plan(seed: int, faults: int) -> Plan:
    """The plan of a seed: a random tree and so many random faults."""
    draw = random.Random(seed)
    tree = _branch(draw, "root", depth=0)
    ids = [node.id for node in walk(tree)]
    # The root is hit less often than the rest: its end starts everything anew.
    weights = [1 if id == "root" else 6 for id in ids]
    kinds, frequencies = zip(*WEIGHTS.items(), strict=True)
    return Plan(
        seed,
        tree,
        tuple(
            _fault(draw, kind, *draw.choices(ids, weights, k=2))
            for kind in draw.choices(kinds, frequencies, k=faults)
        ),
    )


def _fault(draw: random.Random, kind: str, target: str, other: str) -> Fault:
    pause = 0.0 if draw.random() < 0.6 else round(draw.expovariate(0.7), 3)
    if kind == "jump":
        pause = round(draw.uniform(1, 40), 3)
    return Fault(
        kind,
        target,
        other if kind in ("link", "monitor") else "",
        draw.randrange(1, 40),
        round(draw.uniform(0.01, 8), 3),
        pause,
    )


def _branch(draw: random.Random, id: str, depth: int) -> Branch:
    strategy: Strategy = draw.choice(
        ("one_for_one", "one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one")
        if depth
        else ("one_for_one", "one_for_all", "rest_for_one")
    )
    auto: AutoShutdown = draw.choice(
        ("never", "never", "never", "any_significant", "all_significant")
    )
    children: tuple[Node, ...]
    if strategy == "simple_one_for_one":
        children = (_worker(draw, f"{id}.x", auto, dynamic=True),)
    else:
        children = tuple(
            _branch(draw, f"{id}.{n}", depth + 1)
            if depth < 3 and draw.random() < (0.6 if depth == 0 else 0.25)
            else _worker(draw, f"{id}.{n}", auto)
            for n in range(draw.randrange(1, 5))
        )
    return Branch(
        id,
        children,
        strategy,
        intensity=draw.choice((0, 1, 2, 5, 20, 20)) if depth else 20,
        period=draw.choice((1, 2, 5)),
        auto_shutdown=auto,
        dynamic=draw.randrange(5) if strategy == "simple_one_for_one" else 0,
        named=draw.random() < 0.5,
        restart=draw.choice(("permanent", "permanent", "transient", "temporary")),
        shutdown=draw.choice((600.0, 600.0, 2.0, "brutal_kill")),
    )


def _worker(draw: random.Random, id: str, auto: AutoShutdown, *, dynamic: bool = False) -> Worker:
    restart: Restart = draw.choice(("permanent", "permanent", "transient", "temporary"))
    return Worker(
        id,
        kind=draw.choice(("plain", "plain", "async", "async", "task")),
        named=not dynamic and draw.random() < 0.5,
        traps=draw.random() < 0.4,
        restart=restart,
        shutdown=draw.choice((5.0, 1.0, 0.0, 600.0, "brutal_kill")),
        significant=auto != "never" and restart != "permanent" and draw.random() < 0.3,
    )


def as_program(plan: Plan) -> str:
    """A Python program that plays the plan and fails as it fails."""
    faults = "".join(f"    {fault!r},\n" for fault in plan.faults)
    return (
        "from supervisors.testing.simulation.plan import Branch, Fault, Plan, Worker\n"
        "from supervisors.testing.simulation.play import replay\n\n"
        f"tree = {plan.tree!r}\n"
        f"faults = (\n{faults})\n"
        f"replay(Plan({plan.seed}, tree, faults))\n"
    )
