"""Signals: exits, links, monitors with and without tags, messages for nobody, and time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ...._gen_server.calls import cast
from ...._pid import Pid
from ...._signals import demonitor, exit_signal, monitor, self, send
from ..tree import Fault, Node, Worker
from .manners import REASONS, Actor, acts, listens, tell
from .subject import FaultKind, Subject, anybody, at

if TYPE_CHECKING:
    from ..world import World

INITS: Final = ("fail", "error", "raise", "ignore", "slow", "exit")
"""What a child's next start can come to instead of success."""


def _kill(_world: World, _fault: Fault, pid: Pid) -> None:
    exit_signal(pid, "kill")


def _exit(_world: World, fault: Fault, pid: Pid) -> None:
    exit_signal(pid, REASONS[fault.number % len(REASONS)])


def _init(world: World, fault: Fault, pid: Pid) -> None:
    """Kill it, and let its next start fail, be slow or be left out."""
    world.inits[fault.target] = INITS[fault.number % len(INITS)], fault.seconds
    exit_signal(pid, "kill")


def _link(world: World, fault: Fault, pid: Pid) -> None:
    send(pid, ("link", world.one_of(fault.other, fault.number) or pid))


def _monitor(world: World, fault: Fault, pid: Pid) -> None:
    other = world.one_of(fault.other, fault.number) or pid
    tell(pid, _watch, other, "gone" if fault.number % 3 == 0 else "DOWN")


def _watch(actor: Actor, other: Pid, tag: str) -> None:
    ref = monitor(other, tag=tag)
    actor.watches.append(ref)
    actor.world.watching(self(), ref, other, tag)


def _demonitor(_world: World, _fault: Fault, pid: Pid) -> None:
    tell(pid, _stop_watching)


def _stop_watching(actor: Actor) -> None:
    """After a demonitor that flushes, no DOWN may come (P10)."""
    if actor.watches:
        ref = actor.watches.pop()
        demonitor(ref, flush=True)
        actor.world.watches.pop(ref, None)


def _stray(_world: World, fault: Fault, pid: Pid) -> None:
    """Messages that are for nobody."""
    for message in (None, "hello", (), ("EXIT", self(), "normal"), ("DOWN", 1, 2), 7)[
        : fault.number % 6 + 1
    ]:
        send(pid, message)
        cast(pid, message)


def _takes_strangers(node: Node) -> bool:
    """Services but event managers crash of a cast that they do not know (G11)."""
    return listens(node) or (isinstance(node, Worker) and node.kind == "events")


def _jump(_world: World, _fault: Fault) -> bool:
    return True  # the pause after it is all there is


def _interrupt(world: World, fault: Fault) -> bool:
    """Kill a caller, a task's owner or whoever else is at work on behalf of a fault."""
    clients = world.clients()
    if clients:
        exit_signal(clients[fault.number % len(clients)], "kill")
    return bool(clients)


def _check(world: World) -> Iterator[str]:
    """Exactly one DOWN for each monitor of a process that is gone (P9)."""
    for ref, (watcher, target, _) in list(world.watches.items()):
        if watcher._process is None or not watcher._process.alive:
            del world.watches[ref]
        elif target._process is None and world.rests(watcher):
            yield f"{watcher} got no DOWN of {target}, which is gone"


SUBJECT = Subject(
    faults={
        "kill": FaultKind(at(_kill), 14),
        "exit": FaultKind(at(_exit), 10),
        "init": FaultKind(at(_init), 10, acts),
        "link": FaultKind(at(_link), 4, acts, anybody),
        "monitor": FaultKind(at(_monitor), 8, acts, anybody),
        "demonitor": FaultKind(at(_demonitor), 3, acts),
        "stray": FaultKind(at(_stray), 3, _takes_strangers),
        "jump": FaultKind(_jump, 6),
        "interrupt": FaultKind(_interrupt, 5),
    },
    check=_check,
)
