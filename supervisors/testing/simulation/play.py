"""Playing a plan: the driver process starts the tree, lets faults happen and looks.

After each fault everybody runs until everybody waits, without time passing, and the
invariants are checked; then time passes as the fault says. A tree whose root has given up
is started again. At the end the tree is stopped, time runs past every limit, and what is
left must be nothing.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import trio
from trio.testing import wait_all_tasks_blocked

from ..._cell import current_runtime
from ..._errors import CallExit, Ignore, StartError
from ..._pid import Pid
from ..._reports import Report
from ..._signals import exit_signal, is_alive, trap_exit
from ..._signals import self as own_pid
from ..._supervisor import administration
from ..._supervisor.errors import SupervisorError
from ..._task import receive
from .._run import run
from .invariants import at_floor, check
from .subjects import inject
from .tree import Branch, Fault, Plan, walk
from .world import World

STOP_LIMIT = 100_000.0
"""Seconds of virtual time a tree may take to stop; nothing in a plan is that slow."""

AFTERMATH = 10_000.0
"""Seconds that pass before the floor is looked at: longer than any time limit in a plan."""


@dataclass(slots=True)
class Outcome:
    """What became of a plan.

    injected: faults that hit somebody, by kind. checks: how often all invariants were
    looked at. reports: how many the kernel made. violation: the first thing found wrong, None when all was well. at: index
    of the fault after which it was found; `len(faults)` for the stop.
    """

    injected: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    reports: int = 0
    violation: str | None = None
    at: int = 0


class Violation(AssertionError):
    """An invariant does not hold."""


def play(plan: Plan) -> Outcome:
    """Play it once, from start to stop. The same plan has the same outcome."""
    outcome = Outcome()
    try:
        run(_drive, plan, outcome, seed=plan.seed)
    except Violation as found:
        outcome.violation = str(found)
    except Exception as error:  # the kernel raised where no rule says so
        outcome.violation = f"the driver got {error!r}: {traceback.format_exc(limit=-4)}"
    return outcome


def replay(plan: Plan) -> None:
    """Play it; raises Violation when an invariant does not hold, as a printed program does."""
    outcome = play(plan)
    if outcome.violation is not None:
        raise Violation(outcome.violation)


async def _drive(plan: Plan, outcome: Outcome) -> None:
    driver = _Driver(plan, outcome)
    trap_exit()
    unsubscribe = current_runtime().subscribe(driver.hear)
    await driver.start()
    for outcome.at, fault in enumerate(plan.faults):
        await driver.suffer(fault)
    outcome.at = len(plan.faults)
    await driver.stop()
    unsubscribe()


class _Driver:
    """The process above the root."""

    def __init__(self, plan: Plan, outcome: Outcome) -> None:
        self.tree = plan.tree
        self.outcome = outcome
        self.world = World(plan.tree)
        self.root: Pid | None = None

    def hear(self, report: Report) -> None:
        """A subscriber of the runtime."""
        self.outcome.reports += 1
        self.world.report(report)

    async def start(self) -> None:
        """Start the tree, again when a fault left from before makes that fail."""
        self.world.nodes.update((node.id, node) for node in walk(self.tree))
        for _ in range(5):
            self._kill_leftovers()
            try:
                self.root = await self.world.start(self.tree)
                break
            except (StartError, Ignore) as failed:
                reason = failed
                self.world.inits.clear()
                await trio.sleep(STOP_LIMIT / 100)
        else:
            raise Violation(f"the tree does not start: {reason}")
        await self._fill(self.tree)

    async def _fill(self, branch: Branch) -> None:
        """Start the first children of supervisors whose children are patterns."""
        for node in walk(branch):
            if isinstance(node, Branch) and node.dynamic:
                simple = node.strategy == "simple_one_for_one"
                for pid in self.world.living(node.id):
                    for number in range(node.dynamic):
                        pattern = node.children[number % len(node.children)]
                        spec = () if simple else self.world.spec(pattern)
                        try:
                            await administration.start_child(pid, spec)
                        except (SupervisorError, CallExit):
                            break  # what a fault has ordered before

    async def suffer(self, fault: Fault) -> None:
        """Let one fault happen and look at what it did."""
        if self.root is None or not is_alive(self.root):
            await self.start()
        if inject(self.world, fault):
            self.outcome.injected[fault.kind] += 1
        await self._look()
        if fault.pause:
            await trio.sleep(fault.pause)
            await self._look()

    async def stop(self) -> None:
        """Stop the tree as its parent would, and look at what is left."""
        if self.root is not None and is_alive(self.root):
            exit_signal(self.root, "shutdown")
            with trio.move_on_after(STOP_LIMIT):
                root = self.root
                await receive(lambda m: type(m) is tuple and m[0] == "EXIT" and m[1] is root)
        await trio.sleep(AFTERMATH)
        self._kill_leftovers()
        await trio.sleep(AFTERMATH)
        await self._look()
        self._judge(at_floor(current_runtime(), {own_pid()}))

    async def _look(self) -> None:
        await wait_all_tasks_blocked()
        self.outcome.checks += 1
        self._judge(check(current_runtime(), self.world))

    def _judge(self, found: Iterable[str]) -> None:
        for violation in found:
            raise Violation(violation)

    def _kill_leftovers(self) -> None:
        """Those that have unlinked from a supervisor that was killed: OTP leaves them, too."""
        for pid in list(self.world.unlinked):
            entry = self.world.births.get(pid)
            if entry is None or entry[1]._process is None:
                exit_signal(pid, "kill")
