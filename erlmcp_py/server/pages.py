"""The pages of a list, encoded once and sent as they are until the list changes.

The dictionaries of a definition are replaced, never changed, so that a dictionary is its own version
number: the same one, the same pages. A page differs only by the revision it is written for.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Raw

from erlmcp_py.protocol.jsonrpc import raw
from erlmcp_py.protocol.lifecycle import Implementation
from erlmcp_py.protocol.shape import shape_result
from erlmcp_py.protocol.wire import PaginatedResult
from erlmcp_py.server.scope import Scope

MAX_PAGES = 1024
"""Most pages of one list that are kept; a list of more is encoded anew."""


class Pages:
    """What one server process has encoded."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[str, tuple[object, dict[tuple[str, int], Raw]]] = {}

    def page(
        self,
        what: str,
        version_of: object,
        seen: int,
        scope: Scope,
        identity: Implementation,
        make: Callable[[], PaginatedResult],
    ) -> Raw:
        """The result of a list method as JSON, in the revision of `scope`.

        what: the list; version_of: what it is made of, compared by identity; seen: entries before
        the page; identity: of the server, which modern results carry; make: makes the page if it
        is not there.
        """
        of, kept = self._kept.get(what, (None, {}))
        if of is not version_of:
            kept = {}
            self._kept[what] = (version_of, kept)
        encoded = kept.get((scope.version, seen))
        if encoded is None:
            result = shape_result(make(), scope.era, scope.version, server_info=identity)
            encoded = raw(result)
            if len(kept) < MAX_PAGES:
                kept[scope.version, seen] = encoded
        return encoded
