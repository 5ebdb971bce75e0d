"""So many damaged requests at one node, and after every bunch: who is left, and is a new client served?"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import trio
import trio.testing

from erlmcp_py import sessions
from erlmcp_py.sessions import SessionLimits
from erlmcp_py.transports.http.request import HttpRequest
from erlmcp_py.transports.http.settings import ListenerConfig, RouteAnswer
from erlmcp_py.transports.http.supervisor import child_spec
from erlmcp_py.transports.net.supervisor import statistics
from supervisors import Report, current_runtime
from tests.attack.http.answers import Wrong
from tests.attack.http.battle import attack, clean_request
from tests.attack.http.mutation import Shot
from tests.erlmcp_py.transports.http.client import connect
from tests.erlmcp_py.transports.node import Probe, make_server, node, open_descriptors
from tests.fuzz.world import faults

BUNCH: Final = 500
_ABREAST: Final = 16
_SESSIONS: Final = SessionLimits(max=100)


class Left(NamedTuple):
    """What there is when nobody is connected. objects: of Python, garbage aside; resident: KiB."""

    processes: int
    tasks: int
    descriptors: int
    objects: int
    resident: int


class Result(NamedTuple):
    """first and last: after the first bunch and after the last one."""

    sent: int
    statuses: Counter[int]
    first: Left
    last: Left


async def health(_request: HttpRequest) -> RouteAnswer:
    return 200, {"Content-Type": "application/json"}, b"{}"


def run(total: int, seed: int, told: Callable[[int], None] = lambda _sent: None) -> Result:
    """Send them. Raises Wrong, with the request that did it and its numbers."""
    return trio.run(_run, total, seed, told)


async def _run(total: int, seed: int, told: Callable[[int], None]) -> Result:
    config = ListenerConfig(port=0)
    listener = child_spec(config, {"/health": health})
    statuses: Counter[int] = Counter()
    async with node({"probe": make_server(Probe())}, listener, limits=_SESSIONS) as reports:
        await _bunch(seed, range(-BUNCH, 0), Counter())  # so that caches are full
        first = last = await _left()
        for begin in range(0, total, BUNCH):
            await _bunch(seed, range(begin, min(begin + BUNCH, total)), statuses)
            await clean_request()
            last = await _left()
            _check(reports, first, last, f"seed {seed}, numbers from {begin}")
            told(min(begin + BUNCH, total))
        return Result(total, statuses, first, last)


async def _bunch(seed: int, numbers: range, statuses: Counter[int]) -> None:
    async with connect() as client:
        session = await client.initialize()
    mine = {session}
    waiting = iter(numbers)

    async def soldier() -> None:
        for number in waiting:
            shot = Shot(seed, number, session)
            try:
                answers = await attack(shot.pieces, f"next {seed} {number}")
            except (Wrong, trio.TooSlowError) as problem:
                raise Wrong(f"{problem!r}\n{shot!r}") from problem
            statuses.update(answer.status for answer in answers)
            mine.update(
                a.headers["mcp-session-id"] for a in answers if "mcp-session-id" in a.headers
            )

    async with trio.open_nursery() as nursery:
        for _ in range(_ABREAST):
            nursery.start_soon(soldier)
    for id in mine:
        await sessions.delete(id)


def _resident() -> int:
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])


async def _left() -> Left:
    async def nobody() -> bool:
        return (await statistics("http")).open == 0

    with trio.fail_after(20):
        while not await nobody():
            await trio.sleep(0.01)
    await trio.testing.wait_all_tasks_blocked(0.01)
    live = (await sessions.statistics()).live
    descriptors = open_descriptors()
    tasks = trio.lowlevel.current_statistics().tasks_living
    return Left(
        len(current_runtime().processes()) - live,
        tasks,
        descriptors,
        len(gc.get_objects()),
        _resident(),
    )


def _check(reports: list[Report], first: Left, last: Left, where: str) -> None:
    if found := faults(reports):
        raise Wrong(f"{where}: {found}")
    if last[:3] != first[:3]:
        raise Wrong(f"{where}: {first} became {last}")
