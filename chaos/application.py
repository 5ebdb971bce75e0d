"""Chaos as an application of a node (entry-point group ``erlmcp.applications``)."""

from __future__ import annotations

from chaos.laboratory import EXPERIMENTS, REPORTS, Experiments, Reports
from chaos.node_commands import COMMANDS
from erlmcp_py.console.table import announcer
from supervisors import ChildSpec, Supervisor, SupFlags


class ChaosSupervisor(Supervisor):
    """The tree that `laboratory` draws."""

    def init(self) -> tuple[SupFlags, list[ChildSpec]]:
        """The shelf first: an experiment needs it when it ends."""
        return SupFlags("one_for_one", 5, 60), [
            Reports.child_spec(id=REPORTS, name=REPORTS),
            Experiments.child_spec(id=EXPERIMENTS, name=EXPERIMENTS),
            announcer(*COMMANDS, id="chaos_commands"),
        ]


def application() -> ChildSpec:
    """The application's top supervisor, as a child of the node."""
    return ChaosSupervisor.child_spec(id="chaos", name="chaos")
