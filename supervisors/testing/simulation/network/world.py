"""The ledger of several nodes: who lived and how it ended, which connections there were.

Everything in it has a place in one sequence (`World.tick`), so that "before" and "after"
are exact although many things happen at one moment of the virtual clock. A pid is an object
of its own on each node; the ledger knows processes by their numbers (`key_of`).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import trio

from ...._pid import Pid, export_pid
from ...._process import Process, Watch
from ...._runtime import Runtime
from ...._task import TaskProcess, spawn
from ....distribution import InMemory

if TYPE_CHECKING:
    from .plan import NetworkPlan

Key: TypeAlias = tuple[str, int, int]
Book = TypeVar("Book")


def key_of(pid: Pid) -> Key:
    """What a process is known by in the ledger."""
    return pid.node, pid.id, pid.serial


@dataclass(slots=True, eq=False)
class Life:
    """One process of a station. pid: as its own node has it. ended: when, and `reason`, why."""

    pid: Pid
    id: str
    traps: bool
    born: int
    ended: int | None = None
    reason: Any = None

    @property
    def over(self) -> bool:
        """Whether it has ended or is unwinding, and not alive any more."""
        process = self.pid._process
        return process is None or not process.alive

    @property
    def node(self) -> str:
        """Where it lived."""
        return self.pid.node

    def __str__(self) -> str:
        return f"{self.id} {self.pid}"


class Obituary(Watch):
    """Writes down how a process ends."""

    __slots__ = ("life", "world")

    def __init__(self, world: World, life: Life) -> None:
        self.world = world
        self.life = life

    def down(self, pid: Pid, reason: Any) -> None:
        """It has ended."""
        self.life.ended = self.world.tick()
        self.life.reason = reason


class Connections:
    """When each node came to see each other node, and when it lost it."""

    def __init__(self, tick: Callable[[], int]) -> None:
        self._tick = tick
        self._up: dict[tuple[str, str], int] = {}
        self._lost: dict[tuple[str, str], list[int]] = defaultdict(list)

    def came(self, node: str, other: str) -> None:
        """`node` sees `other` from now on."""
        self._up[node, other] = self._tick()

    def went(self, node: str, other: str) -> None:
        """It sees it no more."""
        if self._up.pop((node, other), None) is not None:
            self._lost[node, other].append(self._tick())

    def left(self, node: str) -> None:
        """The node itself stops; the others will say `went`."""
        for pair in [pair for pair in self._up if pair[0] == node]:
            self.went(*pair)

    def stands(self, node: str, other: str) -> bool:
        """Whether there is a connection now."""
        return node == other or (node, other) in self._up

    def epoch(self, node: str, other: str) -> int:
        """A number for the connection there is now, higher than all before; 0: there is none."""
        return 1 if node == other else self._up.get((node, other), 0)

    def kept_since(self, node: str, other: str, when: int) -> bool:
        """Whether there has been a connection all the time."""
        return node == other or self._up.get((node, other), inf) < when

    def lost_since(self, node: str, other: str, when: int) -> int | None:
        """When it was first lost after `when`; `when` itself if there was none then."""
        if self.kept_since(node, other, when):
            return None
        later = [lost for lost in self._lost[node, other] if lost > when]
        return later[0] if later else when

    def losses(self, node: str, other: str) -> int:
        """How often it was lost."""
        return len(self._lost[node, other])

    def seen_by(self, node: str) -> frozenset[str]:
        """The node and all it sees."""
        return frozenset((node, *(other for one, other in self._up if one == node)))


class World:
    """What is known in one simulation.

    runtimes: of the nodes that run. lives: everyone there ever was. reactions: what workers
    do with messages, by their first element. violations: what was seen while it happened.
    """

    def __init__(self, plan: NetworkPlan, reactions: dict[str, Callable[..., Any]]) -> None:
        self.plan = plan
        self.reactions = reactions
        self.network = InMemory(delay=self._under_way)
        self.runtimes: dict[str, Runtime] = {}
        self.lives: dict[Key, Life] = {}
        self.by_id: dict[str, list[Life]] = defaultdict(list)
        self.connections = Connections(self.tick)
        self.delays: dict[tuple[str, str], float] = {}
        self.violations: list[str] = []
        self._draw = random.Random(plan.seed)
        self._serial = 1
        self._books: dict[type, Any] = {}

    def tick(self) -> int:
        """The next number of the sequence of all that happens."""
        self._serial += 1
        return self._serial

    def accuse(self, what: str) -> None:
        """Note a violation that was seen while it happened."""
        self.violations.append(what)

    def book(self, kind: type[Book]) -> Book:
        """The notes of one subject, made on first use."""
        book: Book = self._books.setdefault(kind, None) or kind()
        self._books[kind] = book
        return book

    # --- processes ------------------------------------------------------------------------

    def born(self, process: Process, id: str, traps: bool) -> Life:
        """Enter a worker that is being started."""
        life = Life(process.pid, id, traps, self.tick())
        self.lives[key_of(process.pid)] = life
        self.by_id[id].append(life)
        obituary = Obituary(self, life)
        process.more().monitored_by[obituary] = obituary  # type: ignore[index]
        return life

    def living(self, id: str) -> Life | None:
        """The live process with an id, as ``node/id``."""
        for life in reversed(self.by_id[id]):
            if life.ended is None:
                process = life.pid._process
                return life if process is not None and process.alive else None
        return None

    def seen_from(self, node: str, pid: Pid) -> Pid:
        """A pid as another node, which runs, has it."""
        if pid.node == node:
            return pid
        export_pid(pid)
        return self.runtimes[node].endpoint.pid(*key_of(pid), pid.creation)

    def hire(self, node: str, fn: Callable[..., Awaitable[object]], *args: Any) -> None:
        """A process of its own for what takes time."""
        with self.runtimes[node].active():
            spawn(fn, *args, label=fn.__name__)

    def rests(self, pid: Pid) -> bool:
        """Whether a live process waits for mail, has none, and is not suspended."""
        process = pid._process
        if process is None or not process.alive or process.queue_length():
            return False
        if process.extras is not None and process.extras.suspended:
            return False
        if isinstance(process, TaskProcess):
            if process.behaviour is not None and process.sys is not None:
                return process.at_rest and process.borrowed is None
            return process.waiting_task is not None
        return True

    # --- the network ------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds of the virtual clock."""
        return trio.current_time()

    def quiet(self) -> bool:
        """Whether no signal is under way."""
        return not any(port._queue for port in self.network._ports.values())

    def _under_way(self, sender: str, receiver: str) -> float:
        seconds = self.delays.get((sender, receiver), self.plan.delay)
        return seconds * (0.5 + self._draw.random()) if seconds else 0.0
