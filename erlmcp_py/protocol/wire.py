"""The base of every MCP type: how Python attributes become JSON members, and what reads them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

Json = dict[str, Any]
"""A JSON object whose members MCP does not define: tool arguments, JSON Schemas, `_meta`."""


class Wire(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """An MCP object: `snake_case` here is `camelCase` on the wire, None is never written, and
    members that are not known here are skipped when reading.
    """


class _Decoders(dict[Any, msgspec.json.Decoder[Any]]):
    def __missing__(self, type: Any) -> msgspec.json.Decoder[Any]:
        decoder = self[type] = msgspec.json.Decoder(type)
        return decoder


DECODERS: Final = _Decoders()
"""What reads JSON as a type, by that type. WHY on first use: making one takes far longer than reading
with it, and few programs read every type there is.
"""


class Result(Wire, frozen=True, kw_only=True):
    """What every result can carry. Handlers leave these to `shape.shape_result`.

    `result_type` (modern, required): "complete", "input_required" or an extension's value.
    """

    result_type: str | None = None
    meta: Json | None = msgspec.field(name="_meta", default=None)


class CacheableResult(Result, frozen=True, kw_only=True):
    """A result that a client may keep (MCP 2026-07-28, caching).

    `ttl_ms`: how long it is fresh, in milliseconds, 0 = not at all; `cache_scope`: "public" if any
    user may be given it, "private" if only the one who asked.
    """

    ttl_ms: int | None = None
    cache_scope: str | None = None


class PaginatedResult(CacheableResult, frozen=True, kw_only=True):
    """One page of a list; `next_cursor` asks for the next one, None at the end."""

    next_cursor: str | None = None


class ClientResult(Wire, frozen=True, kw_only=True):
    """What every answer of a client to a server can carry. It has no `resultType`, in either era."""

    meta: Json | None = msgspec.field(name="_meta", default=None)


class RequestParams(Wire, frozen=True, kw_only=True):
    """Parameters with nothing but `_meta`: ping, server/discover."""

    meta: Json | None = msgspec.field(name="_meta", default=None)


class PaginatedParams(RequestParams, frozen=True, kw_only=True):
    """Parameters of the list methods; `cursor` is opaque to the client."""

    cursor: str | None = None


class InputResponseParams(RequestParams, frozen=True, kw_only=True):
    """Parameters of the methods that may take several rounds (`protocol.input`).

    `input_responses`: answers by the keys of the server's questions, raw because only the question
    tells what an answer should look like; `request_state`: what the server gave along, unchanged.
    Modern.
    """

    input_responses: dict[str, msgspec.Raw] | None = None
    request_state: str | None = None


class NotificationParams(Wire, frozen=True, kw_only=True):
    """Parameters with nothing but `_meta`: initialized, the `list_changed` ones."""

    meta: Json | None = msgspec.field(name="_meta", default=None)
