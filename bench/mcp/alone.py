"""The rows of the node by itself: at rest, and its own work without a load generator."""

import sys
from collections.abc import Callable
from time import sleep

from ..series import Goal, Measured, Row
from ..worker import measure
from .goals import COMPLETE, DESIGN
from .process import resident_mib
from .servers import AS_IT_COMES, SDK, running

ROUNDS = 3
REST_SECONDS = 1.0
"""How long a node is left alone before its memory is read."""

STREAMS = 9_900
"""Open connections of the fan-out: 10,000 descriptors and some spare fit into the usual limits."""


def at_rest(say: Callable[[str], None], rounds: int = ROUNDS) -> list[Measured]:
    """A node as it comes, with its three examples; the SDK with its one server beside it."""
    row = "node at rest"
    memory = Measured(
        Row(
            "rest.rss", row, "resident memory", "MiB", SDK.name, "less", (Goal("ours", 45, DESIGN),)
        )
    )
    ready = Measured(
        Row(
            "rest.ready",
            row,
            "start until ready",
            "s",
            SDK.name,
            "less",
            (Goal("ours", 0.5, DESIGN),),
        )
    )
    for round in range(rounds):
        say(f"node at rest: round {round + 1} of {rounds}")
        seen = []
        for peer in (AS_IT_COMES, SDK):
            with running(peer) as server:
                sleep(REST_SECONDS)
                seen.append((resident_mib(server.pid), server.ready_seconds))
        (our_memory, our_ready), (sdk_memory, sdk_ready) = seen
        memory.add(our_memory, sdk_memory)
        ready.add(our_ready, sdk_ready)
    return [memory, ready]


def work(say: Callable[[str], None], rounds: int = ROUNDS) -> list[Measured]:
    """The node's own code, alone: a small call, and one change that 10,000 want to hear of."""
    within = (Goal("ours", 50, COMPLETE),)
    lines: list[tuple[Row, str, tuple[str, ...]]] = [
        (
            Row(
                "work.call", "mcp work", "small tools/call, decode to encode", "µs", "", "less",
                (Goal("ours", 15, COMPLETE),),
            ),
            "us",
            ("bench.mcp.inside", "protocol"),
        ),
        (
            Row(
                "work.lines", "mcp work", "10,000 subscriptions told, ten clients", "ms", "",
                "less", within,
            ),
            "ms",
            ("bench.mcp.inside", "subscriptions"),
        ),
        (
            Row(
                "work.streams", "mcp work", f"{STREAMS:,} HTTP streams told", "ms", "", "less",
                within,
            ),
            "cpu_ms",
            ("bench.mcp.fan_out", "--streams", str(STREAMS)),
        ),
    ]  # fmt: skip
    measured = [Measured(row) for row, _, _ in lines]
    for round in range(rounds):
        say(f"work: round {round + 1} of {rounds}")
        for line, (_, field, command) in zip(measured, lines, strict=True):
            line.add(measure([sys.executable, "-m", *command])[field])
    return measured
