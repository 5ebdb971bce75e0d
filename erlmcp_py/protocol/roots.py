"""roots/list: a server asks its client where it may work. Deprecated since 2026-07-28, still alive."""

from __future__ import annotations

from typing import Final

import msgspec

from erlmcp_py.protocol.wire import ClientResult, Json, Wire

LIST_ROOTS: Final = "roots/list"


class Root(Wire, frozen=True):
    """A directory or file the server may work on; `uri` is a file: URI."""

    uri: str
    name: str | None = None
    meta: Json | None = msgspec.field(name="_meta", default=None)


class ListRootsResult(ClientResult, frozen=True):
    """The client's roots."""

    roots: list[Root]
