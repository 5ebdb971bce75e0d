"""From what a handler returns to what MCP sends.

Handlers return what is natural in Python; content objects are for those who want an image, a link
or several blocks. One rule decides about structure: a value with an output schema, or one that is
an object in JSON (Struct, dataclass, dict), is sent as `structuredContent`, and its JSON again as
text, for clients that know only text (MCP, tools: structured content).
"""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import msgspec

from erlmcp_py.protocol.completion import MAX_VALUES, CompleteResult, Completion
from erlmcp_py.protocol.content import (
    AudioContent,
    BlobResourceContents,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceContents,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from erlmcp_py.protocol.prompts import GetPromptResult, PromptMessage
from erlmcp_py.protocol.resources import ReadResourceResult
from erlmcp_py.protocol.shape import NOT_CACHED, CacheHint
from erlmcp_py.protocol.tools import CallToolResult
from erlmcp_py.protocol.versions import Era
from erlmcp_py.server.caching import with_hint
from erlmcp_py.server.schema import Output

CONTENT_TYPES = (TextContent, ImageContent, AudioContent, ResourceLink, EmbeddedResource)
_NO_JSON = (TypeError, ValueError, RecursionError)
_encode = msgspec.json.Encoder().encode


class BadResult(TypeError):
    """A handler returned something that has no place in its answer; a fault of the handler."""


def image(data: bytes, mime_type: str = "image/png") -> ImageContent:
    """Picture data as content; `mime_type` must say what `data` is."""
    return ImageContent(data=base64.b64encode(data).decode(), mime_type=mime_type)


def audio(data: bytes, mime_type: str = "audio/wav") -> AudioContent:
    """Sound data as content; `mime_type` must say what `data` is."""
    return AudioContent(data=base64.b64encode(data).decode(), mime_type=mime_type)


def tool_result(value: Any, output: Output | None, era: Era) -> CallToolResult:
    """The answer to tools/call. `BadResult` if `value` has no JSON form or breaks its schema."""
    if isinstance(value, CallToolResult):
        return value
    if output is not None:
        return _structured(value, output, era)
    if value is None:
        return CallToolResult(content=[])
    if isinstance(value, list | tuple) and any(map(_is_content, value)):
        return CallToolResult(content=[_block(item) for item in value])
    if isinstance(value, str) or _is_content(value):
        return CallToolResult(content=[_block(value)])
    if _is_object(value):
        return CallToolResult(content=[TextContent(_json(value))], structured_content=_plain(value))
    return CallToolResult(content=[TextContent(_json(value))])


def tool_failure(text: str) -> CallToolResult:
    """The answer of a tool that failed: `isError`, and a text the model can learn from."""
    return CallToolResult(content=[TextContent(text)], is_error=True)


def resource_result(
    value: Any, uri: str, mime_type: str | None, cache: CacheHint = NOT_CACHED
) -> ReadResourceResult:
    """The answer to resources/read; a list gives one content per item.

    `mime_type` is the declared one; without it text is text/plain, bytes are
    application/octet-stream, everything else is JSON and application/json.
    """
    if isinstance(value, ReadResourceResult):
        return with_hint(value, cache)
    several = isinstance(value, list | tuple) and any(
        isinstance(item, ResourceContents | bytes) for item in value
    )
    items = value if several else [value]
    return ReadResourceResult(
        contents=[_contents(item, uri, mime_type) for item in items],
        ttl_ms=cache.ttl_ms,
        cache_scope=cache.scope,
    )


def prompt_result(value: Any, description: str | None) -> GetPromptResult:
    """The answer to prompts/get; text and content blocks are said by the user."""
    if isinstance(value, GetPromptResult):
        return value
    items = value if isinstance(value, list | tuple) else [value]
    return GetPromptResult(messages=[_message(item) for item in items], description=description)


def completion_result(value: Any) -> CompleteResult:
    """The answer to completion/complete: the first 100 values, and how many there are."""
    if isinstance(value, CompleteResult):
        return value
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise BadResult(f"a completion returns a list of strings, not {_kind(value)}")
    values = list(value)
    for item in values:
        if not isinstance(item, str):
            raise BadResult(f"a completion returns strings; one of its values is {_kind(item)}")
    return CompleteResult(
        completion=Completion(
            values=values[:MAX_VALUES], total=len(values), has_more=len(values) > MAX_VALUES
        )
    )


def is_content_hint(hint: Any) -> bool:
    """Whether a return hint speaks of content objects only, so that there is no structure.

    True for content types, `CallToolResult`, unions of them with `str` and None, and lists of those.
    """
    arguments = getattr(hint, "__args__", ())
    if arguments and getattr(hint, "__metadata__", None) is None:
        parts = [part for part in arguments if part not in (str, type(None), None, ...)]
        return bool(parts) and all(is_content_hint(part) for part in parts)
    return isinstance(hint, type) and issubclass(hint, (*CONTENT_TYPES, CallToolResult))


def _structured(value: Any, output: Output, era: Era) -> CallToolResult:
    plain = _plain(value)
    problem = output.validator.first_error(plain)
    if problem is not None:
        raise BadResult(f"the result does not match the output schema: {problem}")
    structured = {"result": plain} if era == "legacy" and output.wrapped else plain
    text = value if isinstance(value, str) else _json(plain)
    return CallToolResult(content=[TextContent(text)], structured_content=structured)


def _block(value: Any) -> ContentBlock:
    if isinstance(value, str):
        return TextContent(value)
    if isinstance(value, ResourceContents):
        return EmbeddedResource(value)
    if isinstance(value, CONTENT_TYPES):
        return value
    return TextContent(_json(value))


def _contents(value: Any, uri: str, mime_type: str | None) -> ResourceContents:
    if isinstance(value, ResourceContents):
        return value
    if value is None:
        raise BadResult("a resource returns its contents, not None; raise ResourceNotFound instead")
    if isinstance(value, bytes | bytearray | memoryview):
        return BlobResourceContents(
            uri=uri,
            mime_type=mime_type or "application/octet-stream",
            blob=base64.b64encode(value).decode(),
        )
    if isinstance(value, str):
        return TextResourceContents(uri=uri, mime_type=mime_type or "text/plain", text=value)
    return TextResourceContents(
        uri=uri, mime_type=mime_type or "application/json", text=_json(value)
    )


def _message(value: Any) -> PromptMessage:
    if isinstance(value, PromptMessage):
        return value
    if isinstance(value, str) or _is_content(value):
        return PromptMessage(role="user", content=_block(value))
    raise BadResult(f"a prompt returns text, content objects or PromptMessages, not {_kind(value)}")


def _is_content(value: Any) -> bool:
    return isinstance(value, (*CONTENT_TYPES, ResourceContents))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict | msgspec.Struct) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    )


def _plain(value: Any) -> Any:
    try:
        return msgspec.to_builtins(value, str_keys=True)
    except _NO_JSON as error:
        raise _formless(value, error) from error


def _json(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        raise BadResult("bytes need a type: return image(data), audio(data) or an EmbeddedResource")
    try:
        return _encode(value).decode()
    except _NO_JSON as error:
        raise _formless(value, error) from error


def _formless(value: Any, error: Exception) -> BadResult:
    return BadResult(f"a result of type {_kind(value)} has no JSON form: {error}")


def _kind(value: Any) -> str:
    return type(value).__name__
