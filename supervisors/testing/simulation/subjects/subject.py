"""What a subject of the simulation consists of; each module beside this one has one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...._pid import Pid
from ..tree import Branch, Fault, Node, Worker

if TYPE_CHECKING:
    from ..world import World

Hits = Callable[[Node], bool]


def _nothing(_world: World) -> Iterable[str]:
    return ()


def anybody(_node: Node) -> bool:
    """Every node of the tree."""
    return True


def workers(node: Node) -> bool:
    """Every leaf."""
    return isinstance(node, Worker)


def of_kind(*kinds: str) -> Hits:
    """Workers of these kinds."""
    return lambda node: isinstance(node, Worker) and node.kind in kinds


def branches(*behaviours: str) -> Hits:
    """Supervisors of these behaviours."""
    return lambda node: isinstance(node, Branch) and node.behaviour in behaviours


@dataclass(frozen=True, slots=True)
class WorkerKind:
    """A kind of leaf.

    start: starts one linked to the calling process, its third argument, and raises as start
    functions do. weight: how often it is drawn.
    """

    start: Callable[[World, Worker, Pid], Awaitable[Pid]]
    weight: int = 1


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault.

    inject: lets it happen and answers whether anybody was hit. Nothing in it waits: what
    takes time is a process of its own. weight: how often it is drawn. hits, other: the
    nodes that may be its `target` and its `other`.
    """

    inject: Callable[[World, Fault], bool]
    weight: int
    hits: Hits = anybody
    other: Hits | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject of the kernel: its processes, its faults, and what must be true of it.

    check: every violation there is now, as a sentence, while everybody waits.
    """

    workers: Mapping[str, WorkerKind] = field(default_factory=dict)
    faults: Mapping[str, FaultKind] = field(default_factory=dict)
    check: Callable[[World], Iterable[str]] = _nothing


def at(carry: Callable[[World, Fault, Pid], object]) -> Callable[[World, Fault], bool]:
    """A fault that hits one of the live processes with the target's id."""

    def inject(world: World, fault: Fault) -> bool:
        living = world.living(fault.target)
        if not living:
            return False
        carry(world, fault, living[fault.number % len(living)])
        return True

    return inject
