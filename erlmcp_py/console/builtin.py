"""The console's own commands, which work even when no application adds any."""

from __future__ import annotations

from erlmcp_py.console.applications import APPLICATIONS
from erlmcp_py.console.breaking import BREAKING
from erlmcp_py.console.command import Command
from erlmcp_py.console.draining import DRAINING
from erlmcp_py.console.inspection import INSPECTION
from erlmcp_py.console.operations import OPERATIONS
from erlmcp_py.console.refused import REFUSED
from erlmcp_py.console.reloading import RELOADING
from erlmcp_py.console.tls import CERTIFICATES
from erlmcp_py.console.upstreams import UPSTREAMS
from erlmcp_py.console.watching import WATCHING

BUILT_IN: tuple[Command, ...] = (
    *INSPECTION,
    *APPLICATIONS,
    *REFUSED,
    *CERTIFICATES,
    *BREAKING,
    *OPERATIONS,
    *RELOADING,
    *DRAINING,
    *UPSTREAMS,
    *WATCHING,
)
