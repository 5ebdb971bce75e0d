"""Aliases given to other nodes: good for as many messages as their mode says, and not after
their end (P14).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...._pid import Ref
from ...._signals import alias, monitor, send, send_after, unalias
from ...._signals import self as own_pid
from .monitors import Monitors, Watched
from .subject import FaultKind, Subject, pid_of, told
from .world import Life, World

if TYPE_CHECKING:
    from .actors import Actor


@dataclass(slots=True)
class Given:
    """An alias. allowed: how many messages get through. heard: the number of the last."""

    owner: Life
    user: Life
    since: int
    allowed: int
    sent: int
    times: int = 0
    heard: int = 0
    closing: bool = False
    closed: bool = False


class Aliases:
    """All of them by reference."""

    def __init__(self) -> None:
        self.given: dict[Ref, Given] = {}


def _gives(actor: Actor, other: Life, number: int, seconds: float) -> None:
    world, pid, since = actor.world, pid_of(actor, other), actor.world.tick()
    sent = number % 4 + 1
    if number % 3 == 0:
        ref, allowed = alias(), sent
    elif number % 3 == 1:
        ref, allowed = alias(reply=True), 1
    else:
        ref, allowed = monitor(pid, alias="reply_demonitor"), 1
        world.book(Monitors).open[ref] = Watched(actor.life, other, False, since)
    world.book(Aliases).given[ref] = Given(actor.life, other, since, allowed, sent)
    send(pid, ("use_alias", ref, sent))
    send_after(seconds, own_pid(), ("close_alias", ref))


def _uses(_actor: Actor, ref: Any, sent: int) -> None:
    for number in range(1, sent + 1):
        send(ref, ("aliased", ref, number))


def _aliased(actor: Actor, ref: Any, number: int) -> None:
    world = actor.world
    given = world.book(Aliases).given.get(ref)
    if given is None or given.owner is not actor.life:
        world.accuse(f"{actor.life} was sent a message by an alias that is not its own")
        return
    given.times += 1
    said = f"{actor.life} got message {number} by an alias"
    if given.closed:
        world.accuse(f"{said} that had ended")
    if given.times > given.allowed or number <= given.heard:
        world.accuse(f"{said} after {given.times - 1} others, the last of them {given.heard}")
    given.heard = number
    world.book(Monitors).open.pop(ref, None)  # gone with the first reply


def _closes(actor: Actor, ref: Ref) -> None:
    unalias(ref)
    actor.world.book(Aliases).given[ref].closing = True
    # What was let through before lies ahead of this.
    send(own_pid(), ("alias_closed", ref))


def _closed(actor: Actor, ref: Ref) -> None:
    actor.world.book(Aliases).given[ref].closed = True


def _check(world: World, quiet: bool) -> Iterator[str]:
    book = world.book(Aliases).given
    for ref, given in list(book.items()):
        owner, user = given.owner, given.user
        kept = world.connections.kept_since(owner.node, user.node, given.since)
        if owner.ended is not None:
            del book[ref]
        elif (
            quiet
            and kept
            and user.ended is None
            and not given.closing
            and world.rests(user.pid)
            and world.rests(owner.pid)
            and given.times < given.allowed
        ):
            yield f"{owner} got {given.times} of {given.sent} messages of {user} by an alias"


SUBJECT = Subject(
    faults={
        "alias": FaultKind(told(_gives, lambda fault: fault.number, lambda fault: fault.seconds), 6)
    },
    reactions={
        "use_alias": _uses,
        "aliased": _aliased,
        "close_alias": _closes,
        "alias_closed": _closed,
    },
    check=_check,
)
