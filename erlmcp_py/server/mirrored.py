"""Whether the `Mcp-Param-…` headers of a tool call repeat its arguments (MCP 2026-07-28).

The transport compares what stands in every request; which arguments are repeated, only the tool's
schema says, so this is the server's to compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from erlmcp_py.protocol.errors import header_mismatch
from erlmcp_py.protocol.headers import MirroredParameter, decode_value, says, value_at


def check_parameters(
    parameters: Sequence[MirroredParameter],
    arguments: bytes | msgspec.Raw,
    header: Callable[[bytes], bytes | None],
) -> None:
    """Compare each of `parameters` with its header. Raises McpError -32020 if they disagree: one is
    there without the other, they differ, or the header is no proper value.

    arguments: the raw JSON object. Null is as good as absent.
    """
    plain = msgspec.json.decode(arguments)
    for parameter in parameters:
        name, where = parameter.header, ".".join(parameter.path)
        value = value_at(plain, parameter.path)
        raw = header(name.lower().encode())
        if raw is None:
            if value is None:
                continue
            raise header_mismatch(f"{name} is missing; it must repeat the argument {where}")
        try:
            given = decode_value(raw)
        except ValueError as problem:
            raise header_mismatch(f"{name} cannot be decoded: {problem}") from None
        if value is None:
            raise header_mismatch(f"{name} is {given!r}, but there is no argument {where}")
        if not says(given, value):
            raise header_mismatch(f"{name} is {given!r}, but the argument {where} is {value!r}")
