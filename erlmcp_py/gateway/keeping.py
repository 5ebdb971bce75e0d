"""The processes that watch one instance of an upstream: the keeper, the pulse, the ear.

The keeper notices that it comes and goes, and learns what it offers. The pulse notices that it hangs, or
has taken too much memory, and has it restarted. The ear hears that something has changed, and tells those
who have subscribed here.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from erlmcp_py.client import Change as Heard
from erlmcp_py.client import ClientError, RequestTimeout
from erlmcp_py.config import UpstreamConfig
from erlmcp_py.gateway.face import LEARNT
from erlmcp_py.gateway.failing import FailureLog
from erlmcp_py.gateway.instance import Instance
from erlmcp_py.gateway.kinds import KINDS, Kind, offers
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.subscriptions import Change, publish
from erlmcp_py.telemetry.log import log
from supervisors import Backoff, ChildSpec, Pid, cast, spawn_link

WEIGHING: Final = 2.0
"""Seconds between two looks at the memory of an upstream that has a limit."""
AGAIN: Final = 5.0
"""Seconds before lists are fetched again that could not be."""
_PAUSE: Final = Backoff(first=0.1, factor=2.0, limit=30.0)


def keeper_specs(upstream: Upstream, instance: Instance) -> tuple[ChildSpec, ...]:
    """Keeper, pulse, ear."""

    def spec(id: str, run: Callable[[Upstream, Instance], Awaitable[None]]) -> ChildSpec:
        def start() -> Pid:
            return spawn_link(run, upstream, instance, label=f"{id} of {instance.label}")

        return ChildSpec(id, (start, ()), backoff=_PAUSE)

    return spec("keeper", _keep), spec("pulse", _pulse), spec("ear", _hear)


# --- the keeper ---------------------------------------------------------------------------


async def _keep(upstream: Upstream, instance: Instance) -> None:
    learnt = False  # whether a predecessor that was killed had done it, nobody knows
    failures = FailureLog(instance)
    while True:
        news = instance.note_status()
        upstream.noted(instance, news)
        failures.look(news)
        if instance.is_up and (news.up or not learnt):
            learnt = await _learn(upstream, instance)
        if instance.has_news():
            continue
        with trio.move_on_after(AGAIN if instance.is_up and not learnt else math.inf):
            await instance.changed()


async def _learn(upstream: Upstream, instance: Instance) -> bool:
    before = upstream.lists
    try:
        try:
            await instance.learn_headers()
        finally:
            upstream.tell()
        await upstream.learn(instance)
    except (ClientError, McpError) as problem:
        log("warning", f"upstream {instance.label}: what it offers cannot be read: {problem}")
        return False
    standing, hello = instance.standing(), instance.client.hello
    program = "" if standing.pid is None else f", pid {standing.pid}"
    log("info", f"upstream {instance.label} is up: {hello.version}{program}")
    for face in upstream.faces:
        cast(f"server_{face}", LEARNT)
    after = upstream.lists
    _tell_changes(upstream, {kind for kind in KINDS if before.get(kind, []) != after.get(kind, [])})
    return True


# --- the pulse ----------------------------------------------------------------------------


async def _pulse(_: Upstream, instance: Instance) -> None:
    while True:
        config, adjusted = instance.config, instance.adjusted
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_ping, instance, config)
            if config.memory_limit != "off":
                nursery.start_soon(_weigh, instance, config.memory_limit)
            await adjusted.wait()
            nursery.cancel_scope.cancel()


async def _ping(instance: Instance, config: UpstreamConfig) -> None:
    while True:
        with trio.move_on_after(config.ping_interval):
            await instance.doubt.wait()
        instance.doubt = trio.Event()
        if not instance.is_up:
            continue
        connection = instance.client.connection_pid()
        silent = False
        with trio.move_on_after(config.ping_timeout) as scope:
            try:
                await instance.client.ping()
            except RequestTimeout:
                silent = True
            except (ClientError, McpError):
                pass  # it has answered, or it is gone, which the keeper notices
        same = connection is not None and connection == instance.client.connection_pid()
        if (silent or scope.cancelled_caught) and same:
            instance.restart(f"it hangs: no answer to a ping within {config.ping_timeout:g} s")


async def _weigh(instance: Instance, limit: int) -> None:
    while True:
        await trio.sleep(WEIGHING)
        used = instance.memory()
        if used > limit:
            instance.restart(
                f"it used {used >> 20} MiB of memory, more than its limit of {limit >> 20} MiB"
            )


# --- the ear ------------------------------------------------------------------------------


async def _hear(upstream: Upstream, instance: Instance) -> None:
    while not instance.is_up:
        await instance.changed()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_hear_lists, upstream, instance)
        heard: dict[str, trio.CancelScope] = {}
        while True:
            news = upstream.followed.news
            for uri in heard.keys() - set(upstream.followed):
                heard.pop(uri).cancel()
            for uri in upstream.followed:
                if uri not in heard:
                    heard[uri] = trio.CancelScope()
                    nursery.start_soon(_hear_resource, upstream, instance, uri, heard)
            await news.wait()


async def _hear_lists(upstream: Upstream, instance: Instance) -> None:
    offered = instance.client.hello.capabilities
    wanted = (
        offered.tools is not None,
        offered.prompts is not None,
        offered.resources is not None,
    )
    if not any(wanted):
        return
    tools, prompts, resources = wanted
    wish = instance.client.subscribe(tools=tools, prompts=prompts, resources=resources)
    try:
        async with wish as changes:
            async for change in changes:
                await _list_changed(upstream, instance, change)
    except McpError as problem:
        log("info", f"upstream {instance.label} tells of no changes: {problem}")


async def _list_changed(upstream: Upstream, instance: Instance, change: Heard) -> None:
    kinds: dict[str, tuple[Kind, ...]] = {
        "tools": ("tools",),
        "prompts": ("prompts",),
        "resources": ("resources", "templates", "skills"),
    }
    try:
        for kind in kinds[change.kind]:
            if offers(instance.client.hello, kind):
                await upstream.learn_again(instance, kind)
    except (ClientError, McpError) as problem:
        log("warning", f"upstream {instance.label}: its {change.kind} cannot be read: {problem}")
    _tell_changes(upstream, set(kinds[change.kind]))


def _tell_changes(upstream: Upstream, kinds: set[Kind]) -> None:
    changes = {Change(kind if kind in ("tools", "prompts") else "resources") for kind in kinds}
    for face in upstream.faces:
        for change in changes:
            publish(face, change)


async def _hear_resource(
    upstream: Upstream, instance: Instance, uri: str, heard: dict[str, trio.CancelScope]
) -> None:
    try:
        with heard[uri]:
            async with instance.client.subscribe(uris=[uri]) as changes:
                async for change in changes:
                    if change.uri is not None:
                        for face in upstream.faces:
                            publish(face, Change("updated", uri))
    except McpError as problem:
        del heard[uri]  # whoever asks for it again has it tried again
        upstream.followed.refused(uri)
        log("info", f"upstream {instance.label} does not tell of {uri}: {problem}")
