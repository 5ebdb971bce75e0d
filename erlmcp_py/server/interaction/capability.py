"""What a client must have declared to be asked something (MCP: clients MUST be asked only that)."""

from __future__ import annotations

from typing import Any

from erlmcp_py.protocol.input import InputRequest, capability_of
from erlmcp_py.protocol.lifecycle import ClientCapabilities


def lacking(request: InputRequest, declared: ClientCapabilities | None) -> dict[str, Any]:
    """The capabilities that asking this takes and the client lacks, in the shape of
    ClientCapabilities; empty if it has them.
    """
    needed = capability_of(request)
    for name, parts in needed.items():
        own = getattr(declared, name, None)
        if own is None:
            return needed
        for part in parts:
            if getattr(own, part) is None:
                return needed
        # An elicitation capability without a mode means forms (MCP 2025-11-25, elicitation).
        if name == "elicitation" and not parts and own.form is None and own.url is not None:
            return {name: {"form": {}}}
    return {}
