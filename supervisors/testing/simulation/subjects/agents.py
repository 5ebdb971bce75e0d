"""Agents: every update happens once, alone, and in the agent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ...._agent import Agent
from ...._errors import CallExit
from ...._pid import Pid
from ..tree import Fault, Worker
from .manners import Boom
from .subject import FaultKind, Subject, WorkerKind, at, of_kind

if TYPE_CHECKING:
    from ..world import World


class Tickets:
    """The tickets that each agent has given out, and how many it was asked for at most."""

    def __init__(self) -> None:
        self.given: dict[Pid, set[int]] = defaultdict(set)
        self.asked: Counter[Pid] = Counter()


async def _start(world: World, node: Worker, _parent: Pid) -> Pid:
    return await Agent.start_link(int, name=world.name_of(node))


def _ask(world: World, fault: Fault, pid: Pid) -> None:
    for n in range(fault.number % 4 + 1):
        world.hire(_customer, world, pid, fault.number + n)


def _ticket(value: int) -> tuple[int, int]:
    return value + 1, value + 1


def _spoil(_value: int) -> Any:
    raise Boom("in an agent")


async def _customer(world: World, pid: Pid, number: int) -> None:
    """Draw a ticket between updates that draw some, too: nobody else has it."""
    work: tuple[Callable[[int], Any], ...] = (_ticket, _ticket, _ticket, _ticket, _spoil, int)
    fn = work[number % len(work)]
    process = pid._process
    if process is None:
        return
    book = world.book(Tickets)
    book.asked[pid] += number % 3 + 2
    for _ in range(number % 3):
        Agent.cast(pid, lambda value: value + 1)
    with world.calling(process, 5.0):
        try:
            if number % 7 == 0:
                await Agent.update(pid, lambda value: value + 1)
            got = await Agent.get_and_update(pid, fn)
        except CallExit:
            return
    if got in book.given[pid] or not 0 < got <= book.asked[pid]:
        world.accuse(f"the agent {pid} gave out ticket {got}, of {book.asked[pid]}, after others")
    book.given[pid].add(got)


def _check(world: World) -> Iterator[str]:
    book = world.book(Tickets)
    for pid in [pid for pid in book.given if pid._process is None]:
        del book.given[pid]
        del book.asked[pid]
    yield from ()


SUBJECT = Subject(
    workers={"agent": WorkerKind(_start, 1)},
    faults={"ask": FaultKind(at(_ask), 6, of_kind("agent"))},
    check=_check,
)
