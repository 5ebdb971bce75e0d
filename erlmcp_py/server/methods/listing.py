"""What the list methods share: the capability check, the cursor, and pages that are encoded once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Raw

from erlmcp_py.protocol.errors import method_not_found
from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.protocol.versions import Era
from erlmcp_py.protocol.wire import PaginatedParams, PaginatedResult
from erlmcp_py.server.caching import with_hint
from erlmcp_py.server.host import Host
from erlmcp_py.server.pagination import BEGINNING, Cursors, Place, cut
from erlmcp_py.server.scope import Scope


@dataclass(frozen=True, slots=True)
class Listing:
    """One list method over a dictionary of definitions."""

    what: str
    """Names the list in cursors."""
    method: str
    entry: Callable[[Any, Era], Any]
    """What is shown of a definition."""
    result: Callable[[list[Any], str | None], PaginatedResult]
    """Makes the result of a page and the next cursor."""


def advertised(definitions: dict[Any, Any], request: Request) -> dict[Any, Any]:
    """The definitions; with none, the capability was not advertised and its methods do not exist.

    Raises McpError -32601.
    """
    if not definitions:
        raise method_not_found(request.method)
    return definitions


def _cursors(host: Host, what: str) -> Cursors:
    return Cursors(host.sealer, host.name, what)


def cursor_to(host: Host, what: str, place: Place | None) -> str | None:
    """The cursor of a page; None if there is none."""
    return None if place is None else _cursors(host, what).write(place)


def place_of(host: Host, request: Request, what: str) -> Place:
    """Where the page begins that is asked for. McpError -32602 on a cursor that is not ours."""
    cursor = params_as(request, PaginatedParams).cursor
    return BEGINNING if cursor is None else _cursors(host, what).read(cursor)


def listed(
    host: Host,
    scope: Scope,
    listing: Listing,
    definitions: Mapping[Any, Any],
    place: Place,
    behind: Place | None = None,
) -> Raw:
    """The page at `place`, encoded. behind: where the list goes on after the definitions."""

    def make() -> PaginatedResult:
        entries = [listing.entry(definition, scope.era) for definition in definitions.values()]
        items, then = cut(entries, place.seen, host.server.page_size)
        following = then or behind
        return with_hint(
            listing.result(items, cursor_to(host, listing.what, following)),
            host.server.cache[listing.method],
        )

    return host.pages.page(listing.what, definitions, place.seen, scope, host.server.info, make)
