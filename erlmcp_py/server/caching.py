"""How long clients may keep what they were told (MCP 2026-07-28, caching).

A server says nothing of the kind unless its author does: then a list or a resource is good for no
time at all, and for nobody but who asked. What differs between callers must stay "private".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from erlmcp_py.protocol.shape import NOT_CACHED, CacheHint
from erlmcp_py.protocol.wire import CacheableResult

R = TypeVar("R", bound=CacheableResult)

METHODS: Final = (
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
)
"""The methods whose results may be kept."""

CacheHints = CacheHint | Mapping[str, CacheHint]
"""One hint for all of `METHODS`, or some of them with one each."""


def hints_of(cache: CacheHints) -> dict[str, CacheHint]:
    """The hint of every method. TypeError or ValueError if it is none, or for no such method."""
    if isinstance(cache, CacheHint):
        return dict.fromkeys(METHODS, cache)
    if not isinstance(cache, Mapping):
        raise TypeError(f"Server: cache must be a CacheHint, or one per method, not {cache!r}")
    for method, hint in cache.items():
        if method not in METHODS:
            raise ValueError(
                f"Server: cache: results of {method!r} cannot be kept; those of "
                f"{', '.join(METHODS)} can"
            )
        if not isinstance(hint, CacheHint):
            raise TypeError(f"Server: cache: {method} needs a CacheHint, not {hint!r}")
    return {method: cache.get(method, NOT_CACHED) for method in METHODS}


def with_hint(result: R, hint: CacheHint) -> R:
    """`result`, good for as long as `hint` says, where it does not say so itself."""
    changes: dict[str, object] = {}
    if result.ttl_ms is None:
        changes["ttl_ms"] = hint.ttl_ms
    if result.cache_scope is None:
        changes["cache_scope"] = hint.scope
    return msgspec.structs.replace(result, **changes) if changes else result
