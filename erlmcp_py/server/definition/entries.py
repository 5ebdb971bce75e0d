"""One entry of a definition: what clients are shown of it, and how to call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from erlmcp_py.protocol.headers import MirroredParameter
from erlmcp_py.protocol.prompts import Prompt
from erlmcp_py.protocol.resources import Resource, ResourceTemplate
from erlmcp_py.protocol.shape import CacheHint
from erlmcp_py.protocol.tools import Tool
from erlmcp_py.server.schema import Arguments, InvalidArguments, Output, TextArguments
from erlmcp_py.server.signature import Handler
from erlmcp_py.server.tasks.policy import TaskPolicy
from erlmcp_py.server.uri import UriTemplate


@dataclass(frozen=True, slots=True)
class ToolDef:
    """A tool and how to call it."""

    tool: Tool
    legacy: Tool
    """As clients of the older revisions are shown it."""
    handler: Handler
    arguments: Arguments
    output: Output | None
    mirrored: tuple[MirroredParameter, ...] = ()
    """The arguments that a modern client repeats in headers."""
    task: TaskPolicy | None = None
    """How it runs as a task; None: never."""


@dataclass(frozen=True, slots=True)
class ResourceDef:
    """A resource with a fixed URI."""

    resource: Resource
    handler: Handler
    cache: CacheHint | None = None
    """How long its contents may be kept; None: as the server says."""


@dataclass(frozen=True, slots=True)
class TemplateDef:
    """A family of resources; the variables of the URI are the handler's arguments."""

    template: ResourceTemplate
    pattern: UriTemplate
    handler: Handler
    arguments: TextArguments
    cache: CacheHint | None = None

    def keywords_for(self, uri: str) -> dict[str, Any] | None:
        """What the handler is called with for `uri`; None if that is none of the family."""
        values = self.pattern.match(uri)
        if values is None:
            return None
        try:
            return self.arguments.parse(values)
        except InvalidArguments:
            return None


@dataclass(frozen=True, slots=True)
class ListingDef:
    """A function that lists resources. shown_as: from an address it knows to that shown here."""

    handler: Handler
    shown_as: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class PromptDef:
    """A prompt; its arguments are strings on the wire."""

    prompt: Prompt
    handler: Handler
    arguments: TextArguments


@dataclass(frozen=True, slots=True)
class CompletionDef:
    """Proposals for one argument of a prompt or one variable of a template.

    The handler takes what has been typed and, if it wants, the other arguments given so far.
    """

    ref: str
    argument: str
    handler: Handler
