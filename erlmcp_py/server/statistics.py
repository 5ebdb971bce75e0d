"""Counters of a server process, kept per tool, resource, prompt and completion.

They answer the operator's first questions (which tool fails, which one hangs, what is running now)
and begin at zero when the process is restarted, like everything else it holds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, get_args

from erlmcp_py.server.call import Kind


@dataclass(slots=True)
class CallStatistics:
    """What became of the calls of one handler."""

    calls: int = 0
    """Calls begun, those with invalid arguments among them."""
    errors: int = 0
    """Calls answered with a failure on purpose: `ToolError`, invalid arguments, not found."""
    crashes: int = 0
    timeouts: int = 0
    cancelled: int = 0
    in_flight: int = 0
    """Calls that run at this moment."""


@dataclass(slots=True)
class ServerStatistics:
    """The counters of one server process."""

    requests: int = 0
    """Requests of any method."""
    refused: int = 0
    """Requests answered with a JSON-RPC error before any handler was called."""
    handlers: dict[tuple[Kind, str], CallStatistics] = field(default_factory=dict)

    def of(self, kind: Kind, name: str) -> CallStatistics:
        """The counters of one handler. Names come from the definition, so they are bounded."""
        counters = self.handlers.get((kind, name))
        if counters is None:
            counters = self.handlers[kind, name] = CallStatistics()
        return counters

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON: `{"requests", "refused", "in_flight", "tools": {name: {...}}, ...}`."""
        groups: dict[str, Any] = {f"{kind}s": {} for kind in get_args(Kind)}
        for (kind, name), counters in self.handlers.items():
            groups[f"{kind}s"][name] = asdict(counters)
        return {
            "requests": self.requests,
            "refused": self.refused,
            "in_flight": sum(counters.in_flight for counters in self.handlers.values()),
            **groups,
        }
