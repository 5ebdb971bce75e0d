"""What a simulation is made of, as data: nodes of a tree, faults, and a plan of both.

A plan is the whole of a run, so its repr is a program (`plan.as_program`), and a smaller
plan that still fails is a smaller program (`shrink`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..._limits import Policy
from ..._supervisor.spec import AutoShutdown, Restart, Shutdown, Strategy

Behaviour = Literal["supervisor", "dynamic", "partition"]


@dataclass(frozen=True, slots=True)
class Worker:
    """A leaf.

    kind: what runs there, a key of `subjects.WORKERS`. limit, policy: of its mailbox, 0 for
    none. backoff: seconds before its first restart, doubled for each further one up to
    eight times, 0 for none. budget: restarts and seconds of its own.
    """

    id: str
    kind: str = "plain"
    named: bool = False
    traps: bool = False
    restart: Restart = "permanent"
    shutdown: Shutdown = 5.0
    significant: bool = False
    limit: int = 0
    policy: Policy = "refuse"
    backoff: float = 0.0
    budget: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """A supervisor.

    A simple_one_for_one one has its pattern as the only child and starts `dynamic` of it.
    behaviour "dynamic": the children are patterns too, `dynamic` are started, and there may
    be `max_children` (0: any number). "partition": the children are copies of one worker.
    """

    id: str
    children: tuple[Worker | Branch, ...] = ()
    strategy: Strategy = "one_for_one"
    intensity: int = 5
    period: int = 5
    auto_shutdown: AutoShutdown = "never"
    dynamic: int = 0
    named: bool = False
    restart: Restart = "permanent"
    shutdown: Shutdown = 600.0
    significant: bool = False
    behaviour: Behaviour = "supervisor"
    max_children: int = 0

    @property
    def has_patterns(self) -> bool:
        """Whether its children are patterns, each for any number of processes."""
        return self.strategy == "simple_one_for_one" or self.behaviour == "dynamic"


Node: TypeAlias = Worker | Branch


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, and the pause after it.

    kind: a key of `subjects.FAULTS`. target, other: ids in the tree. number: picks among
    the processes of that id, or is a count or a choice, as the kind has it. seconds: of
    slowness. pause: seconds of virtual time until the next fault.
    """

    kind: str
    target: str = ""
    other: str = ""
    number: int = 0
    seconds: float = 0.0
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """One simulation. seed: of the order of tasks."""

    seed: int
    tree: Branch
    faults: tuple[Fault, ...]


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    if isinstance(node, Branch):
        for child in node.children:
            yield from walk(child)
