"""JSON-RPC 2.0 as MCP uses it: one object per message, ids that are strings or integers.

Decoding is one pass of msgspec into an envelope whose `params`, `result` and `error` stay raw bytes
(checked to be well-formed JSON, not yet built into objects), then a few type checks by hand. By hand,
because a typed decoder would stop at the first wrong field and lose the `id` that the error answer
needs. What a method's parameters look like is decided later, by `params_as`, once the method is known.

Refused, with the code JSON-RPC gives it: malformed JSON (-32700: also bytes that are no UTF-8, escaped
lone surrogates, NaN and Infinity, calls nested deeper than MAX_DEPTH), batches, ids that are null,
boolean or fractional, a missing or other `jsonrpc`, `params` that are no object (all -32600). Of a
member that is there twice the last one counts, wherever it is looked at; integers have no limit.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Raw

from erlmcp_py.protocol.errors import (
    INVALID_REQUEST,
    PARSE_ERROR,
    DecodeError,
    EncodeError,
    McpError,
    mismatch,
    params_entry,
    refused,
)
from erlmcp_py.protocol.refusals import PROTOCOL_ERROR, TOO_LARGE, UNSUPPORTED_ENCODING
from erlmcp_py.protocol.wire import DECODERS

T = TypeVar("T")

RequestId = str | int


class Request(
    msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag_field="jsonrpc", tag="2.0"
):
    """A call that is to be answered under `id`. `params` is the raw JSON object, None if absent."""

    id: RequestId
    method: str
    params: Raw | None = None


class Notification(
    msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag_field="jsonrpc", tag="2.0"
):
    """A message that is never answered. `params` is the raw JSON object, None if absent."""

    method: str
    params: Raw | None = None


class Response(msgspec.Struct, frozen=True, tag_field="jsonrpc", tag="2.0"):
    """The good end of a request.

    `result` is a Raw when the message was decoded. To be encoded it may be a Raw, a Struct or a dict.
    """

    id: RequestId
    result: Any


class ErrorObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong: a code of `protocol.errors`, a sentence, and `data` (None: no data)."""

    code: int
    message: str
    data: Any = None


class ErrorResponse(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="jsonrpc", tag="2.0"
):
    """The bad end of a request. `id` is None, and then absent on the wire, where the request's id
    could not be read: the schemas of 2025-11-25 and later allow no `null` there.
    """

    id: RequestId | None = None
    error: ErrorObject


Message = Request | Notification | Response | ErrorResponse


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    jsonrpc: Any = UNSET
    id: Any = UNSET
    method: Any = UNSET
    params: Raw = Raw()
    result: Raw = Raw()
    error: Raw = Raw()


_envelope = msgspec.json.Decoder(_Envelope).decode
_well_formed = msgspec.json.Decoder(Raw).decode
_encode = msgspec.json.Encoder().encode

MAX_DEPTH: Final = 128
"""Levels of arrays and objects a request or notification may have, itself included. What is read
here is walked again by schemas and handlers, whose own limits depend on how deep in the stack they are.
"""

_TOO_DEEP: Final = "Parse error: the JSON is nested too deeply"
_TO_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET: Final = bytes(set(range(256)) - set(b"{}[]"))
_OPEN_BRACE: Final = ord("{")
_EMPTY: Final = Raw(b"{}")


def decode(data: bytes | str) -> Message:
    """The message in `data`, one JSON object with or without surrounding white space.

    Raises DecodeError, whose `id` is the request's id when it is a valid one. The raw parts of the
    result refer to `data`: hand in immutable bytes, not a buffer that is used again.
    """
    try:
        line = data.encode() if isinstance(data, str) else data
        wire = _envelope(line)
    except msgspec.ValidationError:
        raise _not_an_object(line) from None
    except (ValueError, RecursionError) as problem:
        raise _malformed(problem) from None

    id = wire.id
    kind = type(id)
    known = kind is int or kind is str
    if not line.isascii():
        try:
            line.decode()  # strings in what stays raw have not been looked at
        except UnicodeDecodeError as problem:
            raise _malformed(problem, id if known else None) from None
    if wire.jsonrpc != "2.0":
        what = "is missing" if wire.jsonrpc is UNSET else f"is {_shown(wire.jsonrpc)}"
        raise _invalid(f'"jsonrpc" {what}; it must be "2.0"', id if known else None)
    method = wire.method
    if method is not UNSET:
        if type(method) is not str:
            text = f'"method" is {_shown(method)}; it must be a string'
            raise _invalid(text, id if known else None)
        params: Raw | None = wire.params
        if not params:
            params = None
        elif memoryview(params)[0] != _OPEN_BRACE:
            text = '"params" must be an object (MCP has no positional parameters)'
            raise _invalid(text, id if known else None)
        elif line.count(b"{") + line.count(b"[") > MAX_DEPTH and _is_deep(line):
            raise DecodeError(PARSE_ERROR, _TOO_DEEP, id if known else None, TOO_LARGE)
        if known:
            return Request(id, method, params)
        if id is UNSET:
            return Notification(method, params)
        raise _invalid(f'"id" is {_shown(id)}; it must be a string or an integer', None)
    return _answer(wire, id if known else None)


