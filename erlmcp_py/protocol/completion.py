"""completion/complete: proposals for the value of an argument while somebody types it."""

from __future__ import annotations

from typing import Final

import msgspec

from erlmcp_py.protocol.wire import RequestParams, Result, Wire

MAX_VALUES: Final = 100
"""The most values one answer may have (MCP, completion)."""


class PromptReference(Wire, frozen=True, tag_field="type", tag="ref/prompt"):
    """The prompt whose argument is being typed."""

    name: str
    title: str | None = None


class ResourceTemplateReference(Wire, frozen=True, tag_field="type", tag="ref/resource"):
    """The resource template whose variable is being typed; `uri` is the URI or the template."""

    uri: str


class CompletionArgument(Wire, frozen=True):
    """The argument's name and what has been typed of its value."""

    name: str
    value: str


class CompletionContext(Wire, frozen=True):
    """The arguments that have values already. Since 2025-06-18."""

    arguments: dict[str, str] = msgspec.field(default_factory=dict)


class CompleteParams(RequestParams, frozen=True):
    """The parameters of `completion/complete`."""

    ref: PromptReference | ResourceTemplateReference
    argument: CompletionArgument
    context: CompletionContext | None = None


class Completion(Wire, frozen=True):
    """The proposals, best first, at most MAX_VALUES; `total` may exceed what is sent."""

    values: list[str]
    total: int | None = None
    has_more: bool | None = None


class CompleteResult(Result, frozen=True):
    """The answer to `completion/complete`."""

    completion: Completion
