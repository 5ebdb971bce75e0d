"""The rows of the kernel at scale: many processes, one registry, timers under load."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ..mcp.process import percentile
from ..series import Goal, Measured, Row
from ..worker import ROOT, measure
from .scale import CALLERS

ROUNDS = 3
ISSUE = "issue 3"
LATE = Goal("ours", 5.0, ISSUE)
FLAT = Goal("ratio", 0.8, ISSUE)


@dataclass(frozen=True, slots=True)
class Step:
    """A step, the keys of its result, and the title and goal of the row of each."""

    name: str
    n: int
    rows: tuple[tuple[str, str, Goal | None], ...]
    peer: Literal["", "Erlang/OTP"] = "Erlang/OTP"


STEPS = (
    Step("flooded", 500, (("seconds", "1 ms timer, 1,000 servers flooded", LATE),), peer=""),
    *(
        Step(
            f"callers{callers}",
            200,
            (("seconds", f"the same and {callers:,} greedy callers", LATE),),
            peer="",
        )
        for callers in CALLERS
    ),
    Step(
        "alive",
        100_000,
        (
            ("start", "100,000 alive: start", None),
            ("message", "100,000 alive: a message to each, answered", None),
            ("stop", "100,000 alive: stop each", None),
        ),
    ),
    Step("ring", 300_000, (("per_second", "ring of 10,000 processes", None),)),
    Step("server_ring", 500_000, (("per_second", "ring of 10,000 servers", None),)),
    Step(
        "children",
        50_000,
        (
            ("start", "50,000 dynamic children: start", None),
            ("terminate", "50,000 dynamic children: terminate each", None),
            ("stop", "50,000 dynamic children: stop the supervisor", None),
        ),
    ),
    Step(
        "registry",
        100_000,
        (
            ("lookup", "registry: lookup, 100,000 keys", Goal("ours", 1_800_000, ISSUE)),
            ("own", "registry: register, all by one process", Goal("ours", 331_000, ISSUE)),
            ("each", "registry: register, a process each", Goal("ours", 331_000, ISSUE)),
        ),
        peer="",
    ),
)


def _ours(step: str, n: int) -> dict[str, Any]:
    return measure([sys.executable, "-m", "bench.kernel.scale", step, str(n)])


def _erlang(step: Step) -> dict[str, Any]:
    return measure(["escript", str(ROOT / "bench/erlang/scale.escript"), step.name, str(step.n)])


def _line(step: Step, key: str, title: str, goal: Goal | None) -> Measured:
    goals = (goal,) if goal else ()
    name = f"scale.{step.name}.{key}"
    if key == "seconds":
        return Measured(Row(name, "scale", f"{title}, p99 late", "ms", step.peer, "less", goals))
    return Measured(Row(name, "scale", title, "/s", step.peer, "more", goals))


def _figure(result: dict[str, Any], key: str) -> float:
    if key == "seconds":
        return percentile(sorted(result["seconds"]), 0.99) * 1e3
    return float(result[key])


def _step(step: Step, rounds: int) -> list[Measured]:
    lines = {key: _line(step, key, title, goal) for key, title, goal in step.rows}
    for _ in range(rounds):
        ours = _ours(step.name, step.n)
        peer = _erlang(step) if step.peer else None
        for key, line in lines.items():
            line.add(_figure(ours, key), _figure(peer, key) if peer else None)
    return list(lines.values())


@dataclass(frozen=True, slots=True)
class Flat:
    """A step that is taken at several sizes; flat is a ratio of one to the smallest."""

    name: str
    sizes: tuple[int, ...]
    title: str
    operations: tuple[str, ...]


FLATS = (
    Flat(
        "children",
        (1_000, 10_000, 50_000),
        "dynamic children, {operation}, of {n:,}",
        ("start", "terminate", "stop"),
    ),
    Flat(
        "cost",
        (1_000, 10_000, 100_000),
        "{operation} with {n:,} alive",
        ("call", "cast", "monitor", "link", "register", "start", "stop"),
    ),
)


def _flat(flat: Flat, rounds: int) -> list[Measured]:
    least, *more = flat.sizes
    lines = {
        (n, operation): Measured(
            Row(
                f"scale.{flat.name}.{operation}.{n}",
                "scale",
                flat.title.format(operation=operation, n=n),
                "/s",
                f"with {least:,}",
                "more",
                (FLAT,),
            )
        )
        for operation in flat.operations
        for n in more
    }
    for _ in range(rounds):
        rates = {n: _ours(flat.name, n) for n in flat.sizes}
        for (n, operation), line in lines.items():
            line.add(rates[n][operation], rates[least][operation])
    return list(lines.values())


def run(say: Callable[[str], None], rounds: int = ROUNDS) -> list[Measured]:
    """All steps, `rounds` times each, ours and Erlang in turn where it stands beside."""
    measured = []
    for step in STEPS:
        say(f"scale: {step.name}")
        measured += _step(step, rounds)
    for flat in FLATS:
        say(f"scale: {flat.name}, flat")
        measured += _flat(flat, rounds)
    return measured
