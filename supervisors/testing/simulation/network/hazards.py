"""What goes wrong with a worker: it raises, hangs, ends by itself, is suspended or stopped by
`sys` and `stop`, from its own node or from another.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import trio

from .... import sys as otp_sys
from ...._errors import CallExit, Exit
from ...._gen_server.calls import cast
from ...._gen_server.stop import stop
from ...._pid import Pid
from .calls import IN_TIME
from .subject import FaultKind, Subject, tell
from .world import Life, World

if TYPE_CHECKING:
    from ..tree import Fault
    from .actors import Actor
    from .cluster import Cluster

LIMIT = 5.0
"""Seconds that a stop may take."""

REASONS = ("normal", "shutdown", ("shutdown", "done"), "bad", "noconnection")
"""Reasons that a worker ends with by itself; the last is one to be taken for something else."""


def _stop(cluster: Cluster, fault: Fault) -> bool:
    life = cluster.world.living(fault.target)
    if life is None:
        return False
    tell(cluster.world, life, _stops, fault.number)
    return True


def _stops(actor: Actor, number: int) -> Any:
    if number % 6 == 5:
        raise LookupError("told to")
    return "stop", REASONS[number % 6], actor


def _hang(cluster: Cluster, fault: Fault) -> bool:
    life = cluster.world.living(fault.target)
    if life is None:
        return False
    with cluster.world.runtimes[life.node].active():
        cast(life.pid, ("hang", fault.seconds))
    return True


def _suspend(cluster: Cluster, fault: Fault) -> bool:
    world = cluster.world
    life, near = world.living(fault.target), world.living(fault.other)
    if life is None or near is None:
        return False
    pid = world.seen_from(near.node, life.pid)
    world.hire(near.node, _suspender, world, life, pid, fault.seconds)
    return True


async def _suspender(world: World, life: Life, pid: Pid, seconds: float) -> None:
    try:
        await otp_sys.suspend(pid)
        await trio.sleep(seconds)
    except CallExit:
        pass  # whether the order was carried out is not known: it is taken back at home
    finally:
        if life.node in world.runtimes:
            world.hire(life.node, _resumer, life.pid)


async def _resumer(pid: Pid) -> None:
    try:
        await otp_sys.resume(pid, math.inf)
    except CallExit:
        pass  # it has ended


def _end(cluster: Cluster, fault: Fault) -> bool:
    world = cluster.world
    life, near = world.living(fault.target), world.living(fault.other)
    if life is None or near is None:
        return False
    pid = world.seen_from(near.node, life.pid)
    world.hire(near.node, _stopper, world, near.node, life, pid, fault.number)
    return True


async def _stopper(world: World, node: str, life: Life, pid: Pid, number: int) -> None:
    """Stop it and wait for its end (proc_lib:stop)."""
    since, begun = world.tick(), world.now()
    try:
        await stop(pid, ("shutdown", number), LIMIT)
    except Exit as failed:
        why = failed.reason
        if why == "timeout":
            if world.now() + IN_TIME < begun + LIMIT:
                world.accuse(f"the stop of {life} from {node} was late before its time")
        elif (
            why != "not_a_behaviour"
            and not life.over
            and world.connections.lost_since(node, life.node, since) is None
        ):
            world.accuse(f"the stop of {life} from {node} failed: {why}; and it lives")
    else:
        if life.reason != ("shutdown", number):
            world.accuse(f"{life} was stopped from {node} with {number}: {life.reason}")


SUBJECT = Subject(
    faults={
        "stop": FaultKind(_stop, 5),
        "hang": FaultKind(_hang, 4),
        "suspend": FaultKind(_suspend, 4),
        "end": FaultKind(_end, 3),
    }
)
