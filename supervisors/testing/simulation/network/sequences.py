"""Numbered messages: what one process sends another arrives in order and without a gap as
long as their nodes stay connected, and nothing of an old connection after a new one (P1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio

from ...._errors import BadArg
from ...._gen_server.calls import cast, send_request
from ...._gen_server.nodes import abcast
from ...._pid import Pid
from ...._signals import send
from ....distribution.global_ import whereis_name
from .connections import hears_from
from .subject import FaultKind, Subject
from .world import Key, Life, World, key_of

if TYPE_CHECKING:
    from ..tree import Fault
    from .actors import Actor
    from .cluster import Cluster


@dataclass(slots=True)
class Stream:
    """What one process sends to another. epoch: of the connection the last message went over,
    0 for none; index: its number in that epoch.
    """

    source: str
    target: Life
    epoch: int = 0
    index: int = 0


class Streams:
    """All streams by number, and the last epoch and index heard of each, by receiver."""

    def __init__(self) -> None:
        self.streams: dict[int, Stream] = {}
        self.heard: dict[tuple[int, Key], tuple[int, int]] = {}


def _flood(cluster: Cluster, fault: Fault) -> bool:
    world = cluster.world
    target, near = world.living(fault.target), world.living(fault.other)
    if target is None or near is None:
        return False
    number = world.tick()
    stream = world.book(Streams).streams[number] = Stream(near.node, target)
    pid = world.seen_from(near.node, target.pid)
    world.hire(near.node, _sender, world, number, stream, pid, fault)
    return True


async def _sender(world: World, number: int, stream: Stream, pid: Pid, fault: Fault) -> None:
    """Number messages to one worker, by every way there is."""
    target = stream.target
    for step in range(fault.number * 2):
        epoch = world.connections.epoch(stream.source, target.node)
        if epoch != stream.epoch:
            stream.epoch, stream.index = epoch, 0
        stream.index += 1
        message = "seq", number, key_of(pid), stream.source, epoch, stream.index
        _send(world, target, pid, message, (number + step) % 9)
        if step % 7 == 6:
            await trio.sleep(fault.seconds / 8 if fault.number % 3 else 0)


def _send(world: World, target: Life, pid: Pid, message: tuple[Any, ...], way: int) -> None:
    name = target.id.partition("/")[2], target.node
    if way < 3:
        send(pid, message)
    elif way < 5:
        cast(pid, message)
    elif way == 5:
        send(name, message)
    elif way == 6:
        cast(name, message)
    elif way == 7:
        send_request(pid, message)
    else:
        term = f"n{message[1] % 4}"
        try:
            send(("global", term) if whereis_name(term) is pid else pid, message)
        except BadArg:
            world.accuse(f"{term} was there and could not be sent to")


def _hears(actor: Actor, number: int, meant: Key, source: str, epoch: int, index: int) -> None:
    world, heard = actor.world, actor.world.book(Streams).heard
    hears_from(actor, source)
    last_epoch, last = heard.get((number, actor.key), (0, 0))
    heard[number, actor.key] = epoch, index
    said = f"{actor.life} heard number {index} of epoch {epoch} of stream {number} from {source}"
    if epoch == 0:
        world.accuse(f"{said} over no connection")
    elif (epoch, index) <= (last_epoch, last):
        world.accuse(f"{said} after number {last} of epoch {last_epoch}")
    elif meant == actor.key and index != (last + 1 if epoch == last_epoch else 1):
        world.accuse(f"{said} next after number {last} of epoch {last_epoch}")


def _abcast(cluster: Cluster, fault: Fault) -> bool:
    world = cluster.world
    near = world.living(fault.target)
    if near is None:
        return False
    world.hire(near.node, _broadcaster, world.tick(), fault)
    return True


async def _broadcaster(number: int, fault: Fault) -> None:
    for index in range(1, fault.number + 1):
        abcast("w0", ("to_all", number, index))
        if index % 5 == 0:
            await trio.sleep(fault.seconds / 8)


def _hears_all(actor: Actor, number: int, index: int) -> None:
    heard = actor.world.book(Streams).heard
    _, last = heard.get((number, actor.key), (0, 0))
    heard[number, actor.key] = 0, index
    if index <= last:
        actor.world.accuse(f"{actor.life} heard broadcast {index} of {number} after {last}")


def _check(world: World, quiet: bool) -> Iterator[str]:
    book = world.book(Streams)
    for number, stream in list(book.streams.items()):
        target = stream.target
        if target.ended is not None:
            del book.streams[number]
        elif (
            quiet
            and stream.epoch
            and stream.epoch == world.connections.epoch(stream.source, target.node)
            and world.rests(target.pid)
        ):
            heard = book.heard.get((number, key_of(target.pid)), (0, 0))
            if heard != (stream.epoch, stream.index):
                yield (
                    f"{target} has heard {heard} of stream {number} from {stream.source}, which "
                    f"has sent {stream.epoch, stream.index}"
                )


SUBJECT = Subject(
    faults={"flood": FaultKind(_flood, 10), "abcast": FaultKind(_abcast, 3)},
    reactions={"seq": _hears, "to_all": _hears_all},
    check=_check,
)
