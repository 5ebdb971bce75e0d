"""Callers and floods: every call is answered or exits, what one sends arrives in order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import trio

from ...._errors import CallExit
from ...._gen_server.calls import call, cast
from ...._names import whereis
from ...._pid import Pid
from ...._process import EXITED
from ...._signals import send
from ..tree import Fault, Worker
from .machines import postpones
from .mailboxes import over_the_limit
from .manners import acts, listens
from .subject import FaultKind, Subject, at

if TYPE_CHECKING:
    from ..world import World


def _flood(world: World, fault: Fault, pid: Pid) -> None:
    world.hire(_sender, world, world.number(), pid, fault.number * 3)


async def _sender(world: World, sender: int, pid: Pid, count: int) -> None:
    """Number messages to one process, by every way there is, half of them with calls."""
    for number in range(1, count + 1):
        message = ("seq", sender, number)
        way = (sender + number) % 9
        if way == 8 and sender % 2:
            await called(world, pid, message, 30.0, number)
        elif way % 2:
            cast(pid, message)
        else:
            send(pid, message)
        if pid._process is not None:
            world.sent[sender] = pid, number
        world.violations += over_the_limit(pid)
        if number % 16 == 0:
            await trio.lowlevel.checkpoint()


def _calls(world: World, fault: Fault, pid: Pid) -> None:
    for number in range(fault.number % 5 + 1):
        world.hire(_caller, world, pid, fault, fault.number + number)


async def _caller(world: World, pid: Pid, fault: Fault, number: int) -> None:
    requests: tuple[tuple[Any, ...], ...] = (
        ("echo", number),
        ("early", number),
        ("late", number, fault.seconds),
        ("slow", number, fault.seconds),
        ("stop_with_reply", number),
        ("echo", number),
        ("echo", number),
        ("nothing", number),
        ("raise", number),
        ("stop", number),
    )
    timeout = (0.5, 5.0, 60.0)[number % 3]
    await called(world, pid, requests[number % len(requests)], timeout, number)
    node = world.nodes.get(fault.target)
    if isinstance(node, Worker) and node.named and whereis(node.id) is not None:
        await called(world, node.id, ("echo", number), timeout, number)


async def called(
    world: World, server: Pid | str, request: Any, timeout: float, expected: Any
) -> None:
    """Call, and enter it in the ledger for as long as it lasts."""
    pid = whereis(server) if isinstance(server, str) else server
    process = None if pid is None else pid._process
    if process is None:
        return
    with world.calling(process, timeout):
        try:
            answer = await call(server, request, timeout)
        except CallExit:
            return
    supervised = type(answer) is tuple and answer[0] == "error"
    if answer != expected and not supervised:
        world.accuse(f"{server} answered {answer!r} to {request!r}")


def _check(world: World) -> Iterator[str]:
    for sender, (pid, number) in list(world.sent.items()):
        process = pid._process
        if process is None:
            del world.sent[sender]
            world.heard.pop(sender, None)
        elif world.rests(pid) and not process.queue_length() and not _keeps_mail(world, pid):
            heard = world.heard.get(sender, 0)
            if heard < number:
                yield f"{pid} has heard {heard} of {number} messages of sender {sender}"
    now = world.now()
    for token, entry in list(world.calls.items()):
        if entry.caller._process is None or not entry.caller._process.alive:
            del world.calls[token]  # the caller went first
        elif entry.server.status == EXITED:
            yield f"{entry.caller} still waits for {entry.server.pid}, which has ended"
        elif entry.deadline < now and entry.deadline != math.inf:
            yield f"{entry.caller} waits for {entry.server.pid} past its time limit"


def _keeps_mail(world: World, pid: Pid) -> bool:
    """Whether messages may be missing for a reason: a limit, or a state that postpones."""
    entry = world.births.get(pid)
    node = None if entry is None else world.nodes.get(entry[0])
    if not isinstance(node, Worker) or not acts(node):
        return True
    return node.limit > 0 or postpones(world, pid)


SUBJECT = Subject(
    faults={
        "flood": FaultKind(at(_flood), 8, listens),
        "calls": FaultKind(at(_calls), 14, listens),
    },
    check=_check,
)
