"""Monitors between nodes: exactly one DOWN for each, with the reason that is true (P9, P10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...._errors import format_reason
from ...._pid import Ref
from ...._signals import demonitor, monitor
from .subject import FaultKind, Subject, pid_of, told
from .world import Life, World

if TYPE_CHECKING:
    from .actors import Actor


@dataclass(slots=True)
class Watched:
    """A monitor that has not fired. named: of whoever had the name when it got there."""

    watcher: Life
    target: Life
    named: bool
    since: int


class Monitors:
    """All of them by reference."""

    def __init__(self) -> None:
        self.open: dict[Ref, Watched] = {}


def _monitors(actor: Actor, other: Life, number: int) -> None:
    world = actor.world
    for _ in range(number % 3 + 1):
        since, named = world.tick(), number % 4 == 0
        name = other.id.partition("/")[2], other.node
        ref = monitor(name if named else pid_of(actor, other))
        world.book(Monitors).open[ref] = Watched(actor.life, other, named, since)


def _demonitors(actor: Actor, _other: Life, number: int) -> None:
    book = actor.world.book(Monitors).open
    own = [ref for ref in book if book[ref].watcher is actor.life and type(ref) is Ref]
    if own:
        ref = own[number % len(own)]
        flush = number % 2 == 0
        found = demonitor(ref, flush=flush, info=True)
        if found or flush:
            del book[ref]  # from now on a DOWN would be one too many


def _down(actor: Actor, ref: Any, _kind: str, subject: Any, reason: Any) -> None:
    world = actor.world
    watched = world.book(Monitors).open.pop(ref, None)
    if watched is None:
        said = format_reason(reason)
        world.accuse(f"{actor.life} got a DOWN of {subject} ({said}) that nobody waits for")
        return
    world.violations += _judge(world, watched, reason)


def _judge(world: World, watched: Watched, reason: Any) -> Iterator[str]:
    target = watched.target
    said = f"{watched.watcher} got a DOWN of {target} with {format_reason(reason)}"
    lost = world.connections.lost_since(watched.watcher.node, target.node, watched.since)
    if reason == "noconnection" and (lost is not None or watched.named or target.reason != reason):
        if lost is None and not watched.named:
            yield f"{said}, and the connection stands"
    elif watched.named:
        if reason != "noproc" and not any(
            life.ended is not None and life.reason == reason for life in world.by_id[target.id]
        ):
            yield f"{said}, and nobody ended so"
    elif target.ended is None:
        yield f"{said}, and it lives"
    elif lost is not None and target.ended > lost:
        yield f"{said}, and it ended after the connection was lost"
    elif reason == "noproc" and target.reason != "noproc":
        if target.ended > watched.since and watched.watcher.node == target.node:
            yield f"{said}, and it lived when it was monitored"
    elif target.reason != reason or (target.ended < watched.since and reason != "noproc"):
        yield f"{said}, and it ended with {format_reason(target.reason)}"


def _check(world: World, quiet: bool) -> Iterator[str]:
    book = world.book(Monitors).open
    for ref, watched in list(book.items()):
        watcher, target = watched.watcher, watched.target
        if watcher.ended is not None:
            del book[ref]
        elif world.rests(watcher.pid):
            lost = world.connections.lost_since(watcher.node, target.node, watched.since)
            if lost is not None:
                yield f"{watcher} got no DOWN of {target}, whose connection was lost"
            elif quiet and target.ended is not None and not watched.named:
                yield f"{watcher} got no DOWN of {target}, which has ended"


SUBJECT = Subject(
    faults={
        "monitor": FaultKind(told(_monitors, lambda fault: fault.number), 12),
        "demonitor": FaultKind(told(_demonitors, lambda fault: fault.number), 6),
    },
    reactions={"DOWN": _down},
    check=_check,
)
