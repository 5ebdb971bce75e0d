"""sampling/createMessage: a server asks its client for a turn of the client's model.

In the legacy era a request of its own, in the modern one an input request (`protocol.input`).
Deprecated since 2026-07-28, and fully alive until it is removed. Tools since 2025-11-25: the model's
calls come back as `ToolUseContent`, and what became of them is sent along as `ToolResultContent`.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from erlmcp_py.protocol.content import AudioContent, ContentBlock, ImageContent, Role, TextContent
from erlmcp_py.protocol.tasks import TaskMetadata
from erlmcp_py.protocol.tools import Tool
from erlmcp_py.protocol.wire import ClientResult, Json, RequestParams, Wire

CREATE_MESSAGE: Final = "sampling/createMessage"


class ToolUseContent(Wire, frozen=True, tag_field="type", tag="tool_use"):
    """The model wants the tool `name` called with `input`; `id` is for the result to refer to."""

    id: str
    name: str
    input: Json
    meta: Json | None = msgspec.field(name="_meta", default=None)


class ToolResultContent(Wire, frozen=True, tag_field="type", tag="tool_result"):
    """What became of the tool use with that id."""

    tool_use_id: str
    content: list[ContentBlock]
    structured_content: Any | UnsetType = UNSET
    is_error: bool | None = None
    meta: Json | None = msgspec.field(name="_meta", default=None)


SamplingMessageContentBlock = (
    TextContent | ImageContent | AudioContent | ToolUseContent | ToolResultContent
)


class SamplingMessage(Wire, frozen=True):
    """One turn of the conversation; several blocks since 2025-11-25."""

    role: Role
    content: SamplingMessageContentBlock | list[SamplingMessageContentBlock]
    meta: Json | None = msgspec.field(name="_meta", default=None)


class ModelHint(Wire, frozen=True):
    """A part of a model's name, such as "sonnet"."""

    name: str | None = None


class ModelPreferences(Wire, frozen=True):
    """Which model a server would like; the client chooses. Priorities go from 0 to 1."""

    hints: list[ModelHint] | None = None
    cost_priority: float | None = None
    speed_priority: float | None = None
    intelligence_priority: float | None = None


class ToolChoice(Wire, frozen=True):
    """Whether the model may (auto, the default), must (required) or must not (none) use a tool."""

    mode: Literal["auto", "required", "none"] | None = None


class CreateMessageParams(RequestParams, frozen=True):
    """The parameters of `sampling/createMessage`.

    `include_context` other than "none" needs the client capability `sampling.context`; `tools` and
    `tool_choice` need `sampling.tools`. `task` only in 2025-11-25.
    """

    messages: list[SamplingMessage]
    max_tokens: int
    model_preferences: ModelPreferences | None = None
    system_prompt: str | None = None
    include_context: Literal["none", "thisServer", "allServers"] | None = None
    temperature: float | None = None
    stop_sequences: list[str] | None = None
    metadata: Json | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    task: TaskMetadata | None = None


class CreateMessageResult(ClientResult, frozen=True):
    """What the model said. `stop_reason`: "endTurn", "stopSequence", "maxTokens", "toolUse" or the
    provider's own.
    """

    role: Role
    content: SamplingMessageContentBlock | list[SamplingMessageContentBlock]
    model: str
    stop_reason: str | None = None
