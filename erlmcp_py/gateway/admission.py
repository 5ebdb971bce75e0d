"""Who may begin at an upstream, who waits, and which instance each gets: counts, without I/O or clock.

Each instance has so many places. A request takes one of the least busy instance that takes any (of several,
the one that was given something longest ago), or of the one it belongs to; if there is none it waits, and
whoever has waited longest is served first. With too many waiting, the next one is refused.

WHY a queue here, and not the pipe to the program: what waits here can be cancelled without a trace, goes
to whichever instance is free first, and does not become the program's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Final, Generic, TypeVar

import trio

MAX_BOUND: Final = 10_000
"""Clients whose instance is remembered, for each upstream; beyond, those that were not seen for longest
are forgotten."""

Place = TypeVar("Place", bound=Hashable)


class QueueFull(Exception):
    """As many are at work and wait as may. The message says how many."""


class Ticket(Generic[Place]):
    """A request's. only: the one instance that will do, None: any. place: the instance it is at, None
    while it waits. news: set when it has a place, or should look why not; a new one for each wait.
    """

    __slots__ = ("news", "only", "place")

    def __init__(self, only: Place | None) -> None:
        self.only = only
        self.place: Place | None = None
        self.news = trio.Event()


class Admission(Generic[Place]):
    """Of one upstream. instances: what requests are given. takes: whether one of them takes requests now.
    concurrency: places of each. queue: how many may wait when all places are taken.
    """

    def __init__(
        self,
        instances: Iterable[Place],
        takes: Callable[[Place], bool],
        concurrency: int,
        queue: int,
    ) -> None:
        self.concurrency = concurrency
        self.queue = queue
        self._takes = takes
        self._instances = tuple(instances)
        self._at_work = dict.fromkeys(self._instances, 0)
        self._turns = list(self._instances)
        """Those that were given something longest ago first."""
        self._waiting: dict[Ticket[Place], None] = {}
        self._count = 0

    @property
    def count(self) -> int:
        """Requests that have a place or wait for one."""
        return self._count

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return len(self._waiting)

    def at_work(self, instance: Place) -> int:
        """Requests that have a place at this instance."""
        return self._at_work.get(instance, 0)

    def enter(self, only: Place | None = None) -> Ticket[Place]:
        """A request comes. Its ticket has a place if there is one. Raises QueueFull."""
        places = self.concurrency * len(self._instances)
        if self._count >= places + self.queue:
            raise QueueFull(f"{places} requests are at work at most, and {self.queue} more wait")
        ticket = Ticket(only)
        self._count += 1
        if self._waiting or not self._give(ticket):
            self._waiting[ticket] = None
            self.look()  # it may be for an instance that nobody of the others waits for
        return ticket

    def leave(self, ticket: Ticket[Place]) -> None:
        """It has its answer, or does not want one any more."""
        self._count -= 1
        place = ticket.place
        if place is None:
            del self._waiting[ticket]
            return
        self._at_work[place] -= 1
        if not self._at_work[place] and place not in self._instances:
            del self._at_work[place]  # it was replaced, and this was its last request
        if self._waiting:
            self.look()

    def look(self) -> None:
        """Give the places there are to those who wait. Call it when an instance takes requests again."""
        free = {one for one in self._instances if self._has_place(one)}
        for ticket in list(self._waiting):
            if not free:
                return
            if self._give(ticket):
                del self._waiting[ticket]
                ticket.news.set()
                free = {one for one in free if self._has_place(one)}

    def wake(self) -> None:
        """Have all who wait look how things stand; whoever can have a place gets it first."""
        self.look()
        for ticket in self._waiting:
            ticket.news.set()
            ticket.news = trio.Event()

    def lost(self, instance: Place) -> None:
        """What this instance remembered is gone: those who wait for it need not. Call `wake` then."""
        for ticket in self._waiting:
            if ticket.only == instance:
                ticket.only = None

    def replace(self, instances: Iterable[Place]) -> None:
        """Requests are given to these from now on. Call `wake` then."""
        self._instances = tuple(instances)
        self._turns = list(self._instances)
        kept = {one: count for one, count in self._at_work.items() if count}
        self._at_work = {**dict.fromkeys(self._instances, 0), **kept}
        for ticket in self._waiting:
            if ticket.only not in self._instances:
                ticket.only = None

    def _give(self, ticket: Ticket[Place]) -> bool:
        place = ticket.only
        if place is None:
            having = [one for one in self._turns if self._has_place(one)]
            if not having:
                return False
            place = having[0] if len(having) == 1 else min(having, key=self._at_work.__getitem__)
        elif not self._has_place(place):
            return False
        ticket.place = place
        self._at_work[place] += 1
        if len(self._turns) > 1:
            self._turns.remove(place)
            self._turns.append(place)
        return True

    def _has_place(self, instance: Place) -> bool:
        return self._at_work[instance] < self.concurrency and self._takes(instance)


class Bindings(Generic[Place]):
    """Which connection of which instance each client of an older revision is with."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Place, int]] = {}

    def find(self, client: str) -> tuple[Place, int] | None:
        """The instance, and the number of its connection; None: the client is with none."""
        held = self._held.pop(client, None)
        if held is not None:
            self._held[client] = held  # it was seen last now
        return held

    def bind(self, client: str, instance: Place, connection: int) -> None:
        """The client is with this one from now on."""
        self._held.pop(client, None)
        self._held[client] = (instance, connection)
        if len(self._held) > MAX_BOUND:
            del self._held[next(iter(self._held))]
