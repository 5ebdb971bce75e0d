"""Servers written in Python: declare with `Server`, run by `ServerProcess`.

What a user's module needs is importable from here.
"""

from erlmcp_py.protocol.content import (
    Annotations,
    AudioContent,
    BlobResourceContents,
    EmbeddedResource,
    Icon,
    ImageContent,
    ResourceContents,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from erlmcp_py.protocol.prompts import PromptMessage
from erlmcp_py.protocol.resources import Resource
from erlmcp_py.protocol.shape import CacheHint
from erlmcp_py.protocol.tools import CallToolResult, ToolAnnotations
from erlmcp_py.server.context import Context
from erlmcp_py.server.definition import Server
from erlmcp_py.server.errors import CallEnded, ResourceNotFound, ToolError
from erlmcp_py.server.interaction.asking import Elicit, ElicitUrl, Roots, Sample, Sampled
from erlmcp_py.server.interaction.question import Refused
from erlmcp_py.server.results import audio, image
from erlmcp_py.server.tasks.policy import TaskPolicy

__all__ = [
    "Annotations",
    "AudioContent",
    "BlobResourceContents",
    "CacheHint",
    "CallEnded",
    "CallToolResult",
    "Context",
    "Elicit",
    "ElicitUrl",
    "EmbeddedResource",
    "Icon",
    "ImageContent",
    "PromptMessage",
    "Refused",
    "Resource",
    "ResourceContents",
    "ResourceLink",
    "ResourceNotFound",
    "Roots",
    "Sample",
    "Sampled",
    "Server",
    "TaskPolicy",
    "TextContent",
    "TextResourceContents",
    "ToolAnnotations",
    "ToolError",
    "audio",
    "image",
]
