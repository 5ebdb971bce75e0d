"""The rows of the gateway: what it adds to a call, how long a killed upstream is missed, and what upstreams
cost that nobody uses.
"""

import dataclasses
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any, NamedTuple

from ..series import Goal, Measured, Row
from ..worker import ROOT, measure
from . import loads
from .calls import ERAS
from .goals import GATEWAY
from .process import cpu_exact, percentile, resident_mib
from .servers import OURS, Peer, running

ROUNDS = 3
GROUP = "gateway"
CONNECTIONS = 10
NAME = "fast"
ENTRIES = 200
SETTLED, REST_SECONDS = 2.0, 2.0
"""Seconds: until the node has looked at itself for the first time, and of rest behind that."""
ONE = "one of them"


def _row(key: str, title: str, unit: str, better: Any, *goals: Goal, peer: str = "") -> Measured:
    return Measured(Row(f"gateway.{key}", GROUP, title, unit, peer, better, goals))


def _goal(value: float) -> Goal:
    return Goal("ours", value, GATEWAY)


def _with(file: Path, tables: str) -> Peer:
    """Our node, with the measured server, and the upstreams of these tables."""
    file.write_text(tables)
    options = ("--config", str(file))
    return dataclasses.replace(
        OURS, http=(*OURS.http, *options), stdio=(*OURS.stdio, *options), path=f"/mcp/{NAME}"
    )


def _fast() -> str:
    return f'[upstreams.{NAME}]\ncommand = ["{sys.executable}", "{ROOT / "bench/mcp/fast.py"}"]\n'


def _on_demand(count: int) -> str:
    entry = f'command = ["{sys.executable}", "-c", "raise SystemExit"]\non_demand = true\n'
    return "\n".join(f"[upstreams.u{n}]\n{entry}" for n in range(count))


def _own_cpu(result: dict[str, Any]) -> float:
    """Microseconds of the node alone, without those of its upstream."""
    return float(result["cpu_us"] * result["shares"][0])


def gateway(say: Callable[[str], None], rounds: int = ROUNDS) -> list[Measured]:
    with tempfile.TemporaryDirectory(prefix="erlmcp-bench-") as directory:
        through = _with(Path(directory) / "fast.toml", _fast())
        crowded = _with(Path(directory) / "crowded.toml", _on_demand(ENTRIES))
        one = _with(Path(directory) / "one.toml", _on_demand(1))
        return [
            *_over_http(say, rounds, through),
            *_over_stdio(say, rounds, through),
            *_killed(say, rounds),
            *_unused(say, rounds, crowded, one),
        ]


def _over_http(say: Callable[[str], None], rounds: int, through: Peer) -> list[Measured]:
    lines = []
    for era in ERAS:
        title = f"HTTP, {era}, {CONNECTIONS} connections, to a fast program"
        goals = era == "modern"
        rate = _row(f"http.{era}.rate", title, "/s", "more", *[_goal(5000.0)] * goals)
        added = _row(
            f"http.{era}.added",
            f"{title}: CPU of the node over a call of its own server",
            "µs",
            "less",
            *[_goal(100.0)] * goals,
        )
        p50 = _row(f"http.{era}.p50", f"{title}, p50", "ms", "less")
        with running(OURS) as local, running(through) as server:
            loads.http(local, era, CONNECTIONS)
            loads.http(server, era, CONNECTIONS)
            for round in range(rounds):
                say(f"gateway: round {round + 1} of {rounds}, HTTP, {era}")
                alone = loads.http(local, era, CONNECTIONS)
                result = loads.http(server, era, CONNECTIONS)
                rate.add(result["per_second"])
                added.add(_own_cpu(result) - _own_cpu(alone))
                p50.add(result["p50_ms"])
        lines += [rate, added, p50]
    return lines


def _over_stdio(say: Callable[[str], None], rounds: int, through: Peer) -> list[Measured]:
    title = f"stdio, modern, {loads.WINDOW} in flight, to a fast program"
    rate = _row("stdio.rate", title, "/s", "more", _goal(5000.0))
    added = _row(
        "stdio.added",
        f"{title}: CPU of the node over a call of its own server",
        "µs",
        "less",
        _goal(100.0),
    )
    for round in range(rounds):
        say(f"gateway: round {round + 1} of {rounds}, stdio")
        alone = loads.stdio(OURS, "modern")
        result = loads.stdio(through, "modern", "through")
        rate.add(result["per_second"])
        added.add(result["cpu_us"] - alone["cpu_us"])
    return [rate, added]


def _killed(say: Callable[[str], None], rounds: int) -> list[Measured]:
    title = "kill -9 to the next good answer, the program's own start aside"
    middle = _row("killed.p50", f"{title}, p50", "ms", "less", _goal(50.0))
    most = _row("killed.max", f"{title}, the longest of ten", "ms", "less")
    for round in range(rounds):
        say(f"gateway: round {round + 1} of {rounds}, kills")
        found = measure([sys.executable, "-m", "bench.mcp.recovery"])["ms"]
        middle.add(percentile(found, 0.5))
        most.add(found[-1])
    return [middle, most]


def _unused(say: Callable[[str], None], rounds: int, crowded: Peer, one: Peer) -> list[Measured]:
    """WHY beside one entry: with the first one the node loads what a gateway needs, once."""
    title = f"{ENTRIES} upstreams on demand, unused"
    memory = _row("unused.rss", f"{title}: memory of each", "KiB", "less", _goal(50.0))
    ready = _row("unused.ready", f"{title}: start until ready", "s", "less", peer=ONE)
    same = Goal("ratio", 0.8, GATEWAY)
    rest = _row("unused.cpu", f"{title}: CPU in a second of rest", "ms", "less", same, peer=ONE)
    lines = [memory, ready, rest]
    for round in range(rounds):
        say(f"gateway: round {round + 1} of {rounds}, {ENTRIES} entries")
        many, few = _at_rest(crowded), _at_rest(one)
        memory.add((many.mib - few.mib) * 1024 / (ENTRIES - 1))
        ready.add(many.ready, few.ready)
        rest.add(many.cpu, few.cpu)
    return lines


class _Rest(NamedTuple):
    """Of a node: memory, seconds until it was ready, milliseconds of CPU in a second of rest."""

    mib: float
    ready: float
    cpu: float


def _at_rest(peer: Peer) -> _Rest:
    with running(peer) as server:
        sleep(SETTLED)
        spent = cpu_exact(server.pid)
        sleep(REST_SECONDS)
        spent = cpu_exact(server.pid) - spent
        return _Rest(resident_mib(server.pid), server.ready_seconds, spent / REST_SECONDS * 1e3)
