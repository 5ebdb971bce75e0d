"""The last touch on a result: what its era and revision require around it."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeVar

import msgspec

from erlmcp_py.protocol.lifecycle import Implementation
from erlmcp_py.protocol.meta import SERVER_INFO
from erlmcp_py.protocol.revisions import fit
from erlmcp_py.protocol.versions import Era
from erlmcp_py.protocol.wire import CacheableResult, Result

R = TypeVar("R", bound=Result)

CacheScope = Literal["public", "private"]


class CacheHint(msgspec.Struct, frozen=True):
    """How long (milliseconds) and for whom a client may keep a result."""

    ttl_ms: int = 0
    scope: CacheScope = "private"

    def __post_init__(self) -> None:
        if self.ttl_ms < 0:
            raise ValueError(f"ttl_ms is {self.ttl_ms}; it must be 0 (do not keep) or more")


NOT_CACHED: Final = CacheHint()


def shape_result(
    result: R,
    era: Era,
    version: str,
    *,
    server_info: Implementation | msgspec.Raw | None = None,
    cache: CacheHint = NOT_CACHED,
) -> R:
    """`result` as a peer of that era and revision has to get it.

    Modern: `resultType` ("complete" if the result names none), the server's identity in `_meta`, and
    `ttlMs` and `cacheScope` on the results that carry them; what a handler has set itself stays.
    Legacy: none of that. In both, what the revision does not know is fitted to it (`revisions.fit`).
    `server_info` may be encoded beforehand (`jsonrpc.raw`) to save the work per result.
    """
    result = fit(result, version)
    if era == "legacy":
        return result
    changes: dict[str, Any] = {}
    if result.result_type is None:
        changes["result_type"] = "complete"
    if server_info is not None:
        meta = result.meta
        changes["meta"] = (
            {SERVER_INFO: server_info} if meta is None else {SERVER_INFO: server_info, **meta}
        )
    if isinstance(result, CacheableResult):
        if result.ttl_ms is None:
            changes["ttl_ms"] = cache.ttl_ms
        if result.cache_scope is None:
            changes["cache_scope"] = cache.scope
    return msgspec.structs.replace(result, **changes) if changes else result
