"""Lists in pages, and the cursors from one page to the next.

MCP: a cursor is opaque, and one that the server did not issue is -32602. So a cursor is sealed like
the state of a request (`interaction.seal`): clients can neither read nor change it, nor use it for
another list or another server. It survives a restart of the process, for the seal does.

What a cursor says is how much of the list has been seen. A list that has become shorter meanwhile
ends there; clients that care listen for its changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from erlmcp_py.protocol.errors import McpError, refused
from erlmcp_py.protocol.refusals import INVALID_PARAMS
from erlmcp_py.server.interaction.seal import StateSealer, bind

T = TypeVar("T")

_encode: Final = msgspec.json.Encoder().encode


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page begins.

    seen: entries of the section before it; section: which part of the list, 0 for what is defined,
    then the functions that list resources; last: the address of the last entry, in these.
    """

    seen: int = 0
    section: int = 0
    last: str | None = None


BEGINNING: Final = Place()

_decode: Final = msgspec.json.Decoder(Place).decode


class Cursors:
    """The cursors of one list. name: of the server; what: the list, for example "tools"."""

    __slots__ = ("_binding", "_sealer", "_what")

    def __init__(self, sealer: StateSealer, name: str, what: str) -> None:
        self._sealer = sealer
        self._binding = bind("cursor", name, what)
        self._what = what

    def write(self, place: Place) -> str:
        """The cursor of the page that begins there."""
        return self._sealer.seal(_encode(place), self._binding, math.inf)

    def read(self, cursor: str | None) -> Place:
        """Where a page begins, the first one without a cursor. McpError -32602 if it is not ours."""
        if cursor is None:
            return BEGINNING
        try:
            return _decode(self._sealer.open(cursor, self._binding, 0.0))
        except McpError:
            raise refused(
                INVALID_PARAMS, f"Unknown cursor for {self._what}; begin again without a cursor"
            ) from None


def cut(items: Sequence[T], seen: int, size: int) -> tuple[list[T], Place | None]:
    """(the page behind `seen` entries, where the next one begins; None at the end)."""
    end = seen + size
    return list(items[seen:end]), Place(end) if end < len(items) else None
