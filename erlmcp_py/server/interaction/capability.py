"""What a client must have declared to be asked something (MCP: clients MUST be asked only that)."""

from __future__ import annotations

from typing import Any, Final

from erlmcp_py.protocol.input import InputRequest, capability_of, method_of
from erlmcp_py.protocol.lifecycle import ClientCapabilities
from erlmcp_py.protocol.methods import find_request
from erlmcp_py.protocol.versions import LEGACY

_PARTS_SINCE: Final = "2025-11-25"
"""The first revision in which a capability has parts."""


def lacking(
    request: InputRequest, declared: ClientCapabilities | None, version: str
) -> dict[str, Any]:
    """The capabilities that asking this takes and the client lacks, in the shape of
    ClientCapabilities; empty if it has them. What its revision does not know it has not, whatever it
    declared.
    """
    needed = capability_of(request)
    if version in LEGACY and find_request(method_of(request), version) is None:
        return needed
    if version < _PARTS_SINCE and any(needed.values()):
        return needed
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
