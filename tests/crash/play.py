"""One simulation: a node, its clients, so many kills, and the books at the end. All from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

import trio
from trio.testing import wait_all_tasks_blocked

from supervisors import CrashReport, Report, current_runtime, exit_signal, format_reason, trap_exit
from supervisors.testing import run
from tests.crash.clients import BetaSessionClient, Client, ModernClient, SessionClient
from tests.crash.conversations import BetaWebSocketClient, TcpClient, WebSocketClient
from tests.crash.listeners import URI, Follower, Listener, Told
from tests.crash.node import TICK, World, open_descriptors
from tests.crash.oracle import Oracle, Violation, within
from tests.crash.sse import SseClient
from tests.crash.stdio import StdioClient
from tests.crash.tasks import TaskClient
from tests.crash.victims import Killer

CAST: tuple[type[Client], ...] = (
    ModernClient,
    ModernClient,
    ModernClient,
    SessionClient,
    SessionClient,
    BetaSessionClient,
    Listener,
    Follower,
    StdioClient,
    TaskClient,
    TaskClient,
    SseClient,
    TcpClient,
    TcpClient,
    WebSocketClient,
    BetaWebSocketClient,
)

QUIET = 4000.0
"""Virtual seconds after the last request: all that ends by itself has ended."""


@dataclass(slots=True)
class Outcome:
    """What a simulation came to."""

    oracle: Oracle
    seconds: float = 0.0
    """Of virtual time."""


def play(seed: int, kills: int) -> Outcome:
    """Play the simulation of a seed. Raises `Violation` with what went wrong.

    The same seed takes the same course: the clock is virtual, the order of tasks is drawn from it.
    """
    outcome = Outcome(Oracle())
    before = open_descriptors()
    try:
        run(_play, outcome, random.Random(seed), kills, seed=seed)
    except BaseExceptionGroup as group:
        found = _first_violation(group)
        if found is None:
            raise
        raise Violation(f"seed {seed}, {kills} kills: {found}") from group
    except Violation as found:
        raise Violation(f"seed {seed}, {kills} kills: {found}") from found
    left = open_descriptors()
    if left > before:
        raise Violation(f"seed {seed}, {kills} kills: {left - before} descriptors are left open")
    return outcome


def _first_violation(group: BaseExceptionGroup[BaseException]) -> Violation | None:
    for error in group.exceptions:
        if isinstance(error, Violation):
            return error
        if isinstance(error, BaseExceptionGroup):
            found = _first_violation(error)
            if found is not None:
                return found
    return None


async def _play(outcome: Outcome, chance: random.Random, kills: int) -> None:
    trap_exit()
    current_runtime().subscribe(lambda report: _no_crash(report, outcome.oracle))
    world = World(chance.choice(("newline", "length")))
    try:
        await world.start()
        before = await world.remains()
        await _suffer(world, outcome, chance, kills)
        await trio.sleep(QUIET)
        await wait_all_tasks_blocked()
        await _nothing_leaked(world, before)
        await _stop(world)
    finally:
        world.close()


async def _suffer(world: World, outcome: Outcome, chance: random.Random, kills: int) -> None:
    """All clients at work, so many kills, and the books."""
    oracle, began = outcome.oracle, trio.current_time()
    published: dict[str, list[float]] = {name: [] for name in world.servers}
    clients = [
        kind(f"{kind.__name__}{number}", world, oracle, random.Random(chance.random()))
        for number, kind in enumerate(CAST)
    ]
    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(client.run)
        async with trio.open_nursery() as beside:
            beside.start_soon(_publish, world, published, random.Random(chance.random()))
            await trio.sleep(1.0)
            killer = Killer(world, oracle, chance)
            while oracle.injected.total() < kills:
                await killer.step()
            await trio.sleep(10.0)
            beside.cancel_scope.cancel()
        for client in clients:
            client.enough = True
    outcome.seconds = trio.current_time() - began
    if oracle.crashes:
        raise Violation(f"crashed by itself: {oracle.crashes}")
    if oracle.open:
        raise Violation(f"requests without an end: {list(map(str, oracle.open.values()))}")
    for client in clients:
        if isinstance(client, Told):
            missed = client.missed(published[client.server])
            if missed:
                raise Violation(f"{client.name} was not told of {missed}; {oracle.kills}")


def _no_crash(report: Report, oracle: Oracle) -> None:
    """Nothing of the node's own may fail by itself; the tool `crash` does so on purpose."""
    if not isinstance(report, CrashReport) or report.kind == "exit":
        return
    label = str(report.label)
    if not (label.endswith("tools/call:crash") or label.startswith("task crash ")):
        oracle.crashes.append(f"{report.label or report.name}: {format_reason(report.reason)}")


async def _publish(world: World, published: dict[str, list[float]], chance: random.Random) -> None:
    while True:
        await trio.sleep(TICK * chance.randrange(20))
        name = chance.choice(sorted(world.servers))
        published[name].append(trio.current_time())
        world.servers[name].notify_updated(URI)


async def _nothing_leaked(world: World, before: dict[str, object]) -> None:
    after = await world.remains()
    if world.running:
        raise Violation(f"handlers still run: {world.running}")
    for part, was in before.items():
        if after[part] != was:
            raise Violation(f"{part} were {was} and are {after[part]}")


async def _stop(world: World) -> None:
    """Stop the tree; its processes end with it."""
    root = world.root
    assert root is not None
    exit_signal(root, "shutdown")
    await within(100.0, "the tree stops", lambda: len(current_runtime().processes()) <= 1)
