"""Chaos as an application of a node (entry-point group ``erlmcp.applications``)."""

from __future__ import annotations

from typing import Any

from chaos.laboratory import EXPERIMENTS, REPORTS, Experiments, Reports
from chaos.proxy import PROXIES, Proxies
from erlmcp_py import __version__
from erlmcp_py.console.table import announcer
from supervisors import Application, ChildSpec, Pid, Supervisor, SupFlags


class ChaosSupervisor(Supervisor):
    """The tree that `laboratory` draws."""

    def init(self) -> tuple[SupFlags, list[ChildSpec]]:
        """The shelf first: an experiment needs it when it ends."""
        return SupFlags("one_for_one", 5, 60), [
            Reports.child_spec(id=REPORTS, name=REPORTS),
            Experiments.child_spec(id=EXPERIMENTS, name=EXPERIMENTS),
            Proxies.child_spec(id=PROXIES, name=PROXIES),
            announcer(
                "chaos.node_commands:COMMANDS",
                "chaos.proxy.node_commands:COMMANDS",
                id="chaos_commands",
            ),
        ]


class Chaos(Application):
    """Needs a node to be let loose on."""

    name = "chaos"
    description = "experiments on a running node"
    version = __version__
    applications = ("erlmcp_py",)

    async def start(self, type: str, args: Any) -> Pid:  # noqa: ARG002 - what OTP calls it with
        """The top supervisor."""
        return await ChaosSupervisor.start_link(name=self.name)


application = Chaos()
"""What the entry point names."""
