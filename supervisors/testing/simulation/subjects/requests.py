"""Requests that are not waited for, one by one and in collections (rule G16)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from ...._cell import require_process
from ...._gen_server.calls import abandon, send_request
from ...._gen_server.requests import (
    receive_response,
    reqids_add,
    reqids_new,
    reqids_to_list,
    wait_response,
)
from ...._pid import Pid
from ...._task import receive
from ..tree import Fault
from .manners import acts, listens
from .subject import FaultKind, Subject, at

if TYPE_CHECKING:
    from ..world import World


def _collect(world: World, fault: Fault, pid: Pid) -> None:
    others = world.living(fault.other)
    world.hire(_collector, world, [pid, *others], fault.number, fault.seconds)


def _late(_world: World, fault: Fault, pid: Pid) -> None:
    _world.hire(_impatient, _world, pid, fault.number, fault.seconds)


async def _collector(world: World, servers: list[Pid], number: int, seconds: float) -> None:
    """Send to many, the dead among them; one answer comes for each label, then none."""
    requests = reqids_new()
    sent = {}
    for n in range(number % 8 + 1):
        value = (world.number(), n)
        request: Any = ("echo", value) if n % 3 else ("late", value, seconds)
        sent[n] = value
        reqids_add(send_request(servers[n % len(servers)], request), n, requests)
    timeout = (0.5, 5.0, 100.0)[number % 3]
    while True:
        if number % 4 == 0:
            got: Any = await wait_response(requests, timeout / 2, delete=True)
            if got == "timeout":
                got = await receive_response(requests, timeout / 2, delete=True)
        else:
            got = await receive_response(requests, timeout, delete=True)
        if got in ("no_request", "timeout"):
            break
        (kind, value), label, _ = got
        due = sent.pop(label, None)
        odd = kind == "reply" and value != due and value[0] != "error"
        if due is None or odd:
            world.accuse(f"request {label} was answered with {value!r} where {due!r} was due")
    open_labels = {label for _, label in reqids_to_list(requests)}
    if open_labels != set(sent):
        world.accuse(f"requests {set(sent)} have no answer, the collection says {open_labels}")
    await _nothing_comes(world)


async def _impatient(world: World, server: Pid, number: int, seconds: float) -> None:
    """Give a request up: an answer that comes later is dropped."""
    request = send_request(server, ("late", number, seconds))
    if number % 2:
        await trio.sleep(seconds / 2)
        abandon(request)
        try:
            message = await receive(timeout=0)
        except trio.TooSlowError:
            pass
        else:
            if message[1] is not request:
                world.accuse(f"{message!r} came, which nobody has asked for")
    else:
        await receive_response(request, seconds / 2)
    await _nothing_comes(world)


async def _nothing_comes(world: World) -> None:
    await trio.sleep(60.0)
    if require_process("a collector").queue_length():
        world.accuse(f"{await receive()!r} came after its request was over")


SUBJECT = Subject(
    faults={
        "collect": FaultKind(at(_collect), 6, acts, listens),
        "late": FaultKind(at(_late), 4, acts),
    }
)
