"""The rows of a plain `tools/call`: HTTP at several numbers of connections, and stdio, beside all peers."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack

from ..series import Goal, Measured
from . import loads
from .beside import Beside, Figure
from .goals import CPU, DESIGN, FASTER
from .servers import OURS, PEERS, SDK, peers, running

ROUNDS = 3
ERAS = ("modern", "legacy")
LOADS: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "1": (1, (loads.TURNS,)),
    "1 apart": (1, ()),
    "10": (10, ()),
    "100": (100, ()),
    "1000": (1000, ()),
}
"""Connections and options of each load over HTTP.

With one connection, load and server never work at the same time. The row that has goals has both on one
core: on two, a virtual machine charges each request for waking a core, which is more than the request.
"""
TITLES = {
    "1": "1 connection, on one core",
    "1 apart": "1 connection, on two cores",
    "10": "10 connections",
    "100": "100 connections",
    "1000": "1,000 connections",
}
STDIO, APART, MANY = "stdio", "1 apart", "1000"
Goals = Mapping[str, tuple[Goal, ...]]
WARMING = 1.0
"""Seconds of load before the first figure of a server: compilers that work while it runs are done then."""


def _figures(key: str, title: str, load: str) -> tuple[Figure, ...]:
    """The three rows of a load: one of `LOADS`, or stdio."""
    rate: Goals = FASTER
    cpu: Goals = CPU
    p99: Goals = {}
    if load == STDIO:
        rate, cpu = {SDK.name: (Goal("ratio", 8.0, DESIGN),)}, {}
    elif load == APART:
        rate, cpu = {}, {}
    elif load == MANY:
        rate, p99 = {}, {"": (Goal("ours", 150.0, DESIGN),)}
    return (
        Figure(f"{key}.rate", "mcp rate", title, "/s", "more", "per_second", rate),
        Figure(f"{key}.cpu", "mcp cpu", title, "µs", "less", "cpu_us", cpu),
        Figure(f"{key}.p50", "mcp latency", f"{title}, p50", "ms", "less", "p50_ms"),
        Figure(f"{key}.p99", "mcp latency", f"{title}, p99", "ms", "less", "p99_ms", p99),
    )


def http(say: Callable[[str], None], rounds: int = ROUNDS) -> list[Measured]:
    """Fresh servers every round; all stand, one is loaded at a time."""
    cases = {
        (era, load): Beside(
            _figures(f"http.{era}.{load.replace(' ', '_')}", f"HTTP, {era}, {TITLES[load]}", load),
            PEERS,
        )
        for era in ERAS
        for load in LOADS
    }
    for round in range(rounds):
        with ExitStack() as stack:
            servers = [stack.enter_context(running(peer)) for peer in (OURS, *peers())]
            for server in servers:
                loads.http(server, "modern", 10, seconds=WARMING)
            for (era, load), table in cases.items():
                say(f"http: round {round + 1} of {rounds}, {era}, {TITLES[load]}")
                connections, options = LOADS[load]
                ours, *theirs = [
                    loads.http(server, era, connections, *options) for server in servers
                ]
                table.add(ours, dict(zip(PEERS, theirs, strict=True)))
    return [line for table in cases.values() for line in table.lines()]


def stdio(say: Callable[[str], None], rounds: int = ROUNDS) -> list[Measured]:
    """A fresh server for every figure, many requests in flight."""
    measured = []
    for era in ERAS:
        title = f"stdio, {era}, {loads.WINDOW} in flight"
        table = Beside(_figures(f"stdio.{era}", title, STDIO), PEERS)
        for round in range(rounds):
            say(f"stdio: round {round + 1} of {rounds}, {era}")
            ours, *theirs = [loads.stdio(peer, era) for peer in (OURS, *peers())]
            table.add(ours, dict(zip(PEERS, theirs, strict=True)))
        measured += table.lines()
    return measured
