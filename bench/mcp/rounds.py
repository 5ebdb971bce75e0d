"""The MCP rows: HTTP at several numbers of connections, stdio, and the node at rest."""

import sys
from collections.abc import Callable
from time import sleep
from typing import Any, Literal

from ..series import Goal, Measured, Row
from ..worker import WorkerError, measure
from .process import resident_mib
from .servers import AS_IT_COMES, OURS, SDK, Running, running

ROUNDS = 3
ERAS = ("modern", "legacy")
CONNECTIONS = (1, 10, 100)
MANY = 1000
WINDOW = 64
SECONDS = "1.2"
WARM_UP = "0.3"
REST_SECONDS = 1.0
"""How long a node is left alone before its memory is read."""

DESIGN = "DESIGN 7"
STEP = "issue 2"
COMPLETE = "issue 4"
STREAMS = 9_900
"""Open connections of the fan-out: 10,000 descriptors and some spare fit into the usual limits."""


def _rows(
    transport: Literal["http", "stdio"], where: str, title: str
) -> tuple[tuple[Row, str], ...]:
    """The four rows of one kind of load, each with the field it is read from."""
    rate = (Goal("ratio", 8.0, DESIGN),)
    cpu: tuple[Goal, ...] = ()
    if transport == "http":
        rate = (Goal("ratio", 4.0, STEP), *rate)
        cpu = (Goal("ours", 60.0, DESIGN),)
    key = f"{transport}.{where}"
    return (
        (Row(f"{key}.rate", "mcp rate", title, "/s", SDK.name, "more", rate), "per_second"),
        (Row(f"{key}.cpu", "mcp cpu", title, "µs", SDK.name, "less", cpu), "cpu_us"),
        (Row(f"{key}.p50", "mcp latency", f"{title}, p50", "ms", SDK.name, "less"), "p50_ms"),
        (Row(f"{key}.p99", "mcp latency", f"{title}, p99", "ms", SDK.name, "less"), "p99_ms"),
    )


def _checked(result: dict[str, Any], name: str) -> dict[str, Any]:
    if result["errors"]:
        raise WorkerError(
            f"{name}: {result['errors']} of {result['requests']} calls were answered wrongly, "
            f"the first with {result['first_error']}"
        )
    return result


def _http_load(
    server: Running, era: str, connections: int, seconds: str = SECONDS
) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.mcp.http_load"]
    command += ["--port", str(server.port), "--path", server.peer.path, "--pid", str(server.pid)]
    command += ["--connections", str(connections), "--era", era]
    command += ["--seconds", seconds, "--warm-up", WARM_UP]
    return _checked(measure(command), f"{server.peer.name} over HTTP, {era}")


def http(say: Callable[[str], None], rounds: int = ROUNDS) -> list[Measured]:
    """Fresh servers every round; both stand, one is loaded at a time."""
    lines = {
        (era, connections): [
            (Measured(row), field)
            for row, field in _rows(
                "http",
                f"{era}.{connections}",
                f"HTTP, {era}, {connections} connection{'s' if connections > 1 else ''}",
            )
        ]
        for era in ERAS
        for connections in CONNECTIONS
    }
    for round in range(rounds):
        with running(OURS) as ours, running(SDK) as sdk:
            for (era, connections), rows in lines.items():
                say(f"http: round {round + 1} of {rounds}, {era}, {connections} connections")
                mine = _http_load(ours, era, connections)
                theirs = _http_load(sdk, era, connections)
                for line, field in rows:
                    line.add(mine[field], theirs[field])
    return [line for rows in lines.values() for line, _ in rows]


def many(say: Callable[[str], None], rounds: int = ROUNDS) -> list[Measured]:
    """A thousand connections: what an open one costs, and how long the slowest calls take.

    A fresh server for every figure, so that its growth is the connections' alone.
    """
    rows = (
        (
            Row(
                "http.many.p99",
                "many connections",
                f"{MANY:,} busy connections, p99",
                "ms",
                SDK.name,
                "less",
                (Goal("ours", 150, DESIGN),),
            ),
            "p99_ms",
        ),
        (
            Row(
                "http.many.rate",
                "many connections",
                f"{MANY:,} busy connections",
                "/s",
                SDK.name,
                "more",
            ),
            "per_second",
        ),
        (
            Row(
                "http.many.memory",
                "many connections",
                "open connection, idle after one call",
                "KiB",
                SDK.name,
                "less",
                (Goal("ours", 12, DESIGN),),
            ),
            "kib_per_connection",
        ),
    )
    lines = [(Measured(row), field) for row, field in rows]
    for round in range(rounds):
        say(f"many: round {round + 1} of {rounds}, {MANY} connections")
        results = []
        for peer in (OURS, SDK):
            with running(peer) as server:
                results.append(_http_load(server, "modern", MANY, "2"))
        for line, field in lines:
            line.add(results[0][field], results[1][field])
    return [line for line, _ in lines]


def _stdio_load(name: str, command: tuple[str, ...], era: str) -> dict[str, Any]:
    load = [sys.executable, "-m", "bench.mcp.stdio_load", "--era", era, "--window", str(WINDOW)]
    load += ["--seconds", SECONDS, "--warm-up", WARM_UP, "--", *command]
    return _checked(measure(load), f"{name} over stdio, {era}")


def stdio(say: Callable[[str], None], rounds: int = ROUNDS) -> list[Measured]:
    """A fresh server for every figure, `WINDOW` requests in flight."""
    measured = []
    for era in ERAS:
        rows = _rows("stdio", era, f"stdio, {era}, {WINDOW} in flight")
        lines = [(Measured(row), field) for row, field in rows]
        for round in range(rounds):
            say(f"stdio: round {round + 1} of {rounds}, {era}")
            mine = _stdio_load(OURS.name, OURS.stdio, era)
            theirs = _stdio_load(SDK.name, SDK.stdio, era)
            for line, field in lines:
                line.add(mine[field], theirs[field])
        measured += [line for line, _ in lines]
    return measured


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
