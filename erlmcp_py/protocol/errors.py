"""Protocol errors: their codes, the exception that carries one, their HTTP status.

A failing *tool* is not an error here: it is a result with `isError` (see `protocol.tools`). What is
here ends a request as a JSON-RPC error object. Codes from -32020 to -32099 belong to the MCP
specification, and none may be invented in that range.

What this node itself refuses is made by `refused` from an entry of the catalogue (`protocol.refusals`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.refusals import Refusal, refusal_of
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

    def __init__(
        self,
        code: int,
        message: str,
        id: str | int | None = None,
        entry: Refusal = refusals.PROTOCOL_ERROR,
    ) -> None:
        super().__init__(code, message, _data(entry, None))
        self.id = id


class EncodeError(McpError):
    """A message of ours that JSON cannot say (a value no encoder knows, a cycle, a lone
    surrogate). `id` is the id of the request it would have answered, if it was an answer.
    """

    def __init__(self, message: str, id: str | int | None = None) -> None:
        super().__init__(INTERNAL_ERROR, message, _data(refusals.INTERNAL_ERROR, None))
        self.id = id


def refused(
    entry: Refusal,
    message: str | None = None,
    *,
    code: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> McpError:
    """The error of an entry of the catalogue.

    message, code: instead of the entry's own. data: what MCP wants in it besides `refusal` and `hint`.
    """
    text = entry.message if message is None else message
    return McpError(entry.error if code is None else code, text, _data(entry, data))


def _data(entry: Refusal, further: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**(further or {}), "refusal": entry.code, "hint": entry.hint}


def method_not_found(method: str) -> McpError:
    """-32601: the method is unknown, belongs to the other era, or was not advertised."""
    return refused(refusals.PROTOCOL_ERROR, f"Method not found: {method}", code=METHOD_NOT_FOUND)


def resource_not_found(uri: str, era: Era) -> McpError:
    """-32002 with `data.uri` in the legacy era, -32602 with it in the modern one."""
    code = RESOURCE_NOT_FOUND if era == "legacy" else INVALID_PARAMS
    return refused(
        refusals.RESOURCE_NOT_FOUND, f"Resource not found: {uri}", code=code, data={"uri": uri}
    )


def header_mismatch(detail: str) -> McpError:
    """-32020: a request header is missing, malformed, or says something else than the body."""
    return refused(refusals.INVALID_HEADER, f"Header mismatch: {detail}", code=HEADER_MISMATCH)


def missing_capability(required: Mapping[str, Any]) -> McpError:
    """-32021: the request needs client capabilities that it did not declare.

    `required` has the shape of ClientCapabilities, for example `{"sampling": {}}`.
    """
    names = ", ".join(required)
    message = f"This request needs client capabilities that it does not declare: {names}"
    data = {"requiredCapabilities": dict(required)}
    return refused(refusals.MISSING_FIELD, message, code=MISSING_CAPABILITY, data=data)


def unsupported_version(requested: str, supported: Sequence[str] = SUPPORTED) -> McpError:
    """-32022 with the versions a client may choose from, newest first."""
    data = {"supported": list(supported), "requested": requested}
    return refused(
        refusals.UNSUPPORTED_VERSION, f"Unsupported protocol version: {requested}", data=data
    )


def http_status(code: int, era: Era) -> int:
    """The HTTP status that goes with an error response.

    Modern: 404 for an unknown method, 400 for every other fault of the request, 200 where the
    specification is silent. Legacy: 400 for what is no request at all, otherwise the error is an
    ordinary answer with 200.
    """
    table = _MODERN_STATUS if era == "modern" else _LEGACY_STATUS
    return table.get(code, 200)


def status_of(code: int, data: Any, era: Era) -> int:
    """The HTTP status of an error response with that code and `data`: as `http_status`, but where the
    catalogue says 429 or 503, the modern era says so too.
    """
    if era == "modern":
        entry = refusal_of(data)
        if entry is not None and entry.status in (429, 503) and code == INTERNAL_ERROR:
            return entry.status
    return http_status(code, era)


def params_entry(problem: Exception) -> Refusal:
    """The entry for parameters of which msgspec says this: something is missing, or of a wrong type."""
    missing = "missing required field" in str(problem)
    return refusals.MISSING_FIELD if missing else refusals.TYPE_MISMATCH


def mismatch(problem: Exception, root: str) -> str:
    """What a decoder of msgspec did not like, with the place first: "params.level: Expected …".

    root: what the decoded value is called in the message.
    """
    text, _, path = str(problem).partition(" - at `$")
    place = path.removesuffix("`")
    if place.startswith("key"):
        return f"{root}: {text} - at `{place}`"
    return f"{root}{place}: {text}"
