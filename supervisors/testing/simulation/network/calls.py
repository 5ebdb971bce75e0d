"""Calls between nodes: each is answered, or exits in its time and for a reason that is true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...._errors import CallExit, format_reason
from ...._gen_server.calls import call
from ...._gen_server.nodes import multi_call
from ...._pid import Pid
from ...._signals import self as own_pid
from ....distribution import nodes
from ....distribution.global_ import whereis_name
from .subject import FaultKind, Subject
from .world import Life, World, key_of

if TYPE_CHECKING:
    from ..tree import Fault
    from .cluster import Cluster

IN_TIME = 1e-6
"""Seconds by which sums of floating numbers may differ."""


@dataclass(slots=True)
class Call:
    """A call that has not come back. life: who is asked; named: by a name, so that another
    may have taken its place; at_once: for what is answered at once. since: of the world's
    sequence.
    """

    caller: Pid
    node: str
    life: Life
    named: bool
    at_once: bool
    since: int
    begun: float
    timeout: float


class Calls:
    """Calls under way."""

    def __init__(self) -> None:
        self.under_way: dict[int, Call] = {}


def _call(cluster: Cluster, fault: Fault) -> bool:
    world = cluster.world
    target, near = world.living(fault.target), world.living(fault.other)
    if target is None or near is None:
        return False
    for number in range(fault.number, fault.number + fault.number % 4 + 1):
        world.hire(near.node, _caller, world, near.node, target, number, fault.seconds)
    return True


async def _caller(world: World, node: str, life: Life, number: int, seconds: float) -> None:
    dest: Any = world.seen_from(node, life.pid)
    requests: tuple[tuple[Any, ...], ...] = (
        ("echo", number),
        ("late", number, seconds),
        ("delegate", number, dest),
        ("early", number),
        ("stop_with_reply", number),
        ("nothing", number),
        ("echo", number),
        ("stop", number),
        ("raise", number),
        ("echo", number),
    )
    request, way = requests[number % len(requests)], number % 4
    if way == 1:
        dest = life.id.partition("/")[2], life.node
    elif way == 2:
        dest = "global", f"n{number // 4 % 4}"
        holder = whereis_name(dest[1])
        if holder is None:
            return
        life = world.lives[key_of(holder)]
    timeout = (0.3, 5.0, 40.0)[number % 3]
    token = world.tick()
    at_once = request[0] in ("echo", "early")
    entry = Call(own_pid(), node, life, way in (1, 2), at_once, token, world.now(), timeout)
    calls = world.book(Calls).under_way
    calls[token] = entry
    try:
        answer = await call(dest, request, timeout)
    except CallExit as failed:
        world.violations += _judge(world, entry, failed.cause)
    else:
        if answer != number:
            world.accuse(f"{dest} answered {answer!r} to {request!r}")
    finally:
        del calls[token]


def _judge(world: World, entry: Call, cause: Any) -> Iterator[str]:
    """Whether a call may have failed as it did."""
    life, node = entry.life, entry.node
    said = f"the call of {entry.caller} to {life} failed with {format_reason(cause)}"
    lost = world.connections.lost_since(node, life.node, entry.since)
    if cause == "timeout":
        if world.now() + IN_TIME < entry.begun + entry.timeout:
            yield f"{said} before its time"
    elif cause == ("nodedown", life.node):
        if lost is None:
            yield f"{said}, and the connection stands"
    elif cause == "noproc":
        if not life.over and lost is None:
            yield f"{said}, and it lives"
    elif not any(
        one.over and cause in (one.reason, getattr(one.pid._process, "exit_reason", None))
        for one in (world.by_id[life.id] if entry.named else (life,))
    ):
        yield f"{said}, and nobody ended so"


def _multi_call(cluster: Cluster, fault: Fault) -> bool:
    world = cluster.world
    near = world.living(fault.target)
    if near is None:
        return False
    world.hire(near.node, _surveyor, world, near.node, fault.number)
    return True


async def _surveyor(world: World, node: str, number: int) -> None:
    """Ask the first worker of every node."""
    asked = [node, *nodes()]
    there = {one: world.living(f"{one}/w0") for one in asked}
    since, begun, timeout = world.tick(), world.now(), (0.3, 10.0)[number % 2]
    replies, bad = await multi_call("w0", ("echo", number), timeout=timeout)
    spent = world.now() - begun
    if sorted([*(one for one, _ in replies), *bad]) != sorted(asked):
        world.accuse(f"multi_call from {node} asked {asked}, told of {replies} and {bad}")
    if any(reply != number for _, reply in replies):
        world.accuse(f"multi_call from {node} with {number} got {replies}")
    if spent > timeout + IN_TIME:
        world.accuse(f"multi_call from {node} took {spent} of {timeout} seconds")
    for one in bad:
        life = there[one]
        kept = world.connections.kept_since(node, one, since)
        if life is not None and life.ended is None and kept and spent + IN_TIME < timeout:
            world.accuse(f"multi_call from {node} calls {one} bad, where {life} lives")


def _check(world: World, quiet: bool) -> Iterator[str]:
    now = world.now()
    calls = world.book(Calls).under_way
    for entry in list(calls.values()):
        process = entry.caller._process
        if process is None or not process.alive:
            continue
        said = f"{entry.caller} still waits for {entry.life}"
        if entry.begun + entry.timeout + IN_TIME < now:
            yield f"{said} past its time limit"
        elif not world.connections.stands(entry.node, entry.life.node):
            yield f"{said}, whose node is not connected"
        elif quiet and entry.life.ended is not None and not entry.named:
            yield f"{said}, which has ended"
        elif (
            quiet
            and entry.at_once
            and world.rests(entry.life.pid)
            and world.connections.kept_since(entry.node, entry.life.node, entry.since)
        ):
            yield f"{said}, which has answered"


SUBJECT = Subject(
    faults={"call": FaultKind(_call, 14), "multi_call": FaultKind(_multi_call, 4)},
    check=_check,
)
