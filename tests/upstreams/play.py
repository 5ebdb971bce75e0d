"""A campaign: a node, clients that call without pause, and somebody for each upstream who does it wrong.

At the end all upstreams are up, with a program each; what the node had open before the clients came it has
open now, and no more; and nothing outlives it.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import trio

from erlmcp_py.client import Client, ClientError
from erlmcp_py.protocol.errors import McpError
from supervisors import Runtime
from tests.upstreams.book import Good, Patient, Said
from tests.upstreams.callers import Modes, Times, busy, busy_with_all, call, lists
from tests.upstreams.faults import PIPES, Fault, plan
from tests.upstreams.world import AT_URL, NAMES, VICTIMS, Violation, World

BACK: Final = 60.0
"""Seconds in which an upstream has to be back, whatever was done to it."""
GROWTH: Final = 64.0
"""MiB that the node may grow by after the first part of a campaign: a line without an end has 16."""
_FIRST_PART: Final = 0.2
_SETTLING: Final = 20.0
_PREFIXED: Final = frozenset(f"{name}_who" for name in NAMES)


class Recovery(NamedTuple):
    """seconds: from the fault to the next good answer, the program's own start aside."""

    fault: Fault
    name: str
    seconds: float


class Outcome:
    """What came of a campaign."""

    def __init__(self) -> None:
        self.times = Times()
        self.patients = {name: Patient(name) for name in NAMES}
        self.recoveries: list[Recovery] = []
        self.done: Counter[str] = Counter()
        self.resident = (0.0, 0.0)
        self.descriptors = 0

    @property
    def answered(self) -> int:
        """Calls with a good answer."""
        return sum(each.answered for each in self.patients.values())

    @property
    def refusals(self) -> Counter[str]:
        """Calls with an error, by its text."""
        return sum((each.refusals for each in self.patients.values()), Counter())

    def after_crashes(self) -> list[float]:
        """Seconds from the crash of a program that had been well for a while to the next good answer."""
        return sorted(
            each.seconds
            for each in self.recoveries
            if each.name != AT_URL and PIPES[each.fault.kind].crash and each.fault.rested
        )


def play(
    seed: int, total: int, directory: Path, told: Callable[[int], None] = lambda _done: None
) -> Outcome:
    """Raises Violation, which has the end of the node's log."""
    world = World(directory)
    outcome = Outcome()
    try:
        world.start()
        trio.run(_play, world, outcome, plan(seed, total, VICTIMS), told)
        world.end()
        if found := world.failures():
            raise Violation(f"the node's log: {found[:3]}")
    except Exception as problem:
        raise Violation(f"{_first(problem)!r}\n{world.last_words()}") from problem
    finally:
        world.clear()
    return outcome


def _first(problem: Exception) -> Exception:
    while isinstance(problem, ExceptionGroup):
        problem = problem.exceptions[0]
    return problem


async def _play(
    world: World,
    outcome: Outcome,
    plans: dict[str, Sequence[Fault]],
    told: Callable[[int], None],
) -> None:
    async with Runtime("upstreams"):
        await _all_up(world)
        before = await _settled(world)
        async with trio.open_nursery() as clients:
            for patient in outcome.patients.values():
                for mode in Modes:
                    clients.start_soon(busy, world.url, mode, patient, outcome.times)
            for mode in Modes:
                clients.start_soon(busy_with_all, world.url, mode, outcome.patients, outcome.times)
            clients.start_soon(lists, world.url, _PREFIXED, outcome.times)
            await _all_answered(outcome)
            async with trio.open_nursery() as culprits:
                for name, faults in plans.items():
                    culprits.start_soon(_mistreat, world, outcome, name, faults)
                culprits.start_soon(_watch, world, outcome, sum(map(len, plans.values())), told)
            clients.cancel_scope.cancel()
        await _all_up(world)
        after = await _settled(world, before)
        outcome.descriptors = after.total()
        outcome.resident = (outcome.resident[0], world.resident())
        if outcome.resident[1] - outcome.resident[0] > GROWTH:
            raise Violation("memory grew from {:.0f} to {:.0f} MiB".format(*outcome.resident))


async def _all_up(world: World) -> None:
    """Every upstream answers, within `BACK`. Raises Violation."""
    for name in NAMES:
        problem: object = "nobody has asked"
        with trio.move_on_after(BACK):
            while problem is not None:
                try:
                    async with Client(f"{world.url}/{name}") as client:
                        await client.call_tool("who", {"token": "up?"})
                        problem = None
                except (McpError, ClientError) as refusal:
                    problem = refusal
                    await trio.sleep(0.05)
        if problem is not None:
            raise Violation(f"{name} is not up: {problem}")


