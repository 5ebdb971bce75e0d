"""The defaults of a form (MCP 2025-11-25, SEP-1034)."""

from __future__ import annotations

from typing import Any

from erlmcp_py.protocol.wire import Json


def with_defaults(schema: Json, content: Json) -> Json:
    """The fields that were filled in, and the defaults of those that were left out."""
    properties: Any = schema.get("properties")
    if not isinstance(properties, dict):
        return content
    defaults = {
        name: field["default"]
        for name, field in properties.items()
        if isinstance(field, dict) and "default" in field and name not in content
    }
    return {**content, **defaults}
