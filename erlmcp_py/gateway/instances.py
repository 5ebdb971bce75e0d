"""The supervisors of an upstream's instances."""

from __future__ import annotations

from typing import Final

import supervisors
from erlmcp_py.gateway.instance import Instance
from erlmcp_py.gateway.keeping import keeper_specs
from erlmcp_py.gateway.upstream import Upstream
from supervisors import ChildSpec, Supervisor, SupFlags, current_runtime

INSTANCES: Final = "instances"


class InstanceSupervisor(Supervisor):
    """Of one instance: its client, and who watches it."""

    def init(self, upstream: Upstream, instance: Instance) -> tuple[SupFlags, list[ChildSpec]]:
        """Client, keeper, pulse, ear."""
        return SupFlags("one_for_one", 10, 60), [
            instance.client.child_spec("client"),
            *keeper_specs(upstream, instance),
        ]


class InstancesSupervisor(Supervisor):
    """Of those of one upstream. While that sleeps it is not there; see `steward`."""

    def init(self, upstream: Upstream) -> tuple[SupFlags, list[ChildSpec]] | str:
        """A supervisor each, if they are to run."""
        runs = upstream.sleep.begin(current_runtime().now())
        upstream.look()
        if not runs:
            return "ignore"
        upstream.supervisor = supervisors.self()
        return SupFlags("one_for_one", 10, 60), [
            instance_spec(upstream, instance) for instance in upstream.instances
        ]


def instances_spec(upstream: Upstream) -> ChildSpec:
    """All of them as a child."""
    return InstancesSupervisor.child_spec(upstream, id=INSTANCES)


def instance_spec(upstream: Upstream, instance: Instance) -> ChildSpec:
    """One of them as a child."""
    return InstanceSupervisor.child_spec(upstream, instance, id=instance.number)
