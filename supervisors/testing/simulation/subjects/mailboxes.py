"""Bounded mailboxes: what a burst leaves in one, by a model of the three policies.

A burst is sent in one go, so nobody reads the mailbox meanwhile, and what lies there
afterwards can be told from what lay there before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .... import sys as otp_sys
from ...._callback import CallbackProcess
from ...._errors import CallExit
from ...._gen_server.calls import cast, send_request
from ...._gen_server.requests import receive_response, reqids_add, reqids_new, reqids_to_list
from ...._limits import is_kernels, of_kernel
from ...._mailbox import SystemMessage
from ...._pid import Pid
from ...._process import CALL, Envelope, Process
from ...._signals import exit_signal, is_alive, self, send
from ...._task import TaskProcess
from ..tree import Fault, Node, Worker
from .subject import FaultKind, Subject, at

if TYPE_CHECKING:
    from ..world import World


def _waiting(process: Process) -> list[Any]:
    """What lies in a mailbox, oldest first, as it lies there."""
    if isinstance(process, CallbackProcess):
        return process.waiting_messages()
    assert isinstance(process, TaskProcess)
    return list(process.mailbox)


def _data(process: Process) -> list[Any]:
    """The messages in a mailbox that a limit counts, oldest first."""
    waiting = _waiting(process)
    if isinstance(process, CallbackProcess):
        return [m for m in waiting if not of_kernel(m)]
    return [m for m in waiting if not is_kernels(m) and not isinstance(m, SystemMessage)]


def over_the_limit(pid: Pid) -> list[str]:
    """Whether more data waits for a process than it has allowed."""
    process = pid._process
    bound = None if process is None or process.extras is None else process.extras.limit
    if process is None or bound is None or process.queue_length() <= bound.limit:
        return []
    count = len(_data(process))
    return (
        [f"{pid} has {count} messages and a limit of {bound.limit}"] if count > bound.limit else []
    )


def _burst(world: World, fault: Fault, pid: Pid) -> None:
    world.hire(_sender, world, pid, world.nodes[fault.target], fault.number)


async def _sender(world: World, pid: Pid, node: Worker, number: int) -> None:
    """Casts without calls, and their fate; then calls among casts, and everybody's answer."""
    process = pid._process
    if process is None or not process.alive:
        return
    sender = world.number()
    burst = [("seq", sender, n) for n in range(1, number + node.limit)]
    cast(pid, None)  # whatever lies in a mailbox is a message
    send(pid, None)
    if not _goes_on(process):
        return
    expected = _expected(process, node, burst)
    for message in burst:
        cast(pid, message)
        world.violations += over_the_limit(pid)
    if _goes_on(process):
        found = [m for m in _bare(process) if m[:2] == burst[0][:2]]
        if found != expected:
            world.accuse(
                f"a burst of {len(burst)} to {pid} ({node.policy}) left "
                f"{[m[2] for m in found]} in place of {[m[2] for m in expected or ()]}"
            )
        _is_heard(world, process, node, sender)
    elif expected is not None:
        world.accuse(f"{pid} ended of a burst that its policy {node.policy} lets pass")
    await _looked_at(world, pid, node)
    await _asked(world, pid, number)


async def _looked_at(world: World, pid: Pid, node: Worker) -> None:
    """A full mailbox keeps no system request waiting: they have a lane of their own."""
    if node.kind == "task":
        return  # no behaviour, so nothing to ask
    try:
        await otp_sys.get_state(pid, 30.0)
    except CallExit as failed:
        if failed.cause == "timeout" and is_alive(pid):
            world.accuse(f"{pid} has not answered a system request in 30 s")


def _is_heard(world: World, process: Process, node: Worker, serial: int) -> None:
    """What the kernel sends finds room in a full mailbox."""
    if node.traps:
        exit_signal(process.pid, ("ping", serial))
        waiting = _waiting(process)
        if isinstance(process, CallbackProcess):
            waiting = [m.body for m in waiting if isinstance(m, Envelope)]
        if ("EXIT", self(), ("ping", serial)) not in waiting:
            world.accuse(f"{process.pid}, whose mailbox is full, did not get an EXIT")


def _goes_on(process: Process) -> bool:
    """Whether it lives and has not been told to end when its turn is over."""
    return process.alive and process.exit_reason is None


def _expected(process: Process, node: Worker, burst: list[Any]) -> list[Any] | None:
    """What of a burst has to lie in the mailbox after it; None: the process has to end."""
    data = _data(process)
    others = process.queue_length() - len(data)
    fixed = 0  # a callback process does not drop what is in the turn in progress
    if isinstance(process, CallbackProcess):
        fixed = len(data) - sum(not of_kernel(m) for m in process.mailbox or ())
    for message in burst:
        if len(data) + others < node.limit:
            data.append(message)
        elif node.policy == "kill":
            return None
        elif node.policy == "drop_oldest" and len(data) > fixed:
            del data[fixed]
            data.append(message)
    ours = {id(message) for message in burst}
    return [message for message in data if id(message) in ours]


def _bare(process: Process) -> list[Any]:
    """The data of a mailbox without what marks a cast."""
    bare = [m[1] if m[:1] == ("$gen_cast",) else m for m in _data(process) if type(m) is tuple]
    return [m for m in bare if type(m) is tuple]


async def _asked(world: World, pid: Pid, number: int) -> None:
    """Every call of a burst waits in the mailbox or is answered, "mailbox_full" at the least."""
    requests = reqids_new()
    for n in range(number):
        reqids_add(send_request(pid, ("echo", n)), n, requests)
        world.violations += over_the_limit(pid)
    process = pid._process
    if process is not None and process.alive:
        waiting = {id(waiter) for waiter in map(_waiter, _data(process))}
        silent = [n for rid, n in reqids_to_list(requests) if rid.server and id(rid) not in waiting]
        if silent:
            world.accuse(f"calls {silent} of a burst to {pid} were dropped without a word")
    while (got := await receive_response(requests, 200.0, delete=True)) != "no_request":
        if got == "timeout":
            return
        (kind, value), label, _ = got
        if kind == "reply" and value != label:
            world.accuse(f"{pid} answered {value!r} to call {label!r} of a burst")


def _waiter(message: Any) -> Any:
    """Who waits for the answer to a message, if it is a call."""
    from_ = message.extra if isinstance(message, Envelope) and message.kind == CALL else None
    if type(message) is tuple and message[:1] == ("$gen_call",):
        from_ = message[1]
    return getattr(from_, "_waiter", None)


def _check(world: World) -> Iterator[str]:
    for node in world.nodes.values():
        if isinstance(node, Worker) and node.limit:
            for pid in world.living(node.id):
                yield from over_the_limit(pid)


def _bounded(node: Node) -> bool:
    return isinstance(node, Worker) and node.limit > 0


SUBJECT = Subject(faults={"burst": FaultKind(at(_burst), 10, _bounded)}, check=_check)
