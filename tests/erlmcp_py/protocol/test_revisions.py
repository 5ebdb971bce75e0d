"""What each revision knows: our table against the published schemas, and what takes the place of
what an older revision cannot say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from erlmcp_py.protocol import types as mcp
from erlmcp_py.protocol.revisions import LIFETIMES, fit
from erlmcp_py.protocol.versions import LATEST, LEGACY, SUPPORTED

SAME_NAME = [
    mcp.Annotations,
    mcp.AudioContent,
    mcp.BlobResourceContents,
    mcp.CallToolResult,
    mcp.BooleanSchema,
    mcp.ClientCapabilities,
    mcp.CompleteResult,
    mcp.CreateMessageResult,
    mcp.CreateTaskResult,
    mcp.DiscoverResult,
    mcp.ElicitResult,
    mcp.EmbeddedResource,
    mcp.GetPromptResult,
    mcp.Icon,
    mcp.ImageContent,
    mcp.Implementation,
    mcp.InitializeResult,
    mcp.InputRequiredResult,
    mcp.LegacyTitledEnumSchema,
    mcp.ListPromptsResult,
    mcp.ListResourcesResult,
    mcp.ListResourceTemplatesResult,
    mcp.ListRootsResult,
    mcp.ListTasksResult,
    mcp.ListToolsResult,
    mcp.ModelHint,
    mcp.ModelPreferences,
    mcp.NumberSchema,
    mcp.Prompt,
    mcp.PromptArgument,
    mcp.PromptMessage,
    mcp.PromptReference,
    mcp.ReadResourceResult,
    mcp.Resource,
    mcp.ResourceLink,
    mcp.ResourceTemplate,
    mcp.ResourceTemplateReference,
    mcp.Root,
    mcp.SamplingMessage,
    mcp.ServerCapabilities,
    mcp.StringSchema,
    mcp.SubscriptionFilter,
    mcp.SubscriptionsListenResult,
    mcp.Task,
    mcp.TaskMetadata,
    mcp.TextContent,
    mcp.TextResourceContents,
    mcp.TitledMultiSelectEnumSchema,
    mcp.TitledSingleSelectEnumSchema,
    mcp.Tool,
    mcp.ToolAnnotations,
    mcp.ToolChoice,
    mcp.ToolExecution,
    mcp.ToolResultContent,
    mcp.ToolUseContent,
    mcp.UntitledMultiSelectEnumSchema,
    mcp.UntitledSingleSelectEnumSchema,
]
PARAMS = {
    mcp.CallToolParams: "CallToolRequest",
    mcp.CompleteParams: "CompleteRequest",
    mcp.CreateMessageParams: "CreateMessageRequest",
    mcp.ElicitParams: "ElicitRequest",
    mcp.ElicitationCompleteParams: "ElicitationCompleteNotification",
    mcp.GetPromptParams: "GetPromptRequest",
    mcp.InitializeParams: "InitializeRequest",
    mcp.ReadResourceParams: "ReadResourceRequest",
    mcp.ResourceUpdatedParams: "ResourceUpdatedNotification",
    mcp.SetLevelParams: "SetLevelRequest",
    mcp.SubscribeParams: "SubscribeRequest",
    mcp.SubscriptionsAcknowledgedParams: "SubscriptionsAcknowledgedNotification",
    mcp.SubscriptionsListenParams: "SubscriptionsListenRequest",
    mcp.TaskParams: "GetTaskRequest",
    mcp.ProgressParams: "ProgressNotification",
    mcp.CancelledParams: "CancelledNotification",
    mcp.LoggingMessageParams: "LoggingMessageNotification",
}
INSIDE = {
    mcp.RootsCapability: ("ClientCapabilities", "roots"),
    mcp.SamplingCapability: ("ClientCapabilities", "sampling"),
    mcp.ElicitationCapability: ("ClientCapabilities", "elicitation"),
    mcp.ResourcesCapability: ("ServerCapabilities", "resources"),
}
# `extensions` goes to every peer; `_meta` of parameters is in every revision, if not in each schema;
# text contents have no blob, and the other way round; a form is sent as its author wrote it; a page
# cannot be said at all before 2025-11-25; task ids belong to an extension.
NOT_COMPARED = {
    (mcp.ServerCapabilities, "extensions"),
    (mcp.ClientCapabilities, "extensions"),
    (mcp.TextResourceContents, "blob"),
    (mcp.BlobResourceContents, "text"),
    (mcp.NumberSchema, "default"),
    (mcp.StringSchema, "default"),
    (mcp.ElicitParams, "url"),
    (mcp.SubscriptionFilter, "task_ids"),
    (mcp.ElicitResult, "meta"),
    (mcp.ListRootsResult, "meta"),
    *((kind, "meta") for kind in PARAMS),
}


def schema_properties(kind: type, definitions: dict[str, Any]) -> set[str] | None:
    """The members the schema names for `kind`, None if the revision does not have it."""
    if kind in INSIDE:
        owner, member = INSIDE[kind]
        schema = definitions[owner]["properties"].get(member)
    else:
        schema = definitions.get(PARAMS.get(kind, kind.__name__))
    if schema is not None and kind in PARAMS:
        schema = schema["properties"]["params"]
    if schema is not None and "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    if schema is None:
        return None
    kinds = [definitions[kind["$ref"].rsplit("/", 1)[1]] for kind in schema.get("anyOf", ())]
    return {name for kind in kinds or [schema] for name in kind.get("properties", ())}


def known_members(kind: type, version: str) -> dict[str, bool]:
    lifetimes = {
        name: life
        for base in kind.__mro__
        for name, life in LIFETIMES.get(base, {}).items()  # type: ignore[call-overload]
    }
    return {
        field.encode_name: field.name not in lifetimes
        or lifetimes[field.name][0] <= version <= lifetimes[field.name][1]
        for field in msgspec.structs.fields(kind)
        if (kind, field.name) not in NOT_COMPARED
    }


def _not_compared(kind: type) -> list[msgspec.structs.FieldInfo]:
    return [field for field in msgspec.structs.fields(kind) if (kind, field.name) in NOT_COMPARED]


def _tag(kind: type) -> tuple[str, ...]:
    tag = kind.__struct_config__.tag_field  # type: ignore[attr-defined]
    return () if tag is None else (tag,)


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("kind", [*SAME_NAME, *PARAMS, *INSIDE], ids=lambda kind: kind.__name__)
def test_the_table_says_what_the_schema_says(
    kind: type, version: str, definitions: Callable[[str], dict[str, Any]]
) -> None:
    published = schema_properties(kind, definitions(version))
    if published is None:
        return
    known = known_members(kind, version)
    assert {name for name, is_known in known.items() if is_known} <= published
    published -= {field.encode_name for field in _not_compared(kind)}
    assert published <= {*(name for name, is_known in known.items() if is_known), *_tag(kind)}


def test_every_type_of_the_table_is_compared() -> None:
    compared = {base for kind in (*SAME_NAME, *PARAMS, *INSIDE) for base in kind.__mro__}
    assert set(LIFETIMES) <= compared


AUDIO = mcp.AudioContent("UklGRg==", "audio/wav")
LINK = mcp.ResourceLink("file:///a.txt", "a", title="A file", description="About a.")


def test_audio_becomes_an_embedded_resource_in_2024_11_05() -> None:
    fitted = fit(mcp.CallToolResult([AUDIO]), "2024-11-05").content[0]
    assert isinstance(fitted, mcp.EmbeddedResource)
    assert (fitted.resource.blob, fitted.resource.mime_type) == ("UklGRg==", "audio/wav")
    assert fit(mcp.CallToolResult([AUDIO]), "2025-03-26").content == [AUDIO]


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26"])
def test_a_resource_link_becomes_text_before_2025_06_18(version: str) -> None:
    prompt = mcp.GetPromptResult([mcp.PromptMessage("user", LINK)])
    assert fit(prompt, version).messages == [
        mcp.PromptMessage("user", mcp.TextContent("A file: file:///a.txt\nAbout a."))
    ]
    assert fit(prompt, "2025-06-18") == prompt


@pytest.mark.parametrize("value", [None, [1, 2], "text", 4, True])
def test_structured_content_that_is_no_object_is_modern_only(value: Any) -> None:
    result = mcp.CallToolResult([mcp.TextContent("t")], structured_content=value)
    assert fit(result, LATEST) is result
    assert fit(result, "2025-11-25").structured_content is msgspec.UNSET


class Point(msgspec.Struct):
    x: int


@pytest.mark.parametrize("value", [{"x": 1}, Point(1), msgspec.Raw(b' {"x":1}')])
def test_structured_objects_stay_whatever_they_are_in_python(value: Any) -> None:
    result = mcp.CallToolResult([], structured_content=value)
    fitted = msgspec.json.decode(msgspec.json.encode(fit(result, "2025-06-18")))
    assert fitted == {"content": [], "structuredContent": {"x": 1}}


def test_output_schemas_of_other_than_objects_are_modern_only() -> None:
    tool = mcp.Tool("t", {"type": "object"}, output_schema={"type": "array"})
    assert fit(tool, LATEST) is tool
    assert fit(tool, "2025-11-25").output_schema is None


def test_schemas_keep_every_keyword() -> None:
    schema = {
        "type": "object",
        "$defs": {"n": {"type": "integer"}},
        "properties": {"a": {"$ref": "#/$defs/n", "x-mcp-header": "A"}},
        "unevaluatedProperties": False,
        "if": {"required": ["a"]},
        "then": True,
    }
    tool = mcp.Tool("t", schema, output_schema=schema)
    for version in LEGACY[:2]:
        assert fit(tool, version) == tool


def test_boolean_properties_are_spelled_out_for_legacy_clients() -> None:
    schema = {"type": "object", "properties": {"any": True, "none": False, "n": {"minimum": 0}}}
    tool = mcp.Tool("t", schema)
    assert fit(tool, LATEST) is tool
    assert fit(tool, "2025-11-25").input_schema["properties"] == {
        "any": {},
        "none": {"not": {}},
        "n": {"minimum": 0},
    }
    assert schema["properties"] == {"any": True, "none": False, "n": {"minimum": 0}}


def test_notifications_are_fitted_too() -> None:
    progress = mcp.ProgressParams("t", 1, message="half")
    assert fit(progress, "2025-03-26") is progress
    assert fit(progress, "2024-11-05") == mcp.ProgressParams("t", 1)


def test_what_is_no_message_is_handed_back() -> None:
    value = {"any": "thing"}
    assert fit(value, "2024-11-05") is value
