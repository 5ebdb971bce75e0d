"""`Server`: what an MCP server offers, declared with decorators."""

from erlmcp_py.server.definition.entries import (
    CompletionDef,
    ListingDef,
    PromptDef,
    ResourceDef,
    TemplateDef,
    ToolDef,
)
from erlmcp_py.server.definition.options import DEFAULT_TIMEOUT
from erlmcp_py.server.definition.server import Server

__all__ = [
    "DEFAULT_TIMEOUT",
    "CompletionDef",
    "ListingDef",
    "PromptDef",
    "ResourceDef",
    "Server",
    "TemplateDef",
    "ToolDef",
]
