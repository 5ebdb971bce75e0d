"""Carrying out one fault. Nothing here waits: what takes time is a process of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import trio

from ... import sys as otp_sys
from ..._errors import CallExit
from ..._gen_server.calls import call, cast
from ..._names import whereis
from ..._pid import Pid
from ..._process import Process
from ..._signals import exit_signal, self, send
from ..._supervisor import administration
from ..._supervisor.errors import SupervisorError
from ..._task import spawn
from .plan import ADMIN, INITS, REASONS, Branch, Fault, Node, Worker
from .world import Call, World

Carry = Callable[[World, Fault, Pid], None]


def inject(world: World, fault: Fault) -> bool:
    """Let it happen; False when nobody was there to be hit."""
    if fault.kind == "jump":
        return True
    if fault.kind == "admin":
        return _administer(world, fault)
    living = world.living(fault.target)
    if not living:
        return False
    pid = living[fault.number % len(living)]
    _CARRY.get(fault.kind, _tell)(world, fault, pid)
    return True


# --- signals and orders -------------------------------------------------------------------


def _kill(_world: World, _fault: Fault, pid: Pid) -> None:
    exit_signal(pid, "kill")


def _exit(_world: World, fault: Fault, pid: Pid) -> None:
    exit_signal(pid, REASONS[fault.number % len(REASONS)])


def _tell(_world: World, fault: Fault, pid: Pid) -> None:
    """Tell a worker to do it to itself; a supervisor drops what it does not know (V15)."""
    cast(pid, (fault.kind, fault.seconds, fault.number))


def _init(world: World, fault: Fault, pid: Pid) -> None:
    """Kill it, and let its next start fail, be slow or be left out."""
    world.inits[fault.target] = INITS[fault.number % len(INITS)], fault.seconds
    exit_signal(pid, "kill")


def _other(world: World, fault: Fault, pid: Pid) -> None:
    others = world.living(fault.other) or [pid]
    send(pid, (fault.kind, others[fault.number % len(others)]))


def _stray(_world: World, fault: Fault, pid: Pid) -> None:
    """Messages that are for nobody."""
    for message in (None, "hello", (), ("EXIT", self(), "normal"), ("DOWN", 1, 2), 7)[
        : fault.number % 6 + 1
    ]:
        send(pid, message)
        cast(pid, message)


# --- senders, callers, suspenders ---------------------------------------------------------


def _flood(world: World, fault: Fault, pid: Pid) -> None:
    spawn(_sender, world, world.number(), pid, fault.number * 3, label="sender")


async def _sender(world: World, sender: int, pid: Pid, count: int) -> None:
    """Number messages to one process, by every way there is, with a call now and then."""
    for number in range(1, count + 1):
        message = ("seq", sender, number)
        way = (sender + number) % 9
        if way == 8:
            await _called(world, pid, message, 30.0, number)
        elif way % 2:
            cast(pid, message)
        else:
            send(pid, message)
        if number % 16 == 0:
            await trio.lowlevel.checkpoint()


def _calls(world: World, fault: Fault, pid: Pid) -> None:
    for number in range(fault.number % 5 + 1):
        spawn(_caller, world, pid, fault, fault.number + number, label="caller")


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
    await _called(world, pid, requests[number % len(requests)], timeout, number)
    node = world.nodes.get(fault.target)
    if isinstance(node, Worker) and node.named and whereis(node.id) is not None:
        await _called(world, node.id, ("echo", number), timeout, number)


async def _called(
    world: World, server: Pid | str, request: Any, timeout: float, expected: Any
) -> None:
    """Call, and enter it in the ledger for as long as it lasts."""
    pid = whereis(server) if isinstance(server, str) else server
    process = None if pid is None else pid._process
    if process is None:
        return
    token = _enter(world, process, timeout)
    try:
        answer = await call(server, request, timeout)
    except CallExit:
        return
    finally:
        world.calls.pop(token, None)
    supervised = type(answer) is tuple and answer[0] == "error"
    if answer != expected and not supervised:
        world.accuse(f"{server} answered {answer!r} to {request!r}")


def _enter(world: World, process: Process, timeout: float) -> int:
    token = world.number()
    world.calls[token] = Call(self(), process, world.now() + timeout)
    return token


def _suspend(_world: World, fault: Fault, pid: Pid) -> None:
    spawn(_suspender, pid, fault.seconds, label="suspender")


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


# --- administration -----------------------------------------------------------------------


def _administer(world: World, fault: Fault) -> bool:
    """One request to a supervisor, about one of its children."""
    holders = [
        node
        for node in world.nodes.values()
        if isinstance(node, Branch) and any(child.id == fault.target for child in node.children)
    ]
    living = world.living(holders[0].id) if holders else []
    if not living:
        return False
    pid = living[fault.number % len(living)]
    verb = ADMIN[fault.number % len(ADMIN)]
    spawn(_administrator, world, pid, holders[0], world.nodes[fault.target], verb, label=verb)
    return True


async def _administrator(
    world: World, supervisor: Pid, holder: Branch, child: Node, verb: str
) -> None:
    process = supervisor._process
    if process is None:
        return
    token = _enter(world, process, math.inf)
    dynamic = holder.strategy == "simple_one_for_one"
    living = [pid for pid in world.living(child.id) if world.births[pid][1] is supervisor]
    key: Any = (living[0] if living else supervisor) if dynamic else child.id
    try:
        if verb == "start":
            await administration.start_child(supervisor, () if dynamic else world.spec(child))
        elif verb == "terminate":
            await administration.terminate_child(supervisor, key)
            if not dynamic:
                # A child that was being restarted takes its siblings' restart with it: they
                # were stopped for it, and nobody tries again (OTP: try_again_restart).
                down = await administration.which_children(supervisor)
                world.absent.update((supervisor, str(c.id)) for c in down if c.pid is None)
        elif verb == "restart":
            await administration.restart_child(supervisor, key)
        elif verb == "delete":
            await administration.delete_child(supervisor, key)
        elif verb == "which":
            await administration.which_children(supervisor)
        elif verb == "count":
            await administration.count_children(supervisor)
        else:
            await administration.get_childspec(supervisor, key)
    except (SupervisorError, CallExit):
        return  # refused, or the supervisor ended: both are answers
    finally:
        world.calls.pop(token, None)


_CARRY: dict[str, Carry] = {
    "kill": _kill,
    "exit": _exit,
    "init": _init,
    "link": _other,
    "monitor": _other,
    "stray": _stray,
    "flood": _flood,
    "calls": _calls,
    "suspend": _suspend,
}
