"""The processes that watch one instance of an upstream: the keeper, the pulse, the ear.

The keeper notices that it comes and goes, and learns what it offers. The pulse notices that it hangs, or
has taken too much memory, and has it restarted. The ear hears that something has changed: see `hearing`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from erlmcp_py.client import ClientError, NotConnected, RequestTimeout
from erlmcp_py.config import UpstreamConfig
from erlmcp_py.gateway.face import LEARNT
from erlmcp_py.gateway.failing import FailureLog
from erlmcp_py.gateway.hearing import hear, tell_changes
from erlmcp_py.gateway.instance import Instance
from erlmcp_py.gateway.kinds import KINDS
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.telemetry.log import log
from supervisors import Backoff, ChildSpec, Pid, cast, spawn_link

WEIGHING: Final = 2.0
"""Seconds between two looks at the memory of an upstream that has a limit."""
AGAIN: Final = 5.0
"""Seconds before lists are fetched again that could not be."""
HEARING: Final = 1.0
"""Seconds that lists are not fetched because the ear does not hear yet whether they change."""
_PAUSE: Final = Backoff(first=0.1, factor=2.0, limit=30.0)


def keeper_specs(upstream: Upstream, instance: Instance) -> tuple[ChildSpec, ...]:
    """Keeper, pulse, ear."""

    def spec(id: str, run: Callable[[Upstream, Instance], Awaitable[None]]) -> ChildSpec:
        def start() -> Pid:
            return spawn_link(run, upstream, instance, label=f"{id} of {instance.label}")

        return ChildSpec(id, (start, ()), backoff=_PAUSE)

    return spec("keeper", _keep), spec("pulse", _pulse), spec("ear", hear)


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
    await instance.heard(HEARING)
    try:
        try:
            await instance.learn_headers()
        finally:
            upstream.tell()
        await upstream.learn(instance)
    except (ClientError, McpError) as problem:
        text = f"what it offers cannot be read: {problem}"
        log("warning", f"upstream {instance.label}: {text}")
        upstream.cannot_learn(text)
        return False
    standing, hello = instance.standing(), instance.client.hello
    program = "" if standing.pid is None else f", pid {standing.pid}"
    log("info", f"upstream {instance.label} is up: {hello.version}{program}")
    for face in upstream.faces:
        cast(f"server_{face}", LEARNT)
    after = upstream.lists
    tell_changes(upstream, {kind for kind in KINDS if before.get(kind, []) != after.get(kind, [])})
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
        wrong = None
        try:
            await instance.client.ping(config.ping_timeout)
        except RequestTimeout:
            wrong = f"it hangs: no answer to a ping within {config.ping_timeout:g} s"
        except NotConnected as problem:
            wrong = str(problem)
        except (ClientError, McpError):
            pass  # it has answered, or it is gone, which the keeper notices
        same = connection is not None and connection == instance.client.connection_pid()
        if wrong is not None and same and instance.is_up:
            instance.restart(wrong)


async def _weigh(instance: Instance, limit: int) -> None:
    while True:
        await trio.sleep(WEIGHING)
        used = instance.memory()
        if used > limit:
            instance.restart(
                f"it used {used >> 20} MiB of memory, more than its limit of {limit >> 20} MiB"
            )
