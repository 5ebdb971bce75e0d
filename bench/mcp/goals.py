"""What the MCP rows have to reach, and where that is written down."""

from ..series import Goal
from .servers import SDK, TYPESCRIPT

DESIGN = "DESIGN 7"
COMPLETE = "issue 4"
FAST = "issue 5"
GATEWAY = "issue 6"

FASTER = {
    SDK.name: (Goal("ratio", 8.0, DESIGN),),
    TYPESCRIPT: (Goal("ratio", 3.0, DESIGN),),
}
"""Requests per second over HTTP."""

CPU = {"": (Goal("ours", 60.0, DESIGN),)}
"""Microseconds of the server's processor time for a request over HTTP."""
