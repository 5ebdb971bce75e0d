"""Headers that a program adds to the requests of a client: how they are written, and which it may not set.

WHY apart from `sending`: they are looked at when a client is made, and one that speaks no HTTP starts
faster without the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_SECRET: Final = 8
"""Characters from which on a text is worth hiding."""
_OWN: Final = frozenset(
    [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "content-type",
        "accept",
        "te",
        "upgrade",
    ]
)


def header_lines(headers: Mapping[str, Any]) -> bytes:
    """Headers as they are sent. Raises ValueError for what would not be one header."""
    return b"".join(_line(name, value) for name, value in headers.items())


def _line(name: str, value: str | bytes) -> bytes:
    text = value.encode("latin-1") if isinstance(value, str) else value
    line = name.encode("ascii") + b": " + text + b"\r\n"
    if not name or any(sign in line[:-2] for sign in b"\r\n\0") or set(name) & set(" \t:"):
        raise ValueError(f"{name!r}: {value!r} is no header")
    return line


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises ValueError for headers a user may not set: those this client writes itself."""
    header_lines(headers)
    for name in headers:
        if name.lower() in _OWN or name.lower().startswith("mcp-"):
            raise ValueError(f"the header {name} is this client's own and cannot be set")


def secrets_of(headers: Mapping[str, Any]) -> set[str]:
    """What of these headers a server may not have repeated: their values, and the words in them."""
    texts = [value for value in headers.values() if isinstance(value, str)]
    return {word for text in texts for word in (text, *text.split()) if len(word) >= _SECRET}
