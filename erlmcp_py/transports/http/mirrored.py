"""Body values that a request repeats in its headers, for proxies that route without parsing.

MCP 2026-07-28 mirrors the method in `Mcp-Method` and, where a method has a target, its name
in `Mcp-Name`. A header and a body that disagree would let a proxy and the server act on
different requests, so a mismatch is refused with -32020.

A value that a header cannot carry as it is travels as ``=?base64?<UTF-8 in base64>?=``. The
decoding is strict: only the one text that an encoder makes of the bytes is taken.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from erlmcp_py.protocol.errors import header_mismatch
from erlmcp_py.protocol.jsonrpc import Notification, Request, params_as

_PREFIX: Final = b"=?base64?"
_SUFFIX: Final = b"?="

NAMED_BY: Final[Mapping[str, str]] = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""Method to the parameter that `Mcp-Name` repeats (MCP 2026-07-28, standard headers)."""


class _Target(msgspec.Struct):
    name: Any = None
    uri: Any = None
    taskId: Any = None  # noqa: N815 -- the name on the wire


def decode_value(value: bytes) -> str:
    """The text a header value stands for. Raises ValueError for a malformed base64 form."""
    if not (value.startswith(_PREFIX) and value.endswith(_SUFFIX)) or len(value) < 11:
        return value.decode("latin-1")
    payload = value[len(_PREFIX) : -len(_SUFFIX)]
    raw = b64decode(payload, validate=True)
    if b64encode(raw) != payload:
        raise ValueError("not the canonical base64 of its bytes")
    return raw.decode("utf-8")


def check_mirrored(headers: Mapping[bytes, bytes], message: Request | Notification) -> None:
    """Compare `Mcp-Method` and `Mcp-Name` with the body.

    Raises McpError -32020 if they disagree, and -32700 for params that are no JSON.
    """
    method = headers.get(b"mcp-method")
    if method is None:
        raise header_mismatch(f"Mcp-Method is missing; it must be {message.method}")
    if method.decode("latin-1") != message.method:
        raise header_mismatch(
            f"Mcp-Method is {method.decode('latin-1')}, but the body's method is {message.method}"
        )
    key = NAMED_BY.get(message.method)
    if key is None:
        return
    expected = _named_target(message, key)
    if expected is None:
        return
    value = headers.get(b"mcp-name")
    if value is None:
        raise header_mismatch(f"Mcp-Name is missing; it must repeat params.{key}")
    try:
        given = decode_value(value)
    except ValueError as problem:
        raise header_mismatch(f"Mcp-Name cannot be decoded: {problem}") from None
    if given != expected:
        raise header_mismatch(f"Mcp-Name is {given!r}, but the body's params.{key} is {expected!r}")


def _named_target(message: Request | Notification, key: str) -> str | None:
    """The body's value; None where it is absent or no string, which the method itself refuses."""
    value = getattr(params_as(message, _Target), key)
    return value if isinstance(value, str) else None
