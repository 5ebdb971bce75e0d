"""Links and exit signals between nodes: both ends agree, each signal arrives once, and after
an unlink none of that link (P4-P8).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio

from ...._errors import NoProc, format_reason
from ...._pid import Pid
from ...._process import Process, Remote
from ...._runtime import Runtime
from ...._signals import exit_signal, link, send, unlink
from ...._signals import self as own_pid
from .subject import FaultKind, Subject, pid_of, tell, told
from .world import Key, Life, World, key_of

if TYPE_CHECKING:
    from ..tree import Fault
    from .actors import Actor
    from .cluster import Cluster


@dataclass(slots=True)
class ExitSignal:
    """An exit signal under way. reason: one of its own, or "kill"."""

    sender: Life
    target: Life
    since: int
    reason: Any


class Links:
    """What workers did about links, and what they heard.

    bonds: by who linked whom, since when, as long as neither unlinks. made: how often, and
    `unconnected`: how often without a connection. freed: who has unlinked whom and must hear
    nothing. exits: by who heard of whom, and why. signals: by number.
    """

    def __init__(self) -> None:
        self.bonds: dict[tuple[Life, Life], int] = {}
        self.made: Counter[tuple[Life, Life]] = Counter()
        self.unconnected: Counter[tuple[Life, Life]] = Counter()
        self.freed: set[tuple[Life, Life]] = set()
        self.exits: Counter[tuple[Life, Life, str]] = Counter()
        self.signals: dict[int, ExitSignal] = {}


# --- what workers are told ---------------------------------------------------------------------


def _links(actor: Actor, other: Life) -> Any:
    world, pair = actor.world, (actor.life, other)
    book = world.book(Links)
    book.made[pair] += 1
    book.freed.discard(pair)
    if not world.connections.stands(actor.node, other.node):
        book.unconnected[pair] += 1
    elif world.quiet():  # otherwise an unlink may be under way that is meant for it, too
        book.bonds[pair] = world.tick()
    try:
        link(pid_of(actor, other))
    except NoProc:
        return "stop", "noproc", actor
    return None


def _unlinks(actor: Actor, other: Life) -> None:
    book = actor.world.book(Links)
    book.bonds.pop((actor.life, other), None)
    book.bonds.pop((other, actor.life), None)
    unlink(pid_of(actor, other))
    # What lies in the mailbox may be an EXIT of before; what comes after this may not.
    send(own_pid(), ("unlinked", other, book.made[actor.life, other]))


def _relink(cluster: Cluster, fault: Fault) -> bool:
    """Link, unlink and link at once, now and then from both ends: the signals cross."""
    world = cluster.world
    target, other = world.living(fault.target), world.living(fault.other)
    if target is None or other is None or target is other:
        return False
    tell(world, target, _relinks, other)
    if fault.number % 2:
        tell(world, other, _relinks, target)
    return True


def _relinks(actor: Actor, other: Life) -> Any:
    answer = _links(actor, other)
    if answer is None:
        _unlinks(actor, other)
        answer = _links(actor, other)
    return answer


def _farewell(cluster: Cluster, fault: Fault) -> bool:
    """One unlinks from another that ends: the signals of both cross (P8)."""
    world = cluster.world
    target, other = world.living(fault.target), world.living(fault.other)
    if target is None or other is None or target is other:
        return False
    tell(world, target, _links, other)
    world.hire(target.node, _part, world, target, other, fault.seconds)
    return True


async def _part(world: World, target: Life, other: Life, seconds: float) -> None:
    await trio.sleep(seconds)
    if target.over or other.over:
        return
    if target.node in world.runtimes and other.node in world.runtimes:
        tell(world, other, lambda actor: ("stop", "farewell", actor))
        tell(world, target, _unlinks, other)


def _unlinked(actor: Actor, other: Life, made: int) -> None:
    book = actor.world.book(Links)
    if book.made[actor.life, other] == made and not book.made[other, actor.life]:
        book.freed.add((actor.life, other))


def _exits(actor: Actor, other: Life) -> None:
    number = actor.world.tick()
    _signal(actor, other, ("poke", number), number)


def _kills(actor: Actor, other: Life) -> None:
    _signal(actor, other, "kill", actor.world.tick())


def _signal(actor: Actor, other: Life, reason: Any, number: int) -> None:
    actor.world.book(Links).signals[number] = ExitSignal(actor.life, other, number, reason)
    exit_signal(pid_of(actor, other), reason)


# --- what they hear --------------------------------------------------------------------------


def _heard(actor: Actor, pid: Pid, reason: Any) -> None:
    world, me = actor.world, actor.life
    book, other = world.book(Links), world.lives.get(key_of(pid))
    if other is None:
        world.accuse(f"{me} got an EXIT of {pid} ({format_reason(reason)}), which is no worker")
        return
    if type(reason) is tuple and reason[0] == "poke" and other.reason != reason:
        signal = book.signals.pop(reason[1], None)
        if signal is None or signal.target is not me or signal.sender is not other:
            world.accuse(f"{me} got the exit signal {reason} of {other} twice, or another's")
        return
    text = format_reason(reason)
    times = book.exits[me, other, text] = book.exits[me, other, text] + 1
    said = f"{me} got an EXIT of {other} with {text}"
    pair = me, other
    if reason == "noconnection":
        lost = world.connections.losses(me.node, other.node) + book.unconnected[pair]
        if times > lost + (other.reason == reason):
            world.accuse(f"{said} more often than the connection was lost")
    elif reason == "noproc" and other.reason != reason:
        if not other.over:
            world.accuse(f"{said}, and it lives")
        elif times > book.made[pair]:
            world.accuse(f"{said} more often than it linked")
    elif other.ended is None:
        world.accuse(f"{said}, and it lives")
    elif reason != other.reason:
        world.accuse(f"{said}, and it ended with {format_reason(other.reason)}")
    elif reason == "noproc":  # its own, and that of every link to it since
        if times > 1 + book.made[pair]:
            world.accuse(f"{said} more often than it linked")
    elif times > 1:
        world.accuse(f"{said} twice")
    if pair in book.freed and not book.made[other, me]:
        world.accuse(f"{said} after it had unlinked")


# --- what must hold ------------------------------------------------------------------------------


def _check(world: World, quiet: bool) -> Iterator[str]:
    book = world.book(Links)
    for node, runtime in world.runtimes.items():
        for process in list(runtime.table.values()):
            for other in process.links or ():
                if isinstance(other, Remote):
                    yield from _remote_link(world, node, process, other, quiet)
                elif process not in (other.links or ()):
                    yield f"{process.pid} is linked to {other.pid}, which is not linked to it"
        if quiet and runtime.endpoint.links.unlinking:
            yield f"{node} waits for the acknowledgement of an unlink that will not come"
    if quiet:
        yield from _signals(world, book)
        yield from _bonds(world, book)


def _remote_link(
    world: World, node: str, process: Process, other: Remote, quiet: bool
) -> Iterator[str]:
    pid = other.pid
    if not world.connections.stands(node, pid.node):
        yield f"{process.pid} is linked to {pid}, whose node is not connected"
    elif quiet and key_of(process.pid) not in _linked_to(world.runtimes[pid.node], key_of(pid)):
        yield f"{process.pid} is linked to {pid}, which is not linked to it"


def _linked_to(runtime: Runtime, key: Key) -> set[Key]:
    pid = runtime.find(*key)
    process = None if pid is None else pid._process
    links = None if process is None else process.links
    return {key_of(other.pid) for other in links or ()}


def _signals(world: World, book: Links) -> Iterator[str]:
    for number, signal in list(book.signals.items()):
        sender, target = signal.sender, signal.target
        kept = world.connections.kept_since(sender.node, target.node, signal.since)
        if target.ended is not None:
            del book.signals[number]
        elif not kept:
            continue  # lost, or it lies in the mailbox
        elif signal.reason == "kill" or not target.traps or world.rests(target.pid):
            yield f"the exit signal {signal.reason} of {sender} has not hit {target}"


def _bonds(world: World, book: Links) -> Iterator[str]:
    for (one, other), since in list(book.bonds.items()):
        kept = world.connections.kept_since(one.node, other.node, since)
        if one.ended is not None or other.ended is not None or not kept:
            del book.bonds[one, other]
            if one.ended is None and not one.traps and kept and other.reason != "normal":
                yield f"{one} has outlived {other}, to which it was linked"
        elif key_of(other.pid) not in _linked_to(world.runtimes[one.node], key_of(one.pid)):
            yield f"{one} linked to {other}, and there is no link"


SUBJECT = Subject(
    faults={
        "link": FaultKind(told(_links), 12),
        "unlink": FaultKind(told(_unlinks), 7),
        "relink": FaultKind(_relink, 6),
        "farewell": FaultKind(_farewell, 5),
        "exit": FaultKind(told(_exits), 6),
        "kill": FaultKind(told(_kills), 5),
    },
    reactions={"EXIT": _heard, "unlinked": _unlinked},
    check=_check,
)
