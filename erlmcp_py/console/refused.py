"""What the node has refused: the catalogue's codes with their counts."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from erlmcp_py.console.command import Command, Context
from erlmcp_py.guards.tally import refusals as counted
from supervisors import current_runtime


async def refusals(_context: Context, _args: dict[str, Any]) -> list[dict[str, Any]]:
    """What was refused since the node came up, the most frequent first."""
    began = time.time() - current_runtime().now()
    return [
        {
            "code": each.code,
            "name": each.name,
            "severity": each.severity,
            "count": each.count,
            "last": datetime.fromtimestamp(began + each.last_at, UTC).isoformat(timespec="seconds"),
        }
        for each in sorted(counted(), key=lambda each: -each.count)
    ]


REFUSED = (Command("refusals", "what was refused, how often, and when last", refusals),)
