"""Drawing a plan from a seed: a random tree of processes and a list of random faults.

Everything random is drawn here. Playing a plan draws nothing but the order of tasks, from
the same seed. What kinds of processes and faults there are stands in `subjects`.
"""

from __future__ import annotations

import random
from dataclasses import replace

from ..._supervisor.spec import AutoShutdown, Restart, Strategy
from .subjects import FAULTS, WORKERS
from .subjects.manners import ACTORS
from .tree import Branch, Fault, Node, Plan, Worker, walk

__all__ = ["Branch", "Fault", "Plan", "Worker", "as_program", "make_plan", "walk"]


def make_plan(seed: int, faults: int) -> Plan:
    """The plan of a seed: a random tree and so many random faults."""
    draw = random.Random(seed)
    tree = _branch(draw, "root", depth=0)
    nodes = list(walk(tree))
    targets = {kind: [n for n in nodes if fault.hits(n)] for kind, fault in FAULTS.items()}
    others = {
        kind: [n for n in nodes if fault.other(n)]
        for kind, fault in FAULTS.items()
        if fault.other is not None
    }
    kinds = [kind for kind in FAULTS if targets[kind] and others.get(kind, nodes)]
    frequencies = [FAULTS[kind].weight for kind in kinds]
    return Plan(
        seed,
        tree,
        tuple(
            _fault(draw, kind, _pick(draw, targets[kind]), _pick(draw, others.get(kind, [])))
            for kind in draw.choices(kinds, frequencies, k=faults)
        ),
    )


def _pick(draw: random.Random, nodes: list[Node]) -> str:
    """The root is hit less often than the rest: its end starts everything anew."""
    if not nodes:
        return ""
    return draw.choices(nodes, [1 if node.id == "root" else 6 for node in nodes])[0].id


def _fault(draw: random.Random, kind: str, target: str, other: str) -> Fault:
    pause = 0.0 if draw.random() < 0.6 else round(draw.expovariate(0.7), 3)
    if kind == "jump":
        pause = round(draw.uniform(1, 40), 3)
    return Fault(kind, target, other, draw.randrange(1, 40), round(draw.uniform(0.01, 8), 3), pause)


def _branch(draw: random.Random, id: str, depth: int) -> Branch:
    strategy: Strategy = draw.choice(
        ("one_for_one", "one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one")
        if depth
        else ("one_for_one", "one_for_all", "rest_for_one")
    )
    if depth and strategy == "one_for_one" and draw.random() < 0.5:
        return _elixirs(draw, id)
    auto: AutoShutdown = draw.choice(
        ("never", "never", "never", "any_significant", "all_significant")
    )
    children: tuple[Node, ...]
    if strategy == "simple_one_for_one":
        children = (_pattern(draw, f"{id}.x", auto),)
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


def _elixirs(draw: random.Random, id: str) -> Branch:
    """A DynamicSupervisor or a PartitionSupervisor."""
    partition = draw.random() < 0.4
    children: tuple[Worker, ...]
    if partition:
        copy = replace(_worker(draw, id, "never"), named=False)
        children = tuple(replace(copy, id=f"{id}.{n}") for n in range(draw.randrange(1, 4)))
    else:
        patterns = range(draw.randrange(1, 4))
        children = tuple(_pattern(draw, f"{id}.{n}x", "never") for n in patterns)
    return Branch(
        id,
        children,
        intensity=draw.choice((0, 1, 5, 20, 20)),
        period=draw.choice((1, 2, 5)),
        dynamic=0 if partition else draw.randrange(1, 6),
        named=partition or draw.random() < 0.5,
        restart=draw.choice(("permanent", "permanent", "transient", "temporary")),
        shutdown=draw.choice((600.0, 600.0, 2.0, "brutal_kill")),
        behaviour="partition" if partition else "dynamic",
        max_children=0 if partition else draw.choice((0, 2, 4, 6)),
    )


def _pattern(draw: random.Random, id: str, auto: AutoShutdown) -> Worker:
    """A worker of which there may be many: without a name, known by its pid alone."""
    return replace(_worker(draw, id, auto), named=False, backoff=0.0, budget=None)


def _worker(draw: random.Random, id: str, auto: AutoShutdown) -> Worker:
    restart: Restart = draw.choice(("permanent", "permanent", "transient", "temporary"))
    kind = draw.choices(list(WORKERS), [worker.weight for worker in WORKERS.values()])[0]
    bounded = kind in ACTORS and draw.random() < 0.15
    return Worker(
        id,
        kind=kind,
        named=draw.random() < 0.5,
        traps=draw.random() < 0.4,
        restart=restart,
        shutdown=draw.choice((5.0, 1.0, 0.0, 600.0, "brutal_kill")),
        significant=auto != "never" and restart != "permanent" and draw.random() < 0.3,
        limit=draw.choice((3, 8, 20)) if bounded else 0,
        policy=draw.choice(("refuse", "drop_oldest", "kill")) if bounded else "refuse",
        backoff=draw.choice((0.5, 2.0)) if draw.random() < 0.15 else 0.0,
        budget=draw.choice(((1, 2), (3, 5))) if draw.random() < 0.1 else None,
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