def _answer(wire: _Envelope, id: RequestId | None) -> Response | ErrorResponse:
    if wire.error:
        if id is None and wire.id is not UNSET and wire.id is not None:
            raise _invalid(f'"id" is {_shown(wire.id)}; it must be a string or an integer', None)
        if wire.result:
            raise _invalid('a response has "result" or "error", this one has both', id)
        try:
            return ErrorResponse(id=id, error=DECODERS[ErrorObject].decode(wire.error))
        except (ValueError, RecursionError) as problem:
            raise _invalid(f'"error" is not an error object: {problem}', id) from None
    if wire.result:
        if id is None:
            what = "is missing" if wire.id is UNSET else f"is {_shown(wire.id)}"
            raise _invalid(f'"id" {what}; a response needs a string or an integer', None)
        if memoryview(wire.result)[0] != _OPEN_BRACE:
            raise _invalid('"result" must be an object', id)
        return Response(id, wire.result)
    raise _invalid('the object has no "method", no "result" and no "error"', id)


def encode(message: Message) -> bytes:
    """The message as one line of UTF-8 JSON, without the newline.

    Raises EncodeError if a value in it has no JSON form; a server answers with that error instead.
    """
    try:
        return _encode(message)
    except (TypeError, ValueError, RecursionError) as problem:
        id = None if isinstance(message, Notification) else message.id
        raise EncodeError(f"The message has no JSON form: {problem}", id) from problem


def raw(value: Any) -> Raw:
    """`value` (Struct, dict, list…) as JSON that is encoded once and copied into messages as it is.

    Raises EncodeError as `encode` does.
    """
    try:
        return Raw(_encode(value))
    except (TypeError, ValueError, RecursionError) as problem:
        raise EncodeError(f"The value has no JSON form: {problem}") from problem


def request(id: RequestId, method: str, params: Any = None) -> Request:
    """A request with `params` (Struct or dict; None: no params) encoded now."""
    return Request(id, method, None if params is None else raw(params))


def notification(method: str, params: Any = None) -> Notification:
    """A notification with `params` (Struct or dict; None: no params) encoded now."""
    return Notification(method, None if params is None else raw(params))


def error_response(id: RequestId | None, error: McpError) -> ErrorResponse:
    """The answer that tells `error` to the peer."""
    return ErrorResponse(id=id, error=ErrorObject(error.code, error.message, error.data))


def params_as(message: Request | Notification, type: type[T]) -> T:
    """The parameters of `message` as `type` (a Struct or any type msgspec knows).

    Absent params count as `{}`. Raises McpError -32602 that names method, path and mismatch.
    """
    try:
        return DECODERS[type].decode(_EMPTY if message.params is None else message.params)  # type: ignore[no-any-return]
    except msgspec.ValidationError as problem:
        text = f"{message.method}: {mismatch(problem, 'params')}"
        raise refused(params_entry(problem), text) from None
    except (ValueError, RecursionError) as problem:
        raise _malformed(problem, getattr(message, "id", None)) from None


def _is_deep(data: bytes) -> bool:
    """Whether well-formed JSON has more than MAX_DEPTH levels."""
    # Without its strings the text is peeled from inside, a level at a time.
    outside = data.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    brackets = b"".join(outside).translate(_TO_SQUARE, _NO_BRACKET)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return False
    return True


def _not_an_object(data: bytes) -> DecodeError:
    """Why the typed pass refused a text that did not begin with an object."""
    try:
        text = bytes(_well_formed(data))
    except (ValueError, RecursionError) as problem:
        return _malformed(problem)
    if text.startswith(b"["):
        return _invalid("batches are not supported; send one object per message", None)
    return _invalid("a message must be a JSON object", None)


def _malformed(problem: Exception, id: RequestId | None = None) -> DecodeError:
    if isinstance(problem, RecursionError):
        return DecodeError(PARSE_ERROR, _TOO_DEEP, id, TOO_LARGE)
    entry = UNSUPPORTED_ENCODING if isinstance(problem, UnicodeDecodeError) else PROTOCOL_ERROR
    return DecodeError(PARSE_ERROR, f"Parse error: {problem}", id, entry)


def _invalid(text: str, id: RequestId | None) -> DecodeError:
    return DecodeError(INVALID_REQUEST, f"Invalid request: {text}", id)


def _shown(value: Any) -> str:
    """A wrong value as JSON, short enough for an error message."""
    text = _encode(value).decode()
    return text if len(text) <= 40 else text[:39] + "…"
