"""The upstreams that a node has now, and how one comes, changes and goes while it runs.

A `Fleet` lies in the arguments of child specs, so it outlives every process: after a crash of whichever
of them, the tree is made of the upstreams there are, not of those there were at the start.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import trio

from erlmcp_py import registry, sessions, subscriptions
from erlmcp_py.config import ALL, UpstreamConfig
from erlmcp_py.gateway.leaving import let_go, take_away
from erlmcp_py.gateway.places import UPSTREAMS, child, end, start
from erlmcp_py.guards.in_flight import InFlight
from erlmcp_py.server.interaction.seal import StateSealer
from erlmcp_py.subscriptions import Change, Kind, publish
from supervisors import ChildSpec, Supervisor, SupervisorError, SupFlags

if TYPE_CHECKING:
    from erlmcp_py.gateway.changes import UpstreamChanges
    from erlmcp_py.gateway.face import Face
    from erlmcp_py.gateway.instance import Instance
    from erlmcp_py.gateway.upstream import Upstream

KINDS: Final[tuple[Kind, ...]] = ("tools", "prompts", "resources")


class UpstreamsSupervisor(Supervisor):
    """Of all upstreams: a supervisor each, and the server that stands for all."""

    def init(self, fleet: Fleet) -> tuple[SupFlags, list[ChildSpec]]:
        """Those there are now."""
        return SupFlags("one_for_one", 10, 60), fleet.children()


class Member:
    """One of them. face: by which it is served alone. spec: its place in the tree."""

    __slots__ = ("face", "spec", "upstream")

    def __init__(self, upstream: Upstream, face: Face, spec: ChildSpec) -> None:
        self.upstream = upstream
        self.face = face
        self.spec = spec


class Fleet:
    """All upstreams of a node. own: its own server that is the default one without upstreams. sealer: of
    what their clients carry.
    """

    def __init__(
        self,
        configured: Mapping[str, UpstreamConfig],
        in_flight: InFlight,
        mailbox: int,
        own: str | None = None,
        wall_clock: Callable[[], float] = time.time,
        sealer: StateSealer | None = None,
    ) -> None:
        """Raises `ConfigError`."""
        self._sealer = StateSealer() if sealer is None else sealer
        self._in_flight = in_flight
        self._mailbox = mailbox
        self._own = own
        self._wall_clock = wall_clock
        self._members: dict[str, Member] = {}
        self._leaving: dict[str, Member] = {}
        self._replaced: list[tuple[str, Instance]] = []
        self._together: tuple[Face, ChildSpec] | None = None
        self._changing = False
        self._untold = False
        """Whether clients of all of them have to look again."""
        for name, one in configured.items():
            self._members[name] = self._make(name, one)
        self._gather()
        self._default = ALL if self._members else own

    def child_spec(self) -> ChildSpec:
        """Their supervisor; it needs the registry."""
        return UpstreamsSupervisor.child_spec(self, id=UPSTREAMS, name=UPSTREAMS)

    def children(self) -> list[ChildSpec]:
        """For their supervisor; the server of all is the last, and becomes the default."""
        each = [member.spec for member in self._members.values()]
        return each if self._together is None else [*each, self._together[1]]

    def served(self) -> list[str]:
        """The names of the servers that stand for them."""
        return [*self._members, *self._leaving, *([] if self._together is None else [ALL])]

    def _make(self, name: str, config: UpstreamConfig) -> Member:
        from erlmcp_py.gateway import tree  # heavy, and not for nodes without upstreams

        made = tree.member(
            name, config, self._in_flight, self._mailbox, self._wall_clock, self._sealer
        )
        return Member(*made)

    def _gather(self) -> None:
        """Have those there are now served together."""
        upstreams = tuple(member.upstream for member in self._members.values())
        if not upstreams:
            if self._together is not None:
                self._together[0].is_removed = True
            self._together = None
        elif self._together is not None:
            self._together[0].take(upstreams)
        else:
            from erlmcp_py.gateway import tree

            self._together = tree.together(upstreams, self._in_flight, self._mailbox)

    # --- changing -----------------------------------------------------------------------

    @property
    def configured(self) -> dict[str, UpstreamConfig]:
        """What is in effect."""
        return {name: member.upstream.config for name, member in self._members.items()}

    @property
    def is_changing(self) -> bool:
        """Whether `settle` and `finish` have something left to do."""
        return self._changing

    def change(self, wanted: Mapping[str, UpstreamConfig], changes: UpstreamChanges) -> None:
        """Have these upstreams from now on; `changes` is what makes them of `configured`.

        It happens as a whole or, with `ConfigError`, not at all. `settle` and `finish` do what takes time.
        """
        made = {name: self._make(name, wanted[name]) for name in changes.added}
        others = {name: self._members[name].upstream.renewed(wanted[name]) for name in changes.anew}
        for name in changes.removed:
            member = self._leaving[name] = self._members[name]
            member.face.is_removed = True
            member.upstream.remove()
        for name, instances in others.items():
            before = self._members[name].upstream.renew(wanted[name], instances)
            self._replaced.extend((name, each) for each in before)
        for name in changes.adjusted:
            self._members[name].upstream.adjust(wanted[name])
        self._members = {name: made.get(name) or self._members[name] for name in wanted}
        self._changing = True
        self._untold |= bool(changes.added or changes.removed or changes.reordered)
        self._gather()

    async def settle(self) -> list[str]:
        """Serve what there is, and nothing else; why some of it cannot be served. What is removed or
        replaced goes on with what it has begun, until `finish`.

        Whoever does this again because a predecessor was killed over it does what was left to do.
        """
        problems = []
        for name in self._leaving:
            await registry.unregister_server(name)
        if self._together is None and self._default == ALL:
            await registry.unregister_server(ALL)
            await registry.set_default(self._own)
        for spec in self.children():
            try:
                await start(UPSTREAMS, spec)
            except SupervisorError as problem:
                problems.append(f"{spec.id} is not served: {problem}")
        for name, instance in self._replaced:
            if name in self._members:
                await self._relieve(self._members[name].upstream, instance)
        if self._untold:
            for kind in KINDS:
                publish(ALL, Change(kind))
            self._untold = False
        await self._mind_the_default()
        return problems

    async def _relieve(self, upstream: Upstream, replaced: Instance) -> None:
        """Start those that take its place; it learns nothing any more. While it sleeps, nothing runs."""
        from erlmcp_py.gateway.instances import instance_spec

        if not upstream.sleep.may_work:
            return
        supervisor = await child(UPSTREAMS, upstream.name, "instances")
        if supervisor is None:
            return
        for instance in upstream.instances:
            await start(supervisor, instance_spec(upstream, instance))
        old = await child(supervisor, replaced.number)
        if old is not None:
            for watcher in ("keeper", "ear"):
                await end(old, watcher)

    async def _mind_the_default(self) -> None:
        """Where /mcp means another server, whoever has begun with the one before begins anew."""
        before, now = self._default, ALL if self._together is not None else self._own
        if before == now:
            return
        http = (await registry.transports()).get("http")
        if http is None or http.server is None:
            await sessions.delete_of(None)
        if before is not None:
            subscriptions.end(before)
        self._default = now

    async def finish(self, deadline: float) -> dict[str, int]:
        """Wait for what has been removed or replaced to finish what it has begun, and end it: how many
        requests of which upstream were cut off. deadline: seconds they have. As `settle`.
        """
        cut_off: Counter[str] = Counter()

        async def leave(name: str, member: Member) -> None:
            cut_off[name] += await let_go(member.upstream, deadline)

        async def be_replaced(name: str, instance: Instance) -> None:
            cut_off[name] += await take_away(name, instance, deadline)
            if name in self._members:
                self._members[name].upstream.errands.lost(instance.number)

        async with trio.open_nursery() as nursery:
            for name, member in self._leaving.items():
                nursery.start_soon(leave, name, member)
            for name, instance in self._replaced:
                nursery.start_soon(be_replaced, name, instance)
        if self._together is None:
            await end(UPSTREAMS, ALL)
        self._leaving.clear()
        self._replaced.clear()
        self._changing = False
        return dict(cut_off)
