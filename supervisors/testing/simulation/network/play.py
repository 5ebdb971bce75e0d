"""Playing a plan of several nodes: they start, faults happen, and what must hold is looked at.

After each fault everybody runs until everybody waits, without time passing, then time passes
as the fault says. At the end the network is healed and all that was stopped comes back; when
the nodes have come to rest they must agree, and after their trees are stopped nothing must
be left.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from ..._order import seeded
from ..play import Outcome, Violation
from ..tree import Fault
from .cluster import Cluster
from .plan import NetworkPlan
from .subjects import FAULTS, REACTIONS
from .tables import at_floor, check
from .world import World

REST = 200.0
"""Seconds in which everything under way arrives and every call ends; no plan is slower."""


def play(plan: NetworkPlan) -> Outcome:
    """Play it once, from start to stop. The same plan has the same outcome."""
    outcome = Outcome()
    try:
        with seeded(plan.seed):
            trio.run(_drive, plan, outcome, clock=MockClock(autojump_threshold=0))
    except Exception as error:  # the kernel raised where no rule says so
        outcome.violation = f"the driver got {error!r}: {traceback.format_exc(limit=-6)}"
    return outcome


def replay(plan: NetworkPlan) -> None:
    """Play it; raises Violation when an invariant does not hold, as a printed program does."""
    outcome = play(plan)
    if outcome.violation is not None:
        raise Violation(outcome.violation)


async def _drive(plan: NetworkPlan, outcome: Outcome) -> None:
    world = World(plan, REACTIONS)
    async with trio.open_nursery() as nursery:
        driver = _Driver(Cluster(world, nursery), outcome)
        try:
            await driver.cluster.start()
            for outcome.at, fault in enumerate(plan.faults):
                await driver.suffer(fault)
            outcome.at = len(plan.faults)
            await driver.stop()
        except Violation as found:
            outcome.violation = str(found)
        outcome.reports = driver.cluster.reports
        nursery.cancel_scope.cancel()


class _Driver:
    def __init__(self, cluster: Cluster, outcome: Outcome) -> None:
        self.cluster = cluster
        self.world = cluster.world
        self.outcome = outcome

    async def suffer(self, fault: Fault) -> None:
        """Let one fault happen and look at what it did."""
        if FAULTS[fault.kind].inject(self.cluster, fault):
            self.outcome.injected[f"network {fault.kind}"] += 1
        await self._look()
        if fault.pause:
            await trio.sleep(fault.pause)
            await self._look()

    async def stop(self) -> None:
        """Heal, rest, look; stop the trees, rest, look at what is left."""
        await trio.sleep(REST)
        self.world.delays.clear()
        for station in self.world.plan.stations:
            self.cluster.bring_up(station.node)
        await trio.sleep(REST)
        self.world.network.heal()
        await trio.sleep(REST)
        await self._look()
        if not self.world.quiet():
            raise Violation("signals are under way, long after the last fault")
        self.cluster.stop_trees()
        await trio.sleep(REST)
        await self._look()
        self._judge(at_floor(self.world))

    async def _look(self) -> None:
        await wait_all_tasks_blocked()
        self.outcome.checks += 1
        self._judge(check(self.world, quiet=self.world.quiet()))

    def _judge(self, found: Iterable[str]) -> None:
        for violation in found:
            raise Violation(violation)
