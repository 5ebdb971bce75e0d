"""The ear of an instance: it hears that something has changed, and tells those who have subscribed here.

A list that is said to have changed is fetched until that succeeds. Meanwhile the old one is shown, with a
mark. An ear that is not the first one fetches everything once, because nobody knows what was said while
there was none; and so does one that hears so late that the keeper has not waited for it. Of a resource it
tells once as soon as it hears of it: those who have subscribed may have read it before.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import trio

from erlmcp_py.client import ClientError
from erlmcp_py.gateway.instance import Instance
from erlmcp_py.gateway.kinds import KINDS, Kind, offers
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.subscriptions import Change, publish
from erlmcp_py.telemetry.log import log
from supervisors import Backoff

AGAIN: Final = Backoff(first=1.0, factor=2.0, limit=60.0)
"""Before a list is fetched again that could not be, and before it is asked again for what it did not say."""

_MEANT: Final[dict[str, tuple[Kind, ...]]] = {
    "tools": ("tools",),
    "prompts": ("prompts",),
    "resources": ("resources", "templates", "skills"),
}


async def hear(upstream: Upstream, instance: Instance) -> None:
    """The life of the process."""
    while not instance.is_up:
        await instance.changed()
    lists = _Lists(upstream, instance)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lists.run)
        nursery.start_soon(_hear_lists, instance, lists)
        heard: dict[str, trio.CancelScope] = {}
        while True:
            news = upstream.followed.news
            for uri in heard.keys() - set(upstream.followed):
                heard.pop(uri).cancel()
            for uri in upstream.followed:
                if uri not in heard:
                    heard[uri] = scope = trio.CancelScope()
                    nursery.start_soon(_hear_resource, upstream, instance, uri, heard, scope)
            await news.wait()


def tell_changes(upstream: Upstream, kinds: Iterable[Kind]) -> None:
    """Have those who listen look at these lists again."""
    changes = {Change(kind if kind in ("tools", "prompts") else "resources") for kind in kinds}
    for face in upstream.faces:
        for change in changes:
            publish(face, change)


async def _hear_lists(instance: Instance, lists: _Lists) -> None:
    offered = instance.client.hello.capabilities
    tools, prompts = offered.tools is not None, offered.prompts is not None
    resources = offered.resources is not None
    if not (tools or prompts or resources):
        instance.hears.set()
        return

    async def listen() -> None:
        wish = instance.client.subscribe(tools=tools, prompts=prompts, resources=resources)
        async with wish as changes:
            if instance.is_early or instance.hears.is_set():
                lists.look(KINDS)
            instance.hears.set()
            async for change in changes:
                lists.changed(_MEANT.get(change.kind, ()))

    try:
        await _again(listen)
    except McpError as problem:
        instance.hears.set()
        log("info", f"upstream {instance.label} tells of no changes: {problem}")


class _Lists:
    """Those that have to be fetched, and whether they are said to have changed."""

    def __init__(self, upstream: Upstream, instance: Instance) -> None:
        self._upstream = upstream
        self._instance = instance
        self._due: dict[Kind, bool] = {}
        self._news = trio.Event()

    def changed(self, kinds: Iterable[Kind]) -> None:
        """The upstream says so."""
        self._add(dict.fromkeys(kinds, True))

    def look(self, kinds: Iterable[Kind]) -> None:
        """Nobody knows whether they have."""
        self._add({kind: self._due.get(kind, False) for kind in kinds})

    def _add(self, kinds: dict[Kind, bool]) -> None:
        self._due |= kinds
        self._news.set()

    async def run(self) -> None:
        """For ever."""
        failures = 0
        while True:
            if self._due:
                if await self._fetch_all(first=not failures):
                    failures = 0
                else:
                    failures += 1
            with trio.move_on_after(AGAIN.pause(failures - 1) if failures else math.inf):
                await self._news.wait()
            self._news = trio.Event()

    async def _fetch_all(self, *, first: bool) -> bool:
        """Whether none has failed; one that has is due again. first: it has not failed before."""
        due, self._due = self._due, {}
        upstream, failed = self._upstream, {}
        for kind, is_changed in due.items():
            before = upstream.lists.get(kind)
            problem = await self._fetch(kind)
            if problem is None:
                is_changed |= before != upstream.lists.get(kind)
            else:
                failed[kind] = True
                is_changed &= first  # and then, when there is something new
                text = (
                    f"its {kind} have changed and cannot be read: {problem}; they are fetched again"
                )
                log("warning" if first else "debug", f"upstream {self._instance.label}: {text}")
            if is_changed:
                tell_changes(upstream, {kind})
        self._due = failed | self._due
        return not failed

    async def _fetch(self, kind: Kind) -> str | None:
        """What was wrong."""
        upstream, instance = self._upstream, self._instance
        try:
            if offers(instance.client.hello, kind):
                await upstream.learn_again(instance, kind)
        except (ClientError, McpError) as problem:
            upstream.outdate(kind, f"{kind} have changed and cannot be read: {problem}")
            return str(problem)
        return None


async def _hear_resource(
    upstream: Upstream,
    instance: Instance,
    uri: str,
    heard: dict[str, trio.CancelScope],
    scope: trio.CancelScope,
) -> None:
    async def listen() -> None:
        async with instance.client.subscribe(uris=[uri]) as changes:
            _tell_updated(upstream, uri)
            async for change in changes:
                if change.uri is not None:
                    _tell_updated(upstream, uri)

    try:
        with scope:
            await _again(listen)
    except McpError as problem:
        if heard.get(uri) is not scope:
            return  # nobody wants it any more
        del heard[uri]  # whoever asks for it again has it tried again
        upstream.followed.refused(uri)
        log("info", f"upstream {instance.label} does not tell of {uri}: {problem}")


async def _again(listen: Callable[[], Awaitable[None]]) -> None:
    """Listen, and when there was no answer, again: what else is heard is heard on. Raises McpError."""
    failures = 0
    while True:
        try:
            await listen()
        except ClientError:
            await trio.sleep(AGAIN.pause(failures))
            failures += 1


def _tell_updated(upstream: Upstream, uri: str) -> None:
    for face in upstream.faces:
        publish(face, Change("updated", uri))
