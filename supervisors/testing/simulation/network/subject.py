"""What a subject of the simulated network consists of; most modules beside this one have one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...._gen_server.calls import cast

if TYPE_CHECKING:
    from ..tree import Fault
    from .actors import Actor
    from .cluster import Cluster
    from .world import Life, World


def _nothing(_world: World, _quiet: bool) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault.

    inject: lets it happen and answers whether anybody was hit; what takes time is a process
    of its own. weight: how often it is drawn.
    """

    inject: Callable[[Cluster, Fault], bool]
    weight: int


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject: its faults, what workers do with its messages, and what must hold.

    reactions: by the first element of a message; called with the worker and the other
    elements, they answer a gen_server return or None. check: every violation there is now,
    as a sentence, while everybody waits; the flag says that no signal is under way.
    """

    faults: Mapping[str, FaultKind] = field(default_factory=dict)
    reactions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    check: Callable[[World, bool], Iterable[str]] = _nothing


def tell(world: World, life: Life, order: Callable[..., Any], *arguments: Any) -> None:
    """Have a worker carry out ``order(actor, *arguments)``."""
    with world.runtimes[life.node].active():
        cast(life.pid, ("do", order, *arguments))


def told(
    order: Callable[..., Any], *choose: Callable[[Fault], Any]
) -> Callable[[Cluster, Fault], bool]:
    """A fault for the target to carry out itself, with the other as its own node has it.

    order: called as ``order(actor, other, *choices)``.
    """

    def inject(cluster: Cluster, fault: Fault) -> bool:
        world = cluster.world
        target, other = world.living(fault.target), world.living(fault.other)
        if target is None or other is None or target is other:
            return False
        tell(world, target, order, other, *(chosen(fault) for chosen in choose))
        return True

    return inject


def pid_of(actor: Actor, life: Life) -> Any:
    """The pid of another worker, as this worker's node has it."""
    return actor.world.seen_from(actor.node, life.pid)
