"""The rows of staying power: a minute of load, thousands of idle connections, CPU at every number of them."""

import resource
from collections.abc import Callable
from contextlib import ExitStack

from ..series import Goal, Measured, Row
from . import loads
from .beside import Beside, Figure
from .goals import CPU, DESIGN, FAST
from .servers import OURS, SDK, TYPESCRIPT, running, typescript

ROUNDS = 3
IDLE_ROUNDS = 2
"""Opening so many connections is most of the time."""
GROUP = "endurance"
SUSTAINED, MARK = 60.0, 10.0
GROWTH = 1.0
"""MiB by which memory may differ between the first mark and the last, and be called flat."""
IDLE, SPARE = 19_000, 500
"""Idle connections, and descriptors that a process needs for other things."""
CALLS = 3000
FLAT = (1, 10, 100, 1000, 10_000)
EVEN = 1.5
"""How many times the cheapest a request may cost at the dearest number of connections."""


def sustained(say: Callable[[str], None]) -> list[Measured]:
    """One run of a minute, once: memory every ten seconds is its rounds."""
    say(f"sustained: {SUSTAINED:.0f} s")
    title = f"HTTP, modern, 100 connections for {SUSTAINED:.0f} s"
    rate = Measured(Row("sustained.rate", GROUP, title, "/s", "", "more"))
    p99 = Measured(Row("sustained.p99", GROUP, f"{title}, p99", "ms", "", "less"))
    memory = Measured(Row("sustained.rss", GROUP, f"{title}: memory", "MiB", "", "less"))
    growth = Measured(
        Row(
            "sustained.growth", GROUP, f"{title}: memory, last mark less first", "MiB", "", "less",
            (Goal("ours", GROWTH, FAST),),
        )
    )  # fmt: skip
    with running(OURS) as server:
        result = loads.http(server, "modern", 100, "--mark", str(MARK), seconds=SUSTAINED)
    marks = result["rss_mib"]
    rate.add(result["per_second"])
    p99.add(result["p99_ms"])
    for mark in marks:
        memory.add(mark)
    growth.add(marks[-1] - marks[0])
    return [rate, p99, memory, growth]


def idle_connections() -> int:
    """As many as the limit of descriptors allows, up to `IDLE`."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(IDLE, soft - SPARE)


def idle(say: Callable[[str], None], rounds: int = IDLE_ROUNDS) -> list[Measured]:
    """A fresh server for every figure, so that its growth is the connections' alone."""
    count = idle_connections()
    small = {"": (Goal("ours", 12.0, DESIGN),)}
    title = f"{count:,} idle connections"
    table = Beside(
        (
            Figure("idle.memory", GROUP, f"{title}: memory of each", "KiB", "less",
                   "kib_per_connection", small),
            Figure("idle.opened", GROUP, f"{title}: opened and answered once", "/s", "more",
                   "opened_per_second"),
            Figure("idle.p50", GROUP, f"{title}: a call beside them, p50", "ms", "less", "p50_ms"),
            Figure("idle.p99", GROUP, f"{title}: a call beside them, p99", "ms", "less", "p99_ms"),
            Figure("idle.alone", GROUP, "no idle connection: the same call, p50", "ms", "less",
                   "alone_p50_ms"),
        ),
        (SDK.name, TYPESCRIPT),
    )  # fmt: skip
    for round in range(rounds):
        say(f"idle: round {round + 1} of {rounds}, {count:,} connections")
        results = []
        for peer in (OURS, SDK, typescript()):
            with running(peer) as server:
                results.append(loads.idle(server, count, CALLS))
        ours, *theirs = results
        table.add(ours, dict(zip((SDK.name, TYPESCRIPT), theirs, strict=True)))
    return table.lines()


def flat(say: Callable[[str], None], rounds: int = ROUNDS) -> list[Measured]:
    """CPU of a request while 1 to 10,000 connections are busy; one server for each round. With one, on the
    core of the load (`calls.LOADS`).
    """
    tables = {
        count: Beside(
            [
                Figure(
                    f"flat.{count}", GROUP, f"CPU per call, {count:,} busy", "µs", "less",
                    "cpu_us", CPU if count in (1, 10, 100) else {},
                )
            ],
            (),
        )
        for count in FLAT
    }  # fmt: skip
    dearest = Measured(
        Row(
            "flat.ratio", GROUP, "CPU per call, dearest ÷ cheapest of these", "×", "", "less",
            (Goal("ours", EVEN, FAST),),
        )
    )  # fmt: skip
    for round in range(rounds):
        with ExitStack() as stack:
            server = stack.enter_context(running(OURS))
            costs = []
            for count, table in tables.items():
                say(f"flat: round {round + 1} of {rounds}, {count:,} connections")
                turns = (loads.TURNS,) if count == 1 else ()
                result = loads.http(server, "modern", count, *turns)
                table.add(result)
                costs.append(result["cpu_us"])
        dearest.add(max(costs) / min(costs))
    return [*(line for table in tables.values() for line in table.lines()), dearest]
