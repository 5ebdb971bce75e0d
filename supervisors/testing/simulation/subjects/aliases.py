"""Aliases: what is sent to one after its end never arrives (rules P14, G13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from ...._cell import require_process
from ...._flush import take_back
from ...._pid import Pid, Ref
from ...._signals import alias, demonitor, monitor, send, send_after, unalias
from ...._task import receive
from ..tree import Fault
from .manners import Actor, acts, tell
from .subject import FaultKind, Subject, at

if TYPE_CHECKING:
    from ..world import World


def _address(world: World, fault: Fault, pid: Pid) -> None:
    world.hire(_asker, world, pid, fault.number, fault.seconds)


def _answers(_actor: Actor, ref: Ref, seconds: float, times: int) -> None:
    """Answer through an alias, at once or when it may have ended, more than once."""
    for n in range(times):
        if seconds:
            send_after(seconds * (n + 1), ref, ("answer", ref, n))
        else:
            send(ref, ("answer", ref, n))


async def _asker(world: World, pid: Pid, number: int, seconds: float) -> None:
    """Ask through an alias, give up after a while, and listen long after that."""
    mode = number % 4
    once = mode in (0, 3)
    if mode == 0:
        ref = alias(reply=True)
    elif mode == 1:
        ref = alias()
    elif mode == 2:
        ref = monitor(pid, alias="demonitor")
    else:
        ref = monitor(pid, alias="reply_demonitor")
    tell(pid, _answers, ref, seconds if number % 5 else 0.0, number % 3 + 1)
    got = 0
    with trio.move_on_after((0.5, 2.0, 10.0)[number % 3]):
        while True:
            message: Any = await receive()
            if message[0] == "answer":
                got += 1
            elif message[0] == "DOWN" and mode == 3 and got:
                world.accuse(f"a monitor that ends with the reply told of the end of {pid}")
    if mode >= 2:
        demonitor(ref, flush=True)
    else:
        unalias(ref)
    me = require_process("an asker")
    while take_back(me, lambda message: message[0] == "answer"):
        got += 1
    if once and got > 1:
        world.accuse(f"an alias for one reply let {got} pass")
    await trio.sleep(40.0)
    if me.queue_length():
        late = await receive()
        world.accuse(f"{late!r} came through an alias that had ended")


SUBJECT = Subject(faults={"address": FaultKind(at(_address), 8, acts)})
