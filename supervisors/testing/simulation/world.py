"""The ledger of a simulation: who was started by whom, who heard what, who waits for whom.

Workers, clients and the report subscriber write into it; the subjects' checks read it. It
knows what ought to be true without asking the kernel.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..._cell import current_runtime
from ..._errors import Ignore, format_reason
from ..._pid import Pid, Ref
from ..._process import Process
from ..._reports import CrashReport, Report, SupervisorReport
from ..._signals import is_alive
from ..._signals import self as own_pid
from ..._supervisor.pacing import Backoff
from ..._supervisor.pacing import Budget as OwnBudget
from ..._supervisor.spec import ChildSpec, SupFlags
from ..._task import TaskProcess, spawn
from .subjects import WORKERS, restarts
from .subjects.manners import Actor, Boom
from .subjects.restarts import LONGEST, Budget, Pause
from .subjects.supervisors import start_branch
from .tree import Branch, Node, Worker

B = TypeVar("B")


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
    seen dead. by_id: the same by id. shapes: the node of each supervisor. absent:
    (supervisor, id) of children that are rightly not running. sent, heard: of each sender
    of numbers, to whom and how far. hired: who works on behalf of
    faults. violations: what was found wrong.
    """

    tree: Branch
    births: dict[Pid, tuple[str, Pid]] = field(default_factory=dict)
    by_id: dict[str, list[Pid]] = field(default_factory=lambda: defaultdict(list))
    nodes: dict[str, Node] = field(default_factory=dict)
    shapes: dict[Pid, Branch] = field(default_factory=dict)
    absent: set[tuple[Pid, str]] = field(default_factory=set)
    unlinked: set[Pid] = field(default_factory=set)
    inits: dict[str, tuple[str, float]] = field(default_factory=dict)
    budgets: dict[Pid, Budget] = field(default_factory=dict)
    own_budgets: dict[tuple[Pid, str], Budget] = field(default_factory=dict)
    pauses: dict[tuple[Pid, str], Pause] = field(default_factory=dict)
    gave_up: set[Pid] = field(default_factory=set)
    sent: dict[int, tuple[Pid, int]] = field(default_factory=dict)
    heard: dict[int, int] = field(default_factory=dict)
    calls: dict[int, Call] = field(default_factory=dict)
    watches: dict[Ref, tuple[Pid, Pid, str]] = field(default_factory=dict)
    hired: list[Pid] = field(default_factory=list)
    books: dict[type, Any] = field(default_factory=dict)
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

    def book(self, kind: type[B]) -> B:
        """The part of the ledger that one subject keeps for itself."""
        found: B | None = self.books.get(kind)
        if found is None:
            found = self.books[kind] = kind()
        return found

    # --- those who work on behalf of faults -----------------------------------------------

    def hire(self, fn: Callable[..., Awaitable[object]], *args: Any) -> Pid:
        """Spawn a client, which the fault "interrupt" may kill."""
        pid = spawn(fn, *args, label=getattr(fn, "__name__", "client").strip("_"))
        self.hired.append(pid)
        return pid

    def clients(self) -> list[Pid]:
        """The clients that live."""
        self.hired = [pid for pid in self.hired if is_alive(pid)]
        return self.hired

    @contextmanager
    def calling(self, server: Process, timeout: float) -> Iterator[None]:
        """While open, the calling process waits for `server`, for so many seconds at most."""
        token = self.number()
        self.calls[token] = Call(own_pid(), server, self.now() + timeout)
        try:
            yield
        finally:
            self.calls.pop(token, None)

    # --- starting -----------------------------------------------------------------------

    def name_of(self, node: Node) -> str | None:
        """The name it is registered under."""
        return node.id if node.named else None

    def spec(self, node: Node) -> ChildSpec:
        """The child specification of a node."""
        self.nodes[node.id] = node
        backoff, budget = (node.backoff, node.budget) if isinstance(node, Worker) else (0.0, None)
        return ChildSpec(
            id=node.id,
            start=(self.start, (node,)),
            restart=node.restart,
            shutdown=node.shutdown,
            type="supervisor" if isinstance(node, Branch) else "worker",
            significant=node.significant,
            backoff=Backoff(backoff, 2.0, backoff * LONGEST, 0.0) if backoff else None,
            budget=None if budget is None else OwnBudget(*budget),
        )

    async def start(self, node: Node) -> Pid:
        """The start function of every child: starts it and enters it in the ledger."""
        parent = own_pid()
        restarts.comes_back(self, parent, node.id)
        try:
            if isinstance(node, Worker):
                pid = await WORKERS[node.kind].start(self, node, parent)
            else:
                pid = await start_branch(self, node)
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

    def open_books(self, supervisor: Pid, node: Branch, flags: SupFlags) -> None:
        """A supervisor begins."""
        self.budgets[supervisor] = Budget(flags.intensity, flags.period)
        self.shapes[supervisor] = node

    def next_init(self, id: str) -> tuple[str, float]:
        """How the next start of a worker goes, as a fault has ordered."""
        return self.inits.pop(id, ("ok", 0.0))

    def living(self, id: str) -> list[Pid]:
        """The live processes with an id, oldest first."""
        return [pid for pid in self.by_id.get(id, ()) if is_alive(pid)]

    def one_of(self, id: str, number: int) -> Pid | None:
        """One of the live processes with an id."""
        living = self.living(id)
        return living[number % len(living)] if living else None

    def rests(self, pid: Pid) -> bool:
        """Whether a live process waits for mail, has none, and is not suspended."""
        process = pid._process
        if process is None or not process.alive:
            return False
        if process.extras is not None and process.extras.suspended:
            return False
        if isinstance(process, TaskProcess):
            if process.behaviour is not None:
                return process.at_rest and process.borrowed is None
            return process.waiting_task is not None
        return True

    def bury(self) -> None:
        """Forget those whose processes are gone."""
        for pid in [pid for pid in self.births if pid._process is None]:
            id, _ = self.births.pop(pid)
            self.by_id[id].remove(pid)
        for pid in [pid for pid in self.budgets if pid._process is None]:
            del self.budgets[pid], self.shapes[pid]
            self.gave_up.discard(pid)
            self.absent = {entry for entry in self.absent if entry[0] is not pid}
            restarts.forget(self, pid)

    # --- hearing ------------------------------------------------------------------------

    def hears(self, actor: Actor, sender: int, number: int) -> None:
        """Numbers of one sender come in order and, but for limits, without a gap (P1)."""
        before = actor.heard.get(sender, 0)
        if number != before + 1 and (number <= before or not actor.node.limit):
            self.accuse(
                f"{actor.node.id} heard number {number} of sender {sender} "
                f"where number {before + 1} was due"
            )
        actor.heard[sender] = self.heard[sender] = number

    def watching(self, watcher: Pid, ref: Ref, target: Pid, tag: str) -> None:
        """A worker has set up a monitor."""
        self.watches[ref] = watcher, target, tag

    def saw_down(self, watcher: Pid, ref: Ref, target: Pid, tag: str) -> None:
        """Exactly one DOWN for a monitor, with its tag, and not of the living (P9, P10)."""
        known = self.watches.pop(ref, None)
        if known is None:
            self.accuse(f"{watcher} got a second DOWN of {target}")
        elif known[2] != tag:
            self.accuse(f"{watcher} got a DOWN of {target} with the tag {tag!r}")
        elif target._process is not None:
            self.accuse(f"{watcher} got a DOWN of {target}, which lives")

    def report(self, report: Report) -> None:
        """Keep the books; a subscriber of the runtime."""
        if isinstance(report, CrashReport) and report.kind != "exit":
            if not _was_ordered(report.reason):
                self.accuse(f"{report.initial_call} crashed: {format_reason(report.reason)}")
        elif isinstance(report, SupervisorReport) and report.pid in self.budgets:
            restarts.hear(self, report)


def _was_ordered(reason: Any) -> bool:
    """Whether a crash is one that a fault has asked for."""
    cause = reason[0] if type(reason) is tuple and len(reason) == 2 else None
    return isinstance(cause, Boom) or not isinstance(cause, BaseException)
