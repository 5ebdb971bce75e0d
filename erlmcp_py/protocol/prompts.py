"""prompts/list and prompts/get."""

from __future__ import annotations

import msgspec

from erlmcp_py.protocol.content import ContentBlock, Icon, Role
from erlmcp_py.protocol.wire import InputResponseParams, Json, PaginatedResult, Result, Wire


class PromptArgument(Wire, frozen=True):
    """One argument of a prompt; values are strings."""

    name: str
    title: str | None = None
    description: str | None = None
    required: bool | None = None


class Prompt(Wire, frozen=True):
    """A prompt as `prompts/list` shows it."""

    name: str
    title: str | None = None
    description: str | None = None
    arguments: list[PromptArgument] | None = None
    icons: list[Icon] | None = None
    meta: Json | None = msgspec.field(name="_meta", default=None)


class PromptMessage(Wire, frozen=True):
    """One turn of a prompt."""

    role: Role
    content: ContentBlock


class ListPromptsResult(PaginatedResult, frozen=True):
    """The answer to `prompts/list`."""

    prompts: list[Prompt]


class GetPromptParams(InputResponseParams, frozen=True):
    """The parameters of `prompts/get`."""

    name: str
    arguments: dict[str, str] = msgspec.field(default_factory=dict)


class GetPromptResult(Result, frozen=True):
    """The answer to `prompts/get`."""

    messages: list[PromptMessage]
    description: str | None = None
