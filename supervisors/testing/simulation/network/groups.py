"""Process groups over all nodes: every scope comes to know exactly those members that live
in nodes it sees (1.11).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .... import pg
from ...._gen_server.plain import PlainServer
from ...._pg.groups import Groups
from ...._pg.scope import ScopeState
from ...._pid import Pid
from ...._runtime import Runtime
from ...._signals import exit_signal
from ...._signals import self as own_pid
from .subject import FaultKind, Subject, tell
from .world import Key, World, key_of

if TYPE_CHECKING:
    from ..tree import Fault
    from .actors import Actor
    from .cluster import Cluster

SCOPE = "groups"
"""The scope that runs on every node, and its name."""


class Memberships:
    """How often each worker has joined each group of each scope, less the times it left."""

    def __init__(self) -> None:
        self.joined: dict[Pid, Counter[tuple[Any, Key]]] = {}


def _join(cluster: Cluster, fault: Fault) -> bool:
    return _order(cluster, fault, 1)


def _leave(cluster: Cluster, fault: Fault) -> bool:
    return _order(cluster, fault, -1)


def _order(cluster: Cluster, fault: Fault, change: int) -> bool:
    life = cluster.world.living(fault.target)
    if life is None:
        return False
    tell(cluster.world, life, _moves, f"g{fault.number % 3}", change)
    return True


def _moves(actor: Actor, group: str, change: int) -> None:
    runtime = actor.world.runtimes.get(actor.node)
    scope = None if runtime is None else runtime.names.get(SCOPE)
    if scope is None:
        return
    joined = actor.world.book(Memberships).joined.setdefault(scope, Counter())
    joined[group, actor.key] = max(0, joined[group, actor.key] + change)
    (pg.join_soon if change > 0 else pg.leave_soon)(SCOPE, group, own_pid())


def _scope(cluster: Cluster, fault: Fault) -> bool:
    """Kill a scope; its supervisor starts it again, without members."""
    node = fault.target.partition("/")[0]
    runtime = cluster.world.runtimes.get(node)
    pid = None if runtime is None else runtime.names.get(SCOPE)
    if runtime is None or pid is None:
        return False
    with runtime.active():
        exit_signal(pid, "kill")
    return True


def _table(runtime: Runtime) -> tuple[Pid, Groups] | None:
    pid = runtime.names.get(SCOPE)
    process = None if pid is None else pid._process
    if pid is not None and isinstance(process, PlainServer):
        state = process.state
        if isinstance(state, ScopeState):
            return pid, state.groups
    return None


def _check(world: World, quiet: bool) -> Iterator[str]:
    if not quiet:
        return
    tables = {node: _table(runtime) for node, runtime in world.runtimes.items()}
    local: dict[str, Counter[tuple[Any, Key]]] = {}
    for node, table in tables.items():
        if table is not None and world.rests(table[0]):
            scope, groups = table
            local[node] = _members(groups, "local")
            yield from _own(world, scope, local[node])
    for node, table in tables.items():
        if table is None or node not in local:
            continue
        remote = _members(table[1], "remote")
        expected: Counter[tuple[Any, Key]] = Counter()
        for other in world.connections.seen_by(node) - {node}:
            expected += local.get(other, Counter())
        if remote != expected:
            yield f"the groups of {node} have {dict(remote)} elsewhere, and {dict(expected)} live"


def _members(groups: Groups, where: str) -> Counter[tuple[Any, Key]]:
    return Counter(
        {
            (entry.group, key_of(pid)): times
            for entry in groups
            for pid, times in getattr(entry, where).items()
        }
    )


def _own(world: World, scope: Pid, found: Counter[tuple[Any, Key]]) -> Iterator[str]:
    joined = world.book(Memberships).joined.get(scope, Counter())
    alive = {entry: n for entry, n in joined.items() if n and world.lives[entry[1]].ended is None}
    if dict(found) != alive:
        yield f"{scope} has the members {dict(found)}, and {alive} have joined"


SUBJECT = Subject(
    faults={
        "join": FaultKind(_join, 8),
        "leave": FaultKind(_leave, 4),
        "scope": FaultKind(_scope, 1),
    },
    check=_check,
)
