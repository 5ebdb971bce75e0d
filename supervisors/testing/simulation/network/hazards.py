"""What goes wrong on one node: workers that raise, hang, end by themselves or are suspended."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import trio

from .... import sys as otp_sys
from ...._errors import CallExit
from ...._gen_server.calls import cast
from ...._pid import Pid
from .subject import FaultKind, Subject, tell

if TYPE_CHECKING:
    from ..tree import Fault
    from .actors import Actor
    from .cluster import Cluster

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
    life = cluster.world.living(fault.target)
    if life is None:
        return False
    cluster.world.hire(life.node, _suspender, life.pid, fault.seconds)
    return True


async def _suspender(pid: Pid, seconds: float) -> None:
    try:
        await otp_sys.suspend(pid)
        await trio.sleep(seconds)
    except CallExit:
        return
    finally:
        with trio.CancelScope(shield=True):
            try:
                await otp_sys.resume(pid, math.inf)
            except CallExit:
                pass


SUBJECT = Subject(
    faults={
        "stop": FaultKind(_stop, 5),
        "hang": FaultKind(_hang, 4),
        "suspend": FaultKind(_suspend, 3),
    }
)
