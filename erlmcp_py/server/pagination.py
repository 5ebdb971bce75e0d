"""Lists in pages, with cursors that clients cannot read anything into.

MCP: a cursor is opaque, and one that the server did not issue is -32602. A cursor names its list
and the position, and carries a checksum, so that a cursor of another list, an old build or a
client's imagination is refused instead of giving a page that was never meant.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from erlmcp_py.protocol.errors import INVALID_PARAMS, McpError

T = TypeVar("T")


def page(
    items: Sequence[T], cursor: str | None, size: int, what: str
) -> tuple[list[T], str | None]:
    """(the page at `cursor`, the next page's cursor or None).

    `what` names the list, for example "tools". McpError -32602 on a cursor that `page` did not
    give out for this list.
    """
    start = 0 if cursor is None else _read(cursor, what)
    if start and start >= len(items):
        raise _bad(what)
    end = start + size
    return list(items[start:end]), _write(end, what) if end < len(items) else None


def _write(position: int, what: str) -> str:
    text = f"{what}:{position}".encode()
    return base64.urlsafe_b64encode(binascii.crc32(text).to_bytes(4) + text).decode().rstrip("=")


def _read(cursor: str, what: str) -> int:
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        name, _, digits = data[4:].decode().partition(":")
        position = int(digits)
    except ValueError:
        raise _bad(what) from None
    if name != what or position <= 0 or _write(position, what) != cursor:
        raise _bad(what)
    return position


def _bad(what: str) -> McpError:
    return McpError(INVALID_PARAMS, f"Unknown cursor for {what}; begin again without a cursor")
