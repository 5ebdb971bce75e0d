"""What the list methods share: the capability check and the cursor."""

from __future__ import annotations

from typing import Any

from erlmcp_py.protocol.errors import method_not_found
from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.protocol.wire import PaginatedParams


def advertised(definitions: dict[Any, Any], request: Request) -> dict[Any, Any]:
    """The definitions; with none, the capability was not advertised and its methods do not exist.

    Raises McpError -32601.
    """
    if not definitions:
        raise method_not_found(request.method)
    return definitions


def cursor_of(request: Request) -> str | None:
    """The opaque cursor of a list request, None for the first page."""
    return params_as(request, PaginatedParams).cursor
