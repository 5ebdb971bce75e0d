"""The node as an OTP application: what the application controller starts and stops.

The tree of `tree.py` belongs to an application of its own, and each one that the configuration
names stands beside it, not below it: an application that gives up ends, is reported, and the node
goes on without it. Only those that are started as permanent take the node with them, and the
node's own application is one of these (OTP: application, A4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from erlmcp_py import __version__
from erlmcp_py.telemetry.log import log
from erlmcp_py.tree import Node, Specs
from supervisors import Application, ApplicationError, Pid, application, format_reason

NAME: Final = "erlmcp_py"
"""The application's name."""

ROOT: Final = "node"
"""The registered name of its top supervisor."""


class NodeApplication(Application):
    """Starts `Node` with the given children."""

    name = NAME
    description = "an MCP node"
    version = __version__

    def __init__(self, children: Specs) -> None:
        self.args = children

    async def start(self, type: str, args: Specs) -> Pid:  # noqa: ARG002 - what OTP calls it with
        """The root supervisor. Raises StartError with its reason."""
        return await Node.start_link(args, name=ROOT)


async def start_node(children: Specs) -> None:
    """Start the node's own application; ApplicationError when its tree does not start."""
    await application.start(NodeApplication(children), "permanent")


async def start_further(applications: Sequence[Application], permanent: Sequence[str]) -> list[str]:
    """Start each application with what it needs, in order; the names of those that run then.

    permanent: names of those the node cannot do without; ApplicationError when one of them does
    not start. Any other that does not start is logged and left out.
    """
    running = []
    for app in applications:
        needed = app.name in permanent
        try:
            await application.ensure_all_started(app, "permanent" if needed else "temporary")
        except ApplicationError as error:
            if needed:
                raise
            log("error", f"application {app.name} does not run: {format_reason(error.reason)}")
        else:
            running.append(app.name)
    return running
