"""Results that a server allows to be kept for a while (MCP 2026-07-28, caching).

One cache belongs to one client, which has one user: "private" results may lie in it too. A result that
took rounds of questions is never kept. A notification that says something has changed drops what it is
about.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import trio

from erlmcp_py.protocol.wire import CacheableResult

MAX_ENTRIES: Final = 1024
MAX_TTL: Final = 24 * 3600.0
"""Seconds (CONFORMANCE 1.7)."""

Key = tuple[str, bytes]

_encode = msgspec.json.Encoder(order="sorted").encode


class Cache:
    """Of one client."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Key, tuple[float, Any]] = OrderedDict()
        self.drops = 0
        """How often something was forgotten. What was asked for before may be older than that."""

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, method: str, params: Mapping[str, Any]) -> Any:
        """A fresh result, None if there is none."""
        if not self._entries:
            return None
        key = (method, _encode(params))
        entry = self._entries.get(key)
        if entry is None:
            return None
        until, result = entry
        if trio.current_time() >= until:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return result

    def keep(self, method: str, params: Mapping[str, Any], result: Any) -> None:
        """Keep a result as long as it says."""
        if not isinstance(result, CacheableResult) or not result.ttl_ms or result.ttl_ms < 0:
            return
        until = trio.current_time() + min(result.ttl_ms, MAX_TTL * 1000) / 1000
        key = (method, _encode(params))
        self._entries[key] = (until, result)
        self._entries.move_to_end(key)
        if len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)

    def drop(self, *methods: str, uri: str | None = None) -> None:
        """Forget the results of these methods; uri: only those of this resource."""
        self.drops += 1
        text = None if uri is None else _encode(uri)
        for key in [
            key for key in self._entries if key[0] in methods and (text is None or text in key[1])
        ]:
            del self._entries[key]

    def clear(self) -> None:
        """Forget all: another server may answer now."""
        self.drops += 1
        self._entries.clear()
