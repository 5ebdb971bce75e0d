"""What the node knows of one upstream: what it has offered, its instances, and how it stands.

It lies in the arguments of child specs, so it outlives every process: after a crash of whichever of
them, what the upstream has offered is still known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import trio
from msgspec import Raw

from erlmcp_py.client import Hello
from erlmcp_py.config import UpstreamConfig
from erlmcp_py.gateway import marks
from erlmcp_py.gateway.admission import Admission, Bindings
from erlmcp_py.gateway.at_work import AtWork
from erlmcp_py.gateway.errands import Errands
from erlmcp_py.gateway.following import Followed
from erlmcp_py.gateway.instance import Instance, where_of
from erlmcp_py.gateway.kinds import KINDS, Kind, offers
from erlmcp_py.gateway.latency import Meter
from erlmcp_py.gateway.naming import KEYS as NAMING
from erlmcp_py.gateway.naming import Names
from erlmcp_py.gateway.parked import Parked
from erlmcp_py.gateway.settings import breaker_of, place_of
from erlmcp_py.gateway.sleep import Sleep
from erlmcp_py.gateway.standing import News, Outdated, Standing, unavailable_text
from erlmcp_py.gateway.visit import PATIENCE, Visit
from erlmcp_py.gateway.waiting import task_only
from erlmcp_py.guards.breaker import Breaker, configure_breaker
from erlmcp_py.server.interaction.seal import StateSealer
from erlmcp_py.server.scope import Scope
from erlmcp_py.subscriptions import Change, publish
from supervisors import Pid, cast, current_runtime

PATIENT: Final = 2
"""Times that what one offers may be unreadable before callers are told so at once: some have to get ready."""


class Upstream:
    """One of `[upstreams]`. faces: the names it is served under. where: its place, for people. hello,
    lists: what it has offered, kept while it is down; None and empty before it was first seen.
    """

    def __init__(
        self,
        name: str,
        config: UpstreamConfig,
        wall_clock: Callable[[], float],
        sealer: StateSealer,
    ) -> None:
        self.name = name
        self.config = config
        self.faces: tuple[str, ...] = (name,)
        self.hello: Hello | None = None
        self.lists: dict[Kind, list[Raw]] = {}
        self.outdated: dict[Kind, Outdated] = {}
        """Of `lists`, those that have changed and could not be fetched since."""
        self.unread: str | None = None
        """Why what it offers could not be read since it is up."""
        self._unread = 0
        """How often in a row; from `PATIENT` on nobody waits for it."""
        self.sealer = sealer
        """Of what clients carry for it."""
        self.parked = Parked(self.sealer, self._may_be_parked, wall_clock)
        """Calls that wait for their clients."""
        self._task_only: tuple[object, frozenset[str]] = (None, frozenset())
        self.names = Names(name, config)
        self.serial = 0
        """Grows with every change of what is offered, or of what that is called."""
        self.breaker = Breaker(name, breaker_of(config))
        """Asked before each request of a client."""
        self.generation = 0
        """Grows whenever one of its instances is up anew."""
        self.followed = Followed()
        self.errands = Errands()
        self.at_work = AtWork()
        """Requests of clients, those that wait for an instance among them."""
        self.meter = Meter()
        self.sleep = Sleep(_idle_timeout(config), on_demand=config.on_demand)
        self.asleep_since = wall_clock()
        """Seconds since the epoch; means something while it is asleep."""
        self.supervisor: Pid | None = None
        """Of its instances."""
        self.steward: Pid | None = None
        """Who starts and stops them."""
        self.wall_clock = wall_clock
        self.is_removed = False
        """Whether it is in the configuration no more; it finishes what it has begun."""
        self._news = trio.Event()
        self._teacher: Instance | None = None
        self._instances: tuple[Instance, ...] = ()
        self.where = str(where_of(place_of(name, config)))
        self.admission = Admission((), self.takes, config.concurrency, config.queue)
        self.bindings: Bindings[Instance] = Bindings()

    @property
    def instances(self) -> tuple[Instance, ...]:
        """Those that work on requests; there is none before one is needed."""
        if not self._instances:
            self._instances = self._made(self.config, 1)
            self.admission.replace(self._instances)
        return self._instances

    def _made(self, config: UpstreamConfig, first: int) -> tuple[Instance, ...]:
        """Instances that have not been started, numbered from `first` on. Raises `ConfigError`."""
        place = place_of(self.name, config)
        numbers = range(first, first + config.pool)
        labels = [self.name if config.pool == 1 else f"{self.name}/{number}" for number in numbers]
        return tuple(
            Instance(label, number, config, place, self.meter, self.wall_clock)
            for label, number in zip(labels, numbers, strict=True)
        )

    def _may_be_parked(self) -> int:
        """Half of the places, so that clients that do not come back keep nobody out."""
        return max(1, self.admission.concurrency * len(self.instances) // 2)

    # --- how it stands ------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether requests can be sent to one of its instances now."""
        return any(self.takes(each) for each in self._instances)

    @property
    def is_down(self) -> bool:
        """Whether all its instances are: nobody waits for it then."""
        return self.sleep.may_work and all(each.is_down for each in self.instances)

    @property
    def is_missing(self) -> bool:
        """Whether it should be there and is not; one that sleeps is there as soon as it is needed."""
        return self.standing().state not in ("up", "asleep")

    @property
    def waiting(self) -> int:
        """Requests that have no instance yet."""
        return self.admission.waiting

    def standing(self) -> Standing:
        """How it stands now: as well as the best of its instances, with the numbers of all."""
        each = [one.standing() for one in self._instances]
        if each and self.sleep.may_work:
            best = min(each, key=lambda one: _ORDER[one.state])
            same = [one for one in each if one.state == best.state]
            # Up since the first of them is, down since the last of them is.
            found = (min if best.state == "up" else max)(same, key=lambda one: one.since)
            state, since, reason = found.state, found.since, found.reason
            if state == "up" and self.hello is None:
                reason = self.unread
        else:
            state = "starting" if self.sleep.may_work else "asleep"
            since, reason = self.asleep_since, None
        return Standing(
            state,
            since,
            reason,
            sum(one.failures for one in each),
            sum(one.restarts for one in each),
            sum(one.in_flight for one in each),
            next((one.pid for one in each if one.pid is not None), None),
        )

    def unavailable_text(self, waited: float | None = None) -> str:
        """Since when it is not there, and why. waited: seconds that somebody has, in vain."""
        return unavailable_text(self.name, self.standing(), waited)

    def takes(self, instance: Instance) -> bool:
        """Whether it can be given requests now."""
        return instance.is_ready and self.sleep.may_work and not instance.rests

    # --- for requests -------------------------------------------------------------------

    def admitted(self, scope: Scope, number: int | None = None) -> Visit:
        """For a request of this client: see `Visit`."""
        return Visit(self, scope.client, number)

    def marked(self, result: Raw, instance: Instance) -> Raw:
        """The result of this instance; what it asks comes back to it."""
        return result if len(self.instances) == 1 else marks.mark(result, instance.number)

    def task_only(self) -> frozenset[str]:
        """Its tools that run as a task only, as 2025-11-25 says it."""
        tools = self.lists.get("tools", [])
        if self._task_only[0] is not tools:
            self._task_only = (tools, task_only(tools))
        return self._task_only[1]

    def need(self) -> None:
        """Somebody needs it: it is started if it sleeps, and does not fall asleep until `need_no_more`."""
        if self.sleep.enter():
            self.look()

    def need_no_more(self) -> None:
        """Once for each `need`."""
        if self.sleep.leave(current_runtime().now()):
            self.look()

    async def known(self, *, alone: bool = True) -> None:
        """Wait a while until it has said what it offers, for which it is started. alone: whether nobody
        else is held up by this.
        """
        if self.hello is None:
            self.need()
            try:
                with trio.move_on_after(self.config.timeout if alone else PATIENCE):
                    await self._until_known()
            finally:
                self.need_no_more()

    async def settled(self) -> None:
        """Wait until it is up or down."""
        while not (self.is_up or self.is_down):
            await self._news.wait()

    async def all_up(self) -> None:
        """Wait until all its instances are up: those there are by then. No longer than it is to run."""
        while self.is_to_run and not all(self.takes(each) for each in self.instances):
            await self._news.wait()

    @property
    def is_to_run(self) -> bool:
        """Whether it is in the configuration, and does not sleep."""
        return self.sleep.may_work and not self.is_removed

    async def _until_known(self) -> None:
        while self.hello is None and not self.is_down:
            if self.is_up and self._unread >= PATIENT:
                return
            await self._news.wait()

    # --- another configuration ----------------------------------------------------------

    def adjust(self, config: UpstreamConfig) -> None:
        """Go on with other settings; its instances stay."""
        for each in self._instances:
            each.adjust(config)
        self._settle(config)

    def renewed(self, config: UpstreamConfig) -> tuple[Instance, ...]:
        """Other instances, for `renew`. Raises `ConfigError`."""
        return self._made(config, 1 + max(each.number for each in self.instances))

    def renew(
        self, config: UpstreamConfig, instances: tuple[Instance, ...]
    ) -> tuple[Instance, ...]:
        """Have these work on requests from now on; those there were, which finish what they have begun."""
        before, self._instances = self._instances, instances
        for each in before:
            each.retired.set()
        self._teacher = None  # the old ones, which are up for a while, teach nobody any more
        self.bindings = Bindings()
        self.where = str(instances[0].client.where)
        self.admission.replace(instances)
        self._settle(config)
        return before

    def remove(self) -> None:
        """It is in the configuration no more: nobody comes back to it."""
        self.is_removed = True
        self.parked.close()
        for each in self._instances:
            each.retired.set()
        self.tell()

    def _settle(self, config: UpstreamConfig) -> None:
        before, self.config = self.config, config
        if any(getattr(before, key) != getattr(config, key) for key in NAMING):
            self.names = Names(self.name, config)
            self.serial += 1
            for face in self.faces:
                publish(face, Change("tools"))
                publish(face, Change("prompts"))
        self.admission.concurrency, self.admission.queue = config.concurrency, config.queue
        self.sleep.timeout, self.sleep.on_demand = _idle_timeout(config), config.on_demand
        configure_breaker(self.breaker, breaker_of(config))
        self.look()
        self.tell()

    # --- for its keepers ----------------------------------------------------------------

    def look(self) -> None:
        """Have its instances started or stopped, if that is due."""
        if self.steward is not None:
            cast(self.steward, "look")

    def tell(self) -> None:
        """Wake those who wait for it: something has changed."""
        news, self._news = self._news, trio.Event()
        news.set()
        self.admission.wake()

    def noted(self, instance: Instance, news: News) -> None:
        """This has happened to one of its instances."""
        self.generation += news.up
        if news.up:
            self.unread, self._unread = None, 0
        if news.failures:
            self.admission.lost(instance)
            self.errands.lost(instance.number)
        self.tell()

    def follow(self, uri: str) -> bool:
        """Have changes of this resource told from now on; False if too many are followed."""
        follows = self.followed.add(uri, current_runtime().now())
        if follows and self.steward is not None:
            cast(self.steward, "followed")
        return follows

    async def learn(self, instance: Instance) -> None:
        """Fetch what this instance offers, unless another one that is up has said it. Raises McpError,
        ClientError.
        """
        async with instance.learning:
            teacher = self._teacher
            if teacher is not None and teacher is not instance and self.takes(teacher):
                return
            hello = instance.client.hello
            lists = {
                kind: await instance.fetch(kind) if offers(hello, kind) else [] for kind in KINDS
            }
            if instance not in self._instances:
                return  # others have taken its place meanwhile
            if (hello, lists) != (self.hello, self.lists):
                self.hello, self.lists = hello, lists
                self.serial += 1
            self.outdated.clear()
            self.unread, self._unread = None, 0
            self._teacher = instance
        self.tell()

    def cannot_learn(self, reason: str) -> None:
        """What it offers cannot be read, for this reason."""
        self.unread, self._unread = reason, self._unread + 1
        self.tell()

    def outdate(self, kind: Kind, reason: str) -> None:
        """This list has changed and cannot be fetched, for this reason; the old one is shown with a mark."""
        before = self.outdated.get(kind)
        since = self.wall_clock() if before is None else before.since
        self.outdated[kind] = Outdated(since, reason)

    async def learn_again(self, instance: Instance, kind: Kind) -> None:
        """Fetch a list that has changed. Raises McpError, ClientError."""
        async with instance.learning:
            if self.hello is None:
                return  # it will be learnt with all the others
            entries = await instance.fetch(kind)
            if instance not in self._instances:
                return
            self.lists = {**self.lists, kind: entries}
            self.outdated.pop(kind, None)
            try:
                if kind == "tools":
                    await instance.learn_headers()
            finally:
                self.serial += 1


_ORDER: Final = {"up": 0, "starting": 1, "restarting": 2, "down": 3}


def _idle_timeout(config: UpstreamConfig) -> float:
    return math.inf if config.idle_timeout == "off" else config.idle_timeout
