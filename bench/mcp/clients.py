"""The rows of our client beside the official one: the same calls of the same server, and what it takes to
import them.
"""

import sys
from collections.abc import Callable

from ..series import Goal, Measured, Row
from ..worker import measure
from . import loads
from .beside import Beside, Figure
from .calls import ERAS
from .client_load import FLIGHTS
from .goals import GATEWAY
from .servers import OURS, running

ROUNDS = 2
GROUP = "client"
OFFICIAL = "official Python client"
TRANSPORTS = ("http", "stdio")
FASTER = {OFFICIAL: (Goal("ratio", 4.0, GATEWAY),)}
IMPORTS = 10
"""Times that each client is imported, every time by a fresh process."""
IMPORTED = {"ours": "erlmcp_py.client", OFFICIAL: "mcp.client.client"}


TITLES = {
    "1": "1 in flight, on one core",
    "1 apart": "1 in flight, on two cores",
    "64": "64 in flight",
}
GOALS = {"1": FASTER, "1 apart": {}, "64": FASTER}


def _table(transport: str, era: str, flight: str) -> Beside:
    name = "HTTP" if transport == "http" else transport
    title = f"{name}, {era}, {TITLES[flight]}"
    key = f"client.{transport}.{era}.{flight.replace(' ', '_')}"
    return Beside(
        (
            Figure(f"{key}.rate", GROUP, title, "/s", "more", "per_second", GOALS[flight]),
            Figure(f"{key}.cpu", GROUP, f"{title}: CPU of the client", "µs", "less", "cpu_us"),
        ),
        (OFFICIAL,),
    )


def clients(say: Callable[[str], None], rounds: int = ROUNDS) -> list[Measured]:
    """A fresh client for every figure; over stdio it starts its server, over HTTP one stands for a round."""
    tables = {
        (transport, era, flight): _table(transport, era, flight)
        for transport in TRANSPORTS
        for era in ERAS
        for flight in FLIGHTS
    }
    for round in range(rounds):
        with running(OURS) as server:
            for transport in TRANSPORTS:
                for era in ERAS:
                    say(f"client: round {round + 1} of {rounds}, {transport}, {era}")
                    ours, official = (
                        loads.client(name, server, transport, era) for name in ("ours", "official")
                    )
                    for flight in FLIGHTS:
                        tables[transport, era, flight].add(
                            ours[flight], {OFFICIAL: official[flight]}
                        )
    return [
        *(line for table in tables.values() for line in table.lines()),
        imports(say),
    ]


def imports(say: Callable[[str], None], rounds: int = IMPORTS) -> Measured:
    """Milliseconds from the statement to what follows it: the start and the end of Python are not in it.
    The first import of each writes bytecode, and does not count.
    """
    goal = Goal("ours", 150.0, GATEWAY)
    line = Measured(Row("client.import", GROUP, "importing it", "ms", OFFICIAL, "less", (goal,)))
    say(f"client: {rounds} imports of each")
    for module in IMPORTED.values():
        import_ms(module)
    for _ in range(rounds):
        line.add(import_ms(IMPORTED["ours"]), import_ms(IMPORTED[OFFICIAL]))
    return line


def import_ms(module: str) -> float:
    """Milliseconds that a process which has loaded nothing else takes for ``import module``.

    Raises WorkerError.
    """
    code = (
        "from time import perf_counter; begun = perf_counter(); "
        f"import {module}; "
        "print('{\"ms\": %f}' % ((perf_counter() - begun) * 1e3))"
    )
    return float(measure([sys.executable, "-c", code])["ms"])
