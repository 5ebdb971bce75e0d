"""What each revision knows, and how a message is fitted to an older one.

The types of this package are those of all revisions together. `LIFETIMES` says when a member came and
went; `fit` leaves out what the revision of a peer does not define, and puts something it does define in
the place of what it could not even parse: a block of a kind unknown to it, a structured result that is no
object. `extensions` is kept for every revision: peers agree on extensions by themselves, also in the
legacy era.

Which types a revision concerns is worked out once per type and revision, so that fitting a message to a
recent one costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Final, TypeVar, get_args

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from erlmcp_py.protocol.completion import CompleteParams, PromptReference
from erlmcp_py.protocol.content import (
    Annotations,
    AudioContent,
    BlobResourceContents,
    EmbeddedResource,
    ImageContent,
    ResourceContents,
    ResourceLink,
    TextContent,
)
from erlmcp_py.protocol.elicitation import ElicitParams
from erlmcp_py.protocol.jsonrpc import raw
from erlmcp_py.protocol.lifecycle import (
    ClientCapabilities,
    ElicitationCapability,
    Implementation,
    RootsCapability,
    SamplingCapability,
    ServerCapabilities,
)
from erlmcp_py.protocol.notifications import ProgressParams
from erlmcp_py.protocol.prompts import Prompt, PromptArgument
from erlmcp_py.protocol.resources import Resource, ResourceTemplate
from erlmcp_py.protocol.roots import Root
from erlmcp_py.protocol.sampling import (
    CreateMessageParams,
    CreateMessageResult,
    SamplingMessage,
    SamplingMessageContentBlock,
    ToolResultContent,
    ToolUseContent,
)
from erlmcp_py.protocol.tools import CallToolParams, CallToolResult, Tool
from erlmcp_py.protocol.versions import LEGACY
from erlmcp_py.protocol.wire import CacheableResult, InputResponseParams, Json, Result

T = TypeVar("T")

_V2, _V3, _V4, _V5 = "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"
_LAST: Final = "9999-12-31"

Lifetime = tuple[str, str]
"""The first and the last revision that has a member; revisions sort as strings."""


def _since(version: str, *names: str) -> dict[str, Lifetime]:
    return dict.fromkeys(names, (version, _LAST))


_ONLY_2025_11: Final[Lifetime] = (_V4, _V4)

LIFETIMES: Final[Mapping[type, Mapping[str, Lifetime]]] = {
    Result: _since(_V5, "result_type"),
    CacheableResult: _since(_V5, "ttl_ms", "cache_scope"),
    Annotations: _since(_V3, "last_modified"),
    TextContent: _since(_V3, "meta"),
    ImageContent: _since(_V3, "meta"),
    AudioContent: _since(_V3, "meta"),
    EmbeddedResource: _since(_V3, "meta"),
    ResourceContents: _since(_V3, "meta"),
    ResourceLink: _since(_V4, "icons"),
    Tool: {
        **_since(_V2, "annotations"),
        **_since(_V3, "title", "output_schema", "meta"),
        **_since(_V4, "icons"),
        "execution": _ONLY_2025_11,
    },
    CallToolResult: _since(_V3, "structured_content"),
    Resource: {**_since(_V3, "title", "meta"), **_since(_V4, "icons")},
    ResourceTemplate: {**_since(_V3, "title", "meta"), **_since(_V4, "icons")},
    Prompt: {**_since(_V3, "title", "meta"), **_since(_V4, "icons")},
    PromptArgument: _since(_V3, "title"),
    PromptReference: _since(_V3, "title"),
    CompleteParams: _since(_V3, "context"),
    ProgressParams: _since(_V2, "message"),
    Implementation: {
        **_since(_V3, "title"),
        **_since(_V4, "description", "website_url", "icons"),
    },
    ServerCapabilities: {**_since(_V2, "completions"), "tasks": _ONLY_2025_11},
    ClientCapabilities: {**_since(_V3, "elicitation"), "tasks": _ONLY_2025_11},
    RootsCapability: {"list_changed": ("2024-11-05", _V4)},
    SamplingCapability: _since(_V4, "context", "tools"),
    ElicitationCapability: _since(_V4, "form", "url"),
    InputResponseParams: _since(_V5, "input_responses", "request_state"),
    CallToolParams: {"task": _ONLY_2025_11},
    SamplingMessage: _since(_V4, "meta"),
    CreateMessageParams: {**_since(_V4, "tools", "tool_choice"), "task": _ONLY_2025_11},
    ElicitParams: {
        **_since(_V4, "mode"),
        "elicitation_id": _ONLY_2025_11,
        "task": _ONLY_2025_11,
    },
    Root: _since(_V3, "meta"),
}


class _Work(msgspec.Struct, frozen=True):
    """What fitting a type to a revision takes: a conversion of the whole as it comes, `unknown`
    attributes with their defaults, attributes with types of `nested` concern, and a conversion of what
    these have left.
    """

    prepare: Callable[[Any], Any] | None
    unknown: tuple[tuple[str, Any], ...]
    nested: tuple[str, ...]
    convert: Callable[[Any], Any] | None


def fit(value: T, version: str) -> T:
    """`value` (a Struct of this package) as the revision `version` can say it.

    Where a block is replaced by one of another kind, it is inside a list or member that allows both,
    so the result has the type of `value`. Unchanged values are handed back, not copied.
    """
    kind: type = type(value)
    work = _work(kind, version)
    if work is None:
        return value
    fitted: T = _fitted(value, work, version)
    return fitted


def _fitted(value: Any, work: _Work, version: str) -> Any:
    if work.prepare is not None:
        value = work.prepare(value)
    changes = {
        name: default for name, default in work.unknown if getattr(value, name) is not default
    }
    for name in work.nested:
        inner = getattr(value, name)
        if type(inner) is list:
            changes[name] = [fit(item, version) for item in inner]
        elif type(inner) is dict:
            changes[name] = {key: fit(item, version) for key, item in inner.items()}
        elif inner is not None:
            changes[name] = fit(inner, version)
    if changes:
        value = replace(value, **changes)
    return value if work.convert is None else work.convert(value)


@cache
def _work(kind: type, version: str) -> _Work | None:
    if not issubclass(kind, msgspec.Struct):
        return None
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    unknown = tuple(
        (name, fields[name].default)
        for base in kind.__mro__
        for name, (first, last) in LIFETIMES.get(base, {}).items()
        if not first <= version <= last
    )
    nested = tuple(
        name
        for name, field in fields.items()
        if any(_work(inner, version) is not None for inner in _classes(field.type))
    )
    prepare, convert = _preparation(kind, version), _conversion(kind, version)
    if not (prepare or unknown or nested or convert):
        return None
    return _Work(prepare, unknown, nested, convert)


def _classes(annotation: Any) -> set[type]:
    """The classes an annotation like `list[Tool] | None` mentions."""
    arguments = get_args(annotation)
    if arguments:
        return {found for argument in arguments for found in _classes(argument)}
    return {annotation} if isinstance(annotation, type) else set()


def _conversion(kind: type, version: str) -> Callable[[Any], Any] | None:
    if issubclass(kind, AudioContent) and version < _V2:
        return _audio_as_resource
    if issubclass(kind, ResourceLink) and version < _V3:
        return _link_as_text
    if issubclass(kind, Tool) and version in LEGACY:
        return _tool_with_object_schemas
    if issubclass(kind, CallToolResult) and version in LEGACY:
        return _result_with_object
    return None


def _preparation(kind: type, version: str) -> Callable[[Any], Any] | None:
    if issubclass(kind, CreateMessageParams) and version < _V4:
        return partial(_one_block_a_message, sound=version >= _V2)
    if issubclass(kind, CreateMessageResult) and version < _V4:
        return partial(_one_block, sound=version >= _V2)
    return None


def _one_block_a_message(params: CreateMessageParams, sound: bool) -> CreateMessageParams:
    """Before 2025-11-25 a message has one block: several make as many messages of the same role, and
    what tools were asked and answered is told in words.
    """
    messages = [
        SamplingMessage(message.role, _told(block, sound))
        for message in params.messages
        for block in _blocks(message.content)
    ]
    return params if messages == params.messages else replace(params, messages=messages)


def _one_block(result: CreateMessageResult, sound: bool) -> CreateMessageResult:
    """The same for what the model said, which is one message: several blocks become one text."""
    told = [_told(block, sound) for block in _blocks(result.content)]
    if len(told) == 1:
        return replace(result, content=told[0])
    lines = [block.text if isinstance(block, TextContent) else block.mime_type for block in told]
    return replace(result, content=TextContent("\n".join(lines)))


def _blocks(
    content: SamplingMessageContentBlock | list[SamplingMessageContentBlock],
) -> list[SamplingMessageContentBlock]:
    return content if isinstance(content, list) else [content]


def _told(
    block: SamplingMessageContentBlock, sound: bool
) -> TextContent | ImageContent | AudioContent:
    """A block every revision before 2025-11-25 knows; only 2024-11-05 has no sound."""
    match block:
        case ToolUseContent():
            return TextContent(
                f"Calls the tool {block.name} ({block.id}) with {_json(block.input)}"
            )
        case ToolResultContent():
            what = "failed with" if block.is_error else "answered"
            return TextContent(f"The tool ({block.tool_use_id}) {what} {_json(block.content)}")
        case AudioContent() if not sound:
            return TextContent(f"(sound, {block.mime_type})")
    return block


def _json(value: Any) -> str:
    return bytes(raw(value)).decode()


def _audio_as_resource(audio: AudioContent) -> EmbeddedResource:
    """2024-11-05 has no audio blocks, but a resource may be of any media type."""
    contents = BlobResourceContents(uri="urn:mcp:audio", blob=audio.data, mime_type=audio.mime_type)
    return EmbeddedResource(contents, annotations=audio.annotations)


def _link_as_text(link: ResourceLink) -> TextContent:
    lines = [f"{link.title or link.name}: {link.uri}"]
    if link.description:
        lines.append(link.description)
    return TextContent("\n".join(lines), annotations=link.annotations)


def _tool_with_object_schemas(tool: Tool) -> Tool:
    """The legacy schemas of a tool describe objects, by properties that are objects themselves."""
    output = tool.output_schema
    if output is not None and output.get("type") != "object":
        output = None
    output = None if output is None else _without_boolean_properties(output)
    input = _without_boolean_properties(tool.input_schema)
    if input is tool.input_schema and output is tool.output_schema:
        return tool
    return replace(tool, input_schema=input, output_schema=output)


def _without_boolean_properties(schema: Json) -> Json:
    """The same schema with `true` and `false` as properties spelled as the objects they stand for."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    if not any(isinstance(sub, bool) for sub in properties.values()):
        return schema
    spelled = {
        name: ({} if sub else {"not": {}}) if isinstance(sub, bool) else sub
        for name, sub in properties.items()
    }
    return {**schema, "properties": spelled}


def _result_with_object(result: CallToolResult) -> CallToolResult:
    """A structured result that is no object stays out: its text is what a legacy client gets."""
    value = result.structured_content
    if value is UNSET or type(value) is dict:
        return result
    encoded = raw(value)
    is_object = bytes(encoded).lstrip().startswith(b"{")
    return replace(result, structured_content=encoded if is_object else UNSET)
