"""What a configuration that has been read again changes, and what of it can be had without a restart. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from erlmcp_py.config import Config, UpstreamConfig

LIVE: Final = frozenset(
    {
        "timeout",
        "ping_interval",
        "ping_timeout",
        "memory_limit",
        "restarts",
        "period",
        "concurrency",
        "queue",
        "idle_timeout",
        "on_demand",
        "allow",
        "deny",
        "rename",
        "prefix",
        "breaker",
    }
)
"""Keys of an upstream that count from the next use on."""
ANEW: Final = frozenset({"command", "args", "env", "cwd", "url", "headers", "auth", "pool"})
"""Keys of an upstream for which its program or connection has to be another one."""
APPLIED: Final = frozenset({"log.level"})
"""Keys outside of `[upstreams]` that count at once; every other one waits for a restart of the node."""

Keys = tuple[str, ...]


class UpstreamChanges(msgspec.Struct, frozen=True, kw_only=True):
    """added, removed: names. anew: those that are started anew, with the keys that have changed. adjusted:
    those whose changes count from now on. reordered: whether those that stay stand in another order, which
    says who has what several offer.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    anew: dict[str, Keys] = {}
    adjusted: dict[str, Keys] = {}
    reordered: bool = False


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """upstreams: what becomes of them. applied: other keys that count at once. pending: other keys, which
    wait for a restart of the node.
    """

    upstreams: UpstreamChanges = UpstreamChanges()
    applied: Keys = ()
    pending: Keys = ()

    def __bool__(self) -> bool:
        return self != Changes()


def compare(running: Config, wanted: Config) -> Changes:
    """What makes `wanted` of what is in effect."""
    others = tuple(_differing(running, wanted))
    return Changes(
        upstreams=compare_upstreams(running.upstreams, wanted.upstreams),
        applied=tuple(key for key in others if key in APPLIED),
        pending=tuple(key for key in others if key not in APPLIED),
    )


def compare_upstreams(
    running: Mapping[str, UpstreamConfig], wanted: Mapping[str, UpstreamConfig]
) -> UpstreamChanges:
    """What becomes of each; those it does not name stay as they are."""
    anew: dict[str, Keys] = {}
    adjusted: dict[str, Keys] = {}
    for name in running.keys() & wanted.keys():
        before, after = running[name], wanted[name]
        keys = tuple(
            key
            for key in UpstreamConfig.__struct_fields__
            if getattr(before, key) != getattr(after, key)
        )
        if keys:
            (adjusted if LIVE.issuperset(keys) else anew)[name] = keys
    return UpstreamChanges(
        added=tuple(name for name in wanted if name not in running),
        removed=tuple(name for name in running if name not in wanted),
        anew=_in_order(anew, wanted),
        adjusted=_in_order(adjusted, wanted),
        reordered=[name for name in running if name in wanted]
        != [name for name in wanted if name in running],
    )


def effective(running: Config, wanted: Config) -> Config:
    """What is in effect when all has been done that needs no restart of the node."""
    level = msgspec.structs.replace(running.log, level=wanted.log.level)
    return msgspec.structs.replace(running, upstreams=wanted.upstreams, log=level)


def _in_order(found: dict[str, Keys], order: Mapping[str, object]) -> dict[str, Keys]:
    return {name: found[name] for name in order if name in found}


def _differing(
    running: msgspec.Struct, wanted: msgspec.Struct, above: tuple[str, ...] = ()
) -> Iterator[str]:
    """The keys whose values differ, as ``section.key``, without those of upstreams."""
    for field in running.__struct_fields__:
        before, after = getattr(running, field), getattr(wanted, field)
        path = (*above, field)
        if before == after or path == ("upstreams",):
            continue
        if isinstance(before, msgspec.Struct) and isinstance(after, msgspec.Struct):
            yield from _differing(before, after, path)
        else:
            yield ".".join(path)
