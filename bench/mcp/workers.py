"""The rows of two workers on one port, beside one.

WHY two loads: on two cores a load generator competes with the second worker, so small calls per second
say more about the load than about the node. A call that works for half a millisecond costs the load a
twentieth of that, and its rate is a fair measure of two workers. For small calls the row is what the
workers could answer if each had a core to itself: their requests per second of processor time, summed,
and bounded by the share of the busiest, because the system deals connections out by chance.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from ..series import Goal, Measured, Row
from ..worker import WorkerError
from . import loads, node_ways
from .goals import FAST
from .servers import OURS, READY_WITHIN, Running, running

ROUNDS = 3
GROUP = "workers"
CONNECTIONS = 100
ONE = "one worker"
TWICE = (Goal("ratio", 1.7, FAST),)


def listening(port: int) -> int:
    """How many sockets of 127.0.0.1 listen on `port`."""
    wanted = f":{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(wanted) and row[3] == "0A" for row in rows)


@contextlib.contextmanager
def crew(count: int) -> Iterator[Running]:
    """A node of `count` workers, all of which listen; the first that does would get every connection."""
    peer = dataclasses.replace(OURS, http=(*OURS.http, "--workers", str(count)))
    with running(peer) as server:
        deadline = monotonic() + READY_WITHIN
        while (found := listening(server.port)) < count:
            if monotonic() > deadline:
                raise WorkerError(
                    f"{found} of {count} workers listen after {READY_WITHIN:.0f} s; "
                    "each has a listening socket of its own"
                )
            sleep(0.01)
        yield server


def capacity(result: dict[str, Any]) -> float:
    """Requests per second of processor time of the busiest process, which bounds what all can answer."""
    return 1e6 / float(result["cpu_us"] * max(result["shares"]))


def workers(say: Callable[[str], None], rounds: int = ROUNDS) -> list[Measured]:
    work = Measured(
        Row(
            "workers.work",
            GROUP,
            "calls that work for half a millisecond",
            "/s",
            ONE,
            "more",
            TWICE,
        )
    )
    small = Measured(
        Row(
            "workers.capacity", GROUP, "small calls per second of CPU of the busiest worker", "/s",
            ONE, "more", TWICE,
        )
    )  # fmt: skip
    rate = Measured(
        Row("workers.rate", GROUP, "small calls, load on the same cores", "/s", ONE, "more")
    )
    lines = [work, small, rate]
    lacking = node_ways.WORKERS.lacking()
    if lacking:
        for line in lines:
            line.absent = lacking
        return lines
    for round in range(rounds):
        say(f"workers: round {round + 1} of {rounds}")
        busy, calls = [], []
        for count in (2, 1):
            with crew(count) as server:
                busy.append(loads.http(server, "modern", CONNECTIONS, case="spin"))
                calls.append(loads.http(server, "modern", CONNECTIONS))
        work.add(busy[0]["per_second"], busy[1]["per_second"])
        small.add(capacity(calls[0]), capacity(calls[1]))
        rate.add(calls[0]["per_second"], calls[1]["per_second"])
    return lines
