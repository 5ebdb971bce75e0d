"""The ledger of a simulation: who was started by whom, who heard what, who waits for whom.

Workers, callers and the report subscriber write into it; `invariants` reads it. It knows
what ought to be true without asking the kernel.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

from ..._cell import current_runtime
from ..._errors import Ignore, format_reason, is_normal
from ..._pid import Pid, Ref
from ..._process import Process
from ..._reports import CrashReport, Report, SupervisorReport
from ..._signals import is_alive
from ..._signals import self as own_pid
from ..._supervisor.behaviour import Supervisor
from ..._supervisor.spec import ChildSpec, SupFlags
from . import actors
from .actors import Actor, start_worker
from .plan import Branch, Node, Worker

SLACK = 1000.0
"""Seconds that may lie between a failed restart and its next attempt, in the ledger's eyes:
a supervisor may be busy stopping slow children in between."""


class Budget:
    """The restarts of one supervisor, as its reports tell them (rule V9)."""

    __slots__ = ("attempts", "exceeded", "failures", "flags")

    def __init__(self, flags: SupFlags) -> None:
        self.flags = flags
        self.attempts: deque[int] = deque()
        self.failures: deque[float] = deque()
        self.exceeded = False

    def crashed(self, now: float) -> None:
        """A child ended that has to be restarted: an attempt, now."""
        second = math.floor(now)
        while self.attempts and self.attempts[0] < second - self.flags.period:
            self.attempts.popleft()
        self.attempts.append(second)
        if len(self.attempts) > self.flags.intensity:
            self.exceeded = True

    def failed(self, now: float) -> None:
        """A start failed: another attempt follows, some time later."""
        while self.failures and self.failures[0] < now - SLACK:
            self.failures.popleft()
        self.failures.append(now)

    def may_give_up(self) -> bool:
        """Whether there can have been more attempts than are allowed."""
        return len(self.attempts) + len(self.failures) > self.flags.intensity


@dataclass(slots=True)
class Call:
    """A call that has not come back. deadline: of the clock, infinity for administration."""

    caller: Pid
    server: Process
    deadline: float


@dataclass(slots=True)
class World:
    """What is known in one simulation.

    births: pid -> (id, supervisor) of every process started by a supervisor and not yet
    seen dead. by_id: the same by id. absent: (supervisor, id) of children that are rightly
    not running. violations: what was found wrong.
    """

    tree: Branch
    births: dict[Pid, tuple[str, Pid]] = field(default_factory=dict)
    by_id: dict[str, list[Pid]] = field(default_factory=lambda: defaultdict(list))
    nodes: dict[str, Node] = field(default_factory=dict)
    absent: set[tuple[Pid, str]] = field(default_factory=set)
    unlinked: set[Pid] = field(default_factory=set)
    inits: dict[str, tuple[str, float]] = field(default_factory=dict)
    budgets: dict[Pid, Budget] = field(default_factory=dict)
    gave_up: set[Pid] = field(default_factory=set)
    calls: dict[int, Call] = field(default_factory=dict)
    watches: dict[Ref, tuple[Pid, Pid]] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    serial: int = 0

    def now(self) -> float:
        """Seconds of the virtual clock."""
        return current_runtime().now()

    def number(self) -> int:
        """A number never used before in this world."""
        self.serial += 1
        return self.serial

    def accuse(self, what: str) -> None:
        """Note a violation that was seen while it happened."""
        self.violations.append(what)

    # --- starting -----------------------------------------------------------------------

    def spec(self, node: Node) -> ChildSpec:
        """The child specification of a node."""
        self.nodes[node.id] = node
        return ChildSpec(
            id=node.id,
            start=(self.start, (node,)),
            restart=node.restart,
            shutdown=node.shutdown,
            type="supervisor" if isinstance(node, Branch) else "worker",
            significant=node.significant,
        )

    async def start(self, node: Node) -> Pid:
        """The start function of every child: starts it and enters it in the ledger."""
        parent = own_pid()
        try:
            if isinstance(node, Worker):
                pid = await start_worker(self, node, parent)
            else:
                name = node.id if node.named else None
                pid = await SimulatedBranch.start_link(self, node, name=name)
        except Ignore:
            self.absent.add((parent, node.id))
            raise
        self.absent.discard((parent, node.id))
        if isinstance(node, Worker) and node.kind == "plain" and not is_alive(pid):
            self.accuse(f"{node.id} was started as {pid}, which had ended in its init")
        self.born(node.id, pid, parent)
        return pid

    def born(self, id: str, pid: Pid, parent: Pid) -> None:
        """Enter a process that `parent` has started."""
        self.births[pid] = id, parent
        self.by_id[id].append(pid)

    def next_init(self, id: str) -> tuple[str, float]:
        """How the next start of a worker goes, as a fault has ordered."""
        return self.inits.pop(id, ("ok", 0.0))

    def living(self, id: str) -> list[Pid]:
        """The live processes with an id, oldest first."""
        return [pid for pid in self.by_id.get(id, ()) if is_alive(pid)]

    def bury(self) -> None:
        """Forget those whose processes are gone."""
        gone = [pid for pid in self.births if pid._process is None]
        for pid in gone:
            id, _ = self.births.pop(pid)
            self.by_id[id].remove(pid)
            self.gave_up.discard(pid)
            if self.budgets.pop(pid, None) is not None:
                self.absent = {entry for entry in self.absent if entry[0] is not pid}

    # --- hearing ------------------------------------------------------------------------

    def hears(self, actor: Actor, sender: int, number: int) -> None:
        """Numbers of one sender come in order and without a gap (rule P1)."""
        expected = actor.heard.get(sender, 0) + 1
        if number != expected:
            self.accuse(
                f"{actor.node.id} heard number {number} of sender {sender} "
                f"where number {expected} was due"
            )
        actor.heard[sender] = number

    def watching(self, watcher: Pid, ref: Ref, target: Pid) -> None:
        """A worker has set up a monitor."""
        self.watches[ref] = watcher, target

    def saw_down(self, watcher: Pid, ref: Ref, target: Pid) -> None:
        """Exactly one DOWN for a monitor, and not of the living (rule P9)."""
        if self.watches.pop(ref, None) is None:
            self.accuse(f"{watcher} got a second DOWN of {target}")
        elif target._process is not None:
            self.accuse(f"{watcher} got a DOWN of {target}, which lives")

    def report(self, report: Report) -> None:
        """Keep the books on restarts; a subscriber of the runtime."""
        if isinstance(report, CrashReport) and report.kind != "exit":
            if not report.initial_call.startswith(actors.__name__ + ":"):
                self.accuse(f"{report.initial_call} crashed: {format_reason(report.reason)}")
            return
        if not isinstance(report, SupervisorReport) or report.pid is None:
            return
        budget = self.budgets.get(report.pid)
        if budget is None:
            return
        now = self.now()
        restart = report.offender["restart_type"]
        if report.context == "child_terminated":
            if restart == "permanent" or (restart == "transient" and not is_normal(report.reason)):
                budget.crashed(now)
        elif report.context == "start_error":
            budget.failed(now)
        elif report.context == "shutdown":
            if not budget.may_give_up():
                self.accuse(f"{report.supervisor} gave up within its restart budget")
            self.gave_up.add(report.pid)


class SimulatedBranch(Supervisor):
    """Any supervisor of a simulated tree."""

    def init(self, world: World, node: Branch) -> Any:
        """The node's flags and children; opens the books on its restarts."""
        flags = SupFlags(node.strategy, node.intensity, node.period, node.auto_shutdown)
        world.budgets[own_pid()] = Budget(flags)
        return flags, [world.spec(child) for child in node.children]
