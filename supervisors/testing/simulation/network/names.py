"""Global names: one holder for each among nodes that see each other, and the losers of a
conflict are told as the resolver of the name says (1.11).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import trio

from ...._errors import BadArg
from ...._pid import Pid
from ...._signals import send
from ....distribution.global_ import (
    Resolve,
    notify_all_name,
    random_exit_name,
    random_notify_name,
    register_name,
    unregister_name,
    whereis_name,
)
from .subject import FaultKind, Subject
from .world import Key, Life, World, key_of

if TYPE_CHECKING:
    from ..tree import Fault
    from .actors import Actor
    from .cluster import Cluster


def _last_stays(term: Any, first: Pid, second: Pid) -> Pid:
    """A resolver of one's own: the other way round than those that there are."""
    loser, keeper = sorted((first, second))
    send(loser, ("global_name_conflict", term))
    return keeper


RESOLVERS: Final[dict[str, Resolve]] = {
    "n0": random_exit_name,
    "n1": random_notify_name,
    "n2": notify_all_name,
    "n3": _last_stays,
}
"""The names there are, each with its resolver."""


class Names:
    """Who was told "yes", and whether nobody has tried to take the name away since.

    ever: everyone who was ever told "yes".
    """

    def __init__(self) -> None:
        self.holders: dict[str, dict[Key, bool]] = defaultdict(dict)
        self.ever: set[tuple[str, Key]] = set()


def _register(cluster: Cluster, fault: Fault) -> bool:
    world = cluster.world
    life = world.living(fault.target)
    if life is None:
        return False
    patience = fault.seconds / 16 if fault.number % 5 == 0 else math.inf
    term = f"n{fault.number % len(RESOLVERS)}"
    world.hire(life.node, _registrar, world, life, term, patience)
    return True


async def _registrar(world: World, life: Life, term: str, patience: float) -> None:
    """Ask for a name for a worker; now and then without the patience to hear the answer."""
    answer = "no"
    try:
        with trio.move_on_after(patience):
            answer = await register_name(term, life.pid, RESOLVERS[term])
    except BadArg:
        if life.ended is None:
            world.accuse(f"{life} lives and may have no global name")
        return
    if answer == "yes":
        key = key_of(life.pid)
        book = world.book(Names)
        book.holders[term][key] = (term, key) not in book.ever
        book.ever.add((term, key))
        if life.ended is None and whereis_name(term) is not life.pid:
            world.accuse(f"{life} got the global name {term} and does not have it")


def _unregister(cluster: Cluster, fault: Fault) -> bool:
    world = cluster.world
    near = world.living(fault.target)
    if near is None:
        return False
    term = f"n{fault.number % len(RESOLVERS)}"
    with world.runtimes[near.node].active():
        if whereis_name(term) is None:
            return False
        book = world.book(Names).holders[term]
        for known in world.runtimes[near.node].endpoint.globals._table[term]:
            if key_of(known) in book:
                book[key_of(known)] = False
        unregister_name(term)
    return True


def _conflict(actor: Actor, term: str, *_other: Pid) -> None:
    book = actor.world.book(Names)
    if (term, actor.key) not in book.ever:
        actor.world.accuse(f"{actor.life} is told of a conflict about {term}, and never had it")
    book.holders[term][actor.key] = False


def _check(world: World, quiet: bool) -> Iterator[str]:
    for node, runtime in world.runtimes.items():
        for term, holders in runtime.endpoint.globals._table.items():
            for pid in holders:
                if not world.connections.stands(node, pid.node):
                    yield f"{node} knows {term} as {pid}, whose node is not connected"
    if not quiet:
        return
    for node, runtime in world.runtimes.items():
        if runtime.endpoint.globals._reserved:
            yield f"{node} keeps names free for nobody: {runtime.endpoint.globals._reserved}"
        if runtime.endpoint.globals._questions:
            yield f"{node} waits for an answer about a name that will not come"
    views = {node: world.connections.seen_by(node) for node in world.runtimes}
    for node, view in views.items():
        if node == min(view) and all(views[other] == view for other in view):
            for term in RESOLVERS:
                yield from _agree(world, sorted(view), term)


def _agree(world: World, nodes: list[str], term: str) -> Iterator[str]:
    """All nodes that see each other know one and the same holder, the rightful one."""
    tables = {node: world.runtimes[node].endpoint.globals._table.get(term) for node in nodes}
    found = {frozenset(key_of(pid) for pid in table or ()) for table in tables.values()}
    if len(found) > 1 or any(len(holders) > 1 for holders in found):
        views = {node: list(table or ()) for node, table in tables.items()}
        yield f"{term} has not one holder, the same everywhere: {views}"
        return
    holder = next(iter(found.pop()), None)
    holders = world.book(Names).holders[term]
    if holder is not None:
        if world.lives[holder].ended is not None:
            yield f"{term} belongs to {world.lives[holder]}, which has ended"
        elif holder not in holders:
            yield f"{term} belongs to {world.lives[holder]}, which never got it"
    for key, sure in list(holders.items()):
        life = world.lives[key]
        if life.ended is not None:
            del holders[key]
        elif sure and key != holder and life.node in nodes and world.rests(life.pid):
            yield f"{life} has lost the global name {term} to {holder} and was not told"


SUBJECT = Subject(
    faults={"register": FaultKind(_register, 14), "unregister": FaultKind(_unregister, 4)},
    reactions={"global_name_conflict": _conflict},
    check=_check,
)
