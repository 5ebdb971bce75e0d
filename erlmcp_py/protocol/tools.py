"""tools/list and tools/call."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from erlmcp_py.protocol.content import ContentBlock, Icon
from erlmcp_py.protocol.tasks import TaskMetadata
from erlmcp_py.protocol.wire import InputResponseParams, Json, PaginatedResult, Result, Wire


class ToolAnnotations(Wire, frozen=True):
    """Hints about what a tool does to the world; a client must not rely on them."""

    title: str | None = None
    read_only_hint: bool | None = None
    destructive_hint: bool | None = None
    idempotent_hint: bool | None = None
    open_world_hint: bool | None = None


class ToolExecution(Wire, frozen=True):
    """Whether a tool can run as a task. Only in 2025-11-25."""

    task_support: Literal["forbidden", "optional", "required"] | None = None


class Tool(Wire, frozen=True):
    """A tool as `tools/list` shows it.

    The schemas are JSON Schemas with every keyword their author wrote. `input_schema` has
    `"type": "object"`; `output_schema` may describe any JSON value in the modern era and reaches
    legacy clients only if it describes an object.
    """

    name: str
    input_schema: Json
    title: str | None = None
    description: str | None = None
    output_schema: Json | None = None
    annotations: ToolAnnotations | None = None
    icons: list[Icon] | None = None
    execution: ToolExecution | None = None
    meta: Json | None = msgspec.field(name="_meta", default=None)


class ListToolsResult(PaginatedResult, frozen=True):
    """The answer to `tools/list`."""

    tools: list[Tool]


class CallToolParams(InputResponseParams, frozen=True):
    """The parameters of `tools/call`; absent `arguments` are none. `task` only in 2025-11-25."""

    name: str
    arguments: Json = msgspec.field(default_factory=dict)
    task: TaskMetadata | None = None


class CallToolResult(Result, frozen=True):
    """The answer to `tools/call`.

    A tool that failed says so with `is_error` and a text the model can learn from. The value of
    `structured_content` matches the tool's output schema: any JSON value, None among them, in the
    modern era; legacy clients get it only if it is an object.
    """

    content: list[ContentBlock]
    structured_content: Any | UnsetType = UNSET
    is_error: bool | None = None