async def _all_answered(outcome: Outcome) -> None:
    with trio.fail_after(BACK):
        while not all(each.answered for each in outcome.patients.values()):
            await trio.sleep(0.01)


async def _settled(world: World, wanted: Counter[str] | None = None) -> Counter[str]:
    """The node's descriptors when they are as `wanted`, and the programs and their zombies are none too
    many. Raises Violation if that does not come to be.
    """
    programs = len(NAMES) - 1
    with trio.move_on_after(_SETTLING):
        last: Counter[str] | None = None
        while True:
            found = world.descriptors()
            calm = len(world.programs()) == programs and not world.zombies()
            if calm and found == (last if wanted is None else wanted):
                return found
            last = found
            await trio.sleep(0.2)
    raise Violation(
        f"{programs} programs are wanted, there are {world.programs()}; zombies {world.zombies()}; "
        f"descriptors {dict(world.descriptors())}, at the beginning {wanted and dict(wanted)}"
    )


async def _watch(world: World, outcome: Outcome, total: int, told: Callable[[int], None]) -> None:
    """Until all is done; and what the node weighs when a part of it is."""
    while (done := outcome.done.total()) < total:
        told(done)
        if not outcome.resident[0] and done >= _FIRST_PART * total:
            outcome.resident = (world.resident(), 0.0)
        await trio.sleep(0.2)
    told(done)


# --- what is done ------------------------------------------------------------------------------

_SIGNALS: Final = {
    "kill": signal.SIGKILL,
    "exits": signal.SIGKILL,
    "slow": signal.SIGKILL,
    "term": signal.SIGTERM,
    "stop": signal.SIGSTOP,
}


async def _mistreat(world: World, outcome: Outcome, name: str, faults: Sequence[Fault]) -> None:
    culprit = _Web(world, outcome) if name == AT_URL else _Pipes(world, outcome, name)
    async with Client(f"{world.url}/{name}") as culprit.client:
        for fault in faults:
            await trio.sleep(fault.pause)
            began = trio.current_time()
            good = await culprit.commit(fault)
            if good is not None:
                seconds = good.at - began - good.said.startup
                outcome.recoveries.append(Recovery(fault, name, seconds))
            outcome.done[fault.kind] += 1


class _Culprit:
    """Does an upstream wrong, and waits until it is well again."""

    client: Client

    def __init__(self, world: World, outcome: Outcome, name: str) -> None:
        self.world = world
        self.times = outcome.times
        self.patient = outcome.patients[name]

    async def commit(self, fault: Fault) -> Good | None:
        """The first good answer behind it; None if it should make no difference."""
        raise NotImplementedError

    async def must_fail(self, tool: str) -> None:
        error = await call(self.client, self.patient, tool, self.times, meant_to=True)
        if error is None:
            raise Violation(f"{tool} of {self.patient.name} was answered")


class _Pipes(_Culprit):
    async def commit(self, fault: Fault) -> Good | None:
        patient, kind = self.patient, fault.kind
        if PIPES[kind].effect == "none":
            await call(self.client, patient, kind, self.times)
            return None
        before = patient.pid
        patient.trouble(lambda said: said.pid != before)
        if kind in ("exits", "slow"):
            self.world.order(patient.name, kind, fault.amount)
        number = _SIGNALS.get(kind)
        if number is None:
            await self.must_fail(kind)
        else:
            try:
                os.kill(before, number)
            except ProcessLookupError:
                text = f"{patient.name} has another program, and nothing was done to the last one"
                raise Violation(text) from None
        return await patient.well(BACK)


class _Web(_Culprit):
    def __init__(self, world: World, outcome: Outcome) -> None:
        super().__init__(world, outcome, AT_URL)

    async def commit(self, fault: Fault) -> Good | None:
        patient, world = self.patient, self.world
        before = patient.pid
        if fault.kind == "kill":
            patient.trouble(lambda said: said.pid != before)
            world.kill_web()
            await trio.sleep(fault.amount)
            await trio.to_thread.run_sync(world.start_web)
        elif fault.kind == "stop":
            patient.trouble(_never)
            world.signal_web(signal.SIGSTOP)
            await trio.sleep(fault.amount * 4)
            world.signal_web(signal.SIGCONT)
            patient.over_from(lambda _said: True)
        else:
            await self.must_fail(fault.kind)
            return None
        await patient.well(BACK)
        return None


def _never(_said: Said) -> bool:
    return False
