"""Nodes that are cut off, disconnected, stopped and back; links that are slow; `monitor_nodes`.

A subscriber hears of each node in turn that it came and that it went, nothing of the node
while it is gone, and knows in the end what there is (1.11).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...._signals import self as own_pid
from ...._signals import send
from ....distribution import monitor_nodes, nodes
from .subject import FaultKind, Subject, tell
from .world import Life, World

if TYPE_CHECKING:
    from ..tree import Fault
    from .actors import Actor
    from .cluster import Cluster

DELAYS = (0.0, 0.0, 0.001, 0.05, 0.5, 3.0)
"""Seconds that a signal is under way on average, as a fault picks them."""

VIEW = "nodes"
"""The note of a worker that has subscribed: the nodes it believes to be there."""


def _nodes(fault: Fault) -> tuple[str, str]:
    return fault.target.partition("/")[0], fault.other.partition("/")[0]


# --- faults ----------------------------------------------------------------------------------


def _partition(cluster: Cluster, fault: Fault) -> bool:
    """Cut the nodes into two groups; cuts of before stay."""
    running = list(cluster.world.runtimes)
    group = [node for bit, node in enumerate(running) if fault.number >> bit & 1]
    if not group or len(group) == len(running):
        return False
    cluster.world.network.partition(group)
    return True


def _heal(cluster: Cluster, _fault: Fault) -> bool:
    cluster.world.network.heal()
    return True


def _disconnect(cluster: Cluster, fault: Fault) -> bool:
    """Break one connection, which nothing keeps from coming back."""
    one, other = _nodes(fault)
    world = cluster.world
    if one == other or not world.connections.stands(one, other):
        return False
    world.network.disconnect(one, other)
    if fault.number % 2:
        world.network.connect(one, other)
    return True


def _connect(cluster: Cluster, fault: Fault) -> bool:
    one, other = _nodes(fault)
    world = cluster.world
    if one == other or world.connections.stands(one, other):
        return False
    return world.network.connect(one, other)


def _stop(cluster: Cluster, fault: Fault) -> bool:
    node, _ = _nodes(fault)
    return len(cluster.world.runtimes) > 1 and cluster.halt(node)


def _return(cluster: Cluster, _fault: Fault) -> bool:
    started = [cluster.bring_up(station.node) for station in cluster.world.plan.stations]
    return any(started)


def _delay(cluster: Cluster, fault: Fault) -> bool:
    one, other = _nodes(fault)
    if one == other:
        return False
    cluster.world.delays[one, other] = DELAYS[fault.number % len(DELAYS)]
    return True


def _jump(_cluster: Cluster, _fault: Fault) -> bool:
    return True


# --- subscriptions -----------------------------------------------------------------------------


def _subscribe(cluster: Cluster, fault: Fault) -> bool:
    life = cluster.world.living(fault.target)
    if life is None:
        return False
    tell(cluster.world, life, _subscribes, fault.number % 3 > 0)
    return True


def _subscribes(actor: Actor, flag: bool) -> None:
    if flag and VIEW not in actor.notes:
        monitor_nodes(True)
        view = actor.notes[VIEW] = dict.fromkeys(nodes())
        actor.world.book(Subscribers).views[actor.life] = view
        # What lies in the mailbox may be of a node that is gone already.
        send(own_pid(), ("subscribed",))
    elif not flag and VIEW in actor.notes and "leaving" not in actor.notes:
        monitor_nodes(False)
        actor.notes["leaving"] = True
        send(own_pid(), ("unsubscribed",))


def _subscribed(actor: Actor) -> None:
    actor.notes["listening"] = True


def _unsubscribed(actor: Actor) -> None:
    del actor.notes[VIEW], actor.notes["leaving"], actor.notes["listening"]
    del actor.world.book(Subscribers).views[actor.life]


def _nodeup(actor: Actor, node: str) -> None:
    view = actor.notes.get(VIEW)
    if view is None:
        actor.world.accuse(f"{actor.life} hears that {node} came, and has not asked")
    elif node in view:
        actor.world.accuse(f"{actor.life} hears twice that {node} came")
    else:
        view[node] = None


def _nodedown(actor: Actor, node: str) -> None:
    view = actor.notes.get(VIEW)
    if view is None:
        actor.world.accuse(f"{actor.life} hears that {node} went, and has not asked")
    elif node not in view:
        actor.world.accuse(f"{actor.life} hears twice that {node} went")
    else:
        del view[node]


def hears_from(actor: Actor, node: str) -> None:
    """To be called when a worker takes a message of another node."""
    view = actor.notes[VIEW] if "listening" in actor.notes else None
    if view is not None and node != actor.node and node not in view:
        actor.world.accuse(f"{actor.life} hears from {node} between its nodedown and nodeup")


class Subscribers:
    """What each worker that has subscribed believes."""

    def __init__(self) -> None:
        self.views: dict[Life, dict[str, None]] = {}


def _check(world: World, _quiet: bool) -> Iterator[str]:
    views = world.book(Subscribers).views
    for life, view in list(views.items()):
        if life.ended is not None:
            del views[life]
        elif world.rests(life.pid):
            there = world.connections.seen_by(life.node) - {life.node}
            if there != set(view):
                yield f"{life} was told of {sorted(view)}, and its node sees {sorted(there)}"
    for node, runtime in world.runtimes.items():
        seen = set(runtime.endpoint.connected) | {node}
        if seen != world.connections.seen_by(node):
            yield f"{node} is connected with {sorted(seen)}, and was told something else"


SUBJECT = Subject(
    faults={
        "partition": FaultKind(_partition, 6),
        "heal": FaultKind(_heal, 8),
        "disconnect": FaultKind(_disconnect, 5),
        "connect": FaultKind(_connect, 4),
        "stop_node": FaultKind(_stop, 3),
        "return_nodes": FaultKind(_return, 6),
        "delay": FaultKind(_delay, 5),
        "jump": FaultKind(_jump, 3),
        "subscribe": FaultKind(_subscribe, 5),
    },
    reactions={
        "nodeup": _nodeup,
        "nodedown": _nodedown,
        "subscribed": _subscribed,
        "unsubscribed": _unsubscribed,
    },
    check=_check,
)
