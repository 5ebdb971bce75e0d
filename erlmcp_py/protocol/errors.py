"""Protocol errors: their codes, the exception that carries one, their HTTP status.

A failing *tool* is not an error here: it is a result with `isError` (see `protocol.tools`). What is
here ends a request as a JSON-RPC error object. Codes from -32020 to -32099 belong to the MCP
specification, and none may be invented in that range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from erlmcp_py.protocol.versions import SUPPORTED, Era

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
RESOURCE_NOT_FOUND: Final = -32002
"""Legacy only: the modern era says INVALID_PARAMS and must never emit this code."""
HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022
URL_ELICITATION_REQUIRED: Final = -32042
"""Only in 2025-11-25; see `elicitation.url_elicitation_required`."""

_MODERN_STATUS: Final[Mapping[int, int]] = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    METHOD_NOT_FOUND: 404,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
}
_LEGACY_STATUS: Final[Mapping[int, int]] = {PARSE_ERROR: 400, INVALID_REQUEST: 400}


class McpError(Exception):
    """A request ends with this JSON-RPC error.

    `code` is an integer of this module (or one outside -32768..-32000 of a server's own),
    `message` one sentence for a person, `data` any JSON value, or None for no `data` at all.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(code, message, data)
        self.code = code
        self.message = message
        self.data = data

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"


class DecodeError(McpError):
    """Bytes that are no message. `id` is the request's id where it could be read, else None."""

    def __init__(self, code: int, message: str, id: str | int | None = None) -> None:
        super().__init__(code, message)
        self.id = id


class EncodeError(McpError):
    """A message of ours that JSON cannot say (a value no encoder knows, a cycle, a lone
    surrogate). `id` is the id of the request it would have answered, if it was an answer.
    """

    def __init__(self, message: str, id: str | int | None = None) -> None:
        super().__init__(INTERNAL_ERROR, message)
        self.id = id


def method_not_found(method: str) -> McpError:
    """-32601: the method is unknown, belongs to the other era, or was not advertised."""
    return McpError(METHOD_NOT_FOUND, f"Method not found: {method}")


def resource_not_found(uri: str, era: Era) -> McpError:
    """-32002 with `data.uri` in the legacy era, -32602 with it in the modern one."""
    code = RESOURCE_NOT_FOUND if era == "legacy" else INVALID_PARAMS
    return McpError(code, f"Resource not found: {uri}", {"uri": uri})


def header_mismatch(detail: str) -> McpError:
    """-32020: a request header is missing, malformed, or says something else than the body."""
    return McpError(HEADER_MISMATCH, f"Header mismatch: {detail}")


def missing_capability(required: Mapping[str, Any]) -> McpError:
    """-32021: the request needs client capabilities that it did not declare.

    `required` has the shape of ClientCapabilities, for example `{"sampling": {}}`.
    """
    names = ", ".join(required)
    message = f"This request needs client capabilities that it does not declare: {names}"
    return McpError(MISSING_CAPABILITY, message, {"requiredCapabilities": dict(required)})


def unsupported_version(requested: str, supported: Sequence[str] = SUPPORTED) -> McpError:
    """-32022 with the versions a client may choose from, newest first."""
    data = {"supported": list(supported), "requested": requested}
    return McpError(UNSUPPORTED_VERSION, f"Unsupported protocol version: {requested}", data)


def http_status(code: int, era: Era) -> int:
    """The HTTP status that goes with an error response.

    Modern: 404 for an unknown method, 400 for every other fault of the request, 200 where the
    specification is silent. Legacy: 400 for what is no request at all, otherwise the error is an
    ordinary answer with 200.
    """
    table = _MODERN_STATUS if era == "modern" else _LEGACY_STATUS
    return table.get(code, 200)


def mismatch(problem: Exception, root: str) -> str:
    """What a decoder of msgspec did not like, with the place first: "params.level: Expected …".

    root: what the decoded value is called in the message.
    """
    text, _, path = str(problem).partition(" - at `$")
    place = path.removesuffix("`")
    if place.startswith("key"):
        return f"{root}: {text} - at `{place}`"
    return f"{root}{place}: {text}"
