"""Whether the headers of a modern request repeat its body (`protocol.headers`).

A header and a body that disagree would let a proxy and the server act on different requests, so a
mismatch is refused with -32020.
"""

from __future__ import annotations

from collections.abc import Mapping

from erlmcp_py.protocol.errors import header_mismatch
from erlmcp_py.protocol.headers import NAMED_BY, decode_value
from erlmcp_py.protocol.jsonrpc import Notification, Request


def repeated(headers: Mapping[bytes, bytes]) -> tuple[str | None, str | None]:
    """What `Mcp-Method` and `Mcp-Name` say; None for one that is missing or cannot be decoded.

    What agrees with the body needs no `check_mirrored`, which finds the words for what does not.
    """
    method, name = headers.get(b"mcp-method"), headers.get(b"mcp-name")
    try:
        target = None if name is None else decode_value(name)
    except ValueError:
        target = None
    return None if method is None else method.decode("latin-1"), target


def check_mirrored(
    headers: Mapping[bytes, bytes], message: Request | Notification, target: str | None
) -> None:
    """Compare `Mcp-Method` and `Mcp-Name` with the body. Raises McpError -32020 if they disagree.

    target: the body's value for `Mcp-Name` (`ModernMeta.target`); None where it is absent or no
    string, which the method itself refuses.
    """
    method = headers.get(b"mcp-method")
    if method is None:
        raise header_mismatch(f"Mcp-Method is missing; it must be {message.method}")
    if method.decode("latin-1") != message.method:
        raise header_mismatch(
            f"Mcp-Method is {method.decode('latin-1')}, but the body's method is {message.method}"
        )
    if target is None:
        return
    key = NAMED_BY[message.method]
    value = headers.get(b"mcp-name")
    if value is None:
        raise header_mismatch(f"Mcp-Name is missing; it must repeat params.{key}")
    try:
        given = decode_value(value)
    except ValueError as problem:
        raise header_mismatch(f"Mcp-Name cannot be decoded: {problem}") from None
    if given != target:
        raise header_mismatch(f"Mcp-Name is {given!r}, but the body's params.{key} is {target!r}")
