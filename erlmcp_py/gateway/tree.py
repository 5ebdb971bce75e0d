"""The processes of the gateway: what stands below `upstreams`, the supervisor of `fleet`.

::

    upstreams (one_for_one)
    ├── github (one_for_one)
    │   ├── instances (one_for_one)
    │   │   └── 1 (one_for_one)
    │   │       ├── client      its connection, and with it its program: see `client.tree`
    │   │       └── keeper, pulse, ear
    │   ├── steward         has the instances started and stopped
    │   ├── breaker         leaves it alone for a while when it does not answer
    │   └── server      answers at /mcp/github
    ├── search …
    └── all             answers at /mcp
"""

from __future__ import annotations

from collections.abc import Callable

from erlmcp_py.config import ALL, UpstreamConfig
from erlmcp_py.gateway.face import Face
from erlmcp_py.gateway.instances import instances_spec
from erlmcp_py.gateway.process import start_face
from erlmcp_py.gateway.steward import steward_spec
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.guards import breaker
from erlmcp_py.guards.in_flight import InFlight
from erlmcp_py.server.interaction.seal import StateSealer
from supervisors import ChildSpec, Supervisor, SupFlags


class UpstreamSupervisor(Supervisor):
    """Of one upstream: what fails here concerns nobody else, as long as it does not go on for ever."""

    def init(self, children: tuple[ChildSpec, ...]) -> tuple[SupFlags, list[ChildSpec]]:
        """Its instances, their steward, its breaker, its server."""
        return SupFlags("one_for_one", 10, 60), list(children)


def member(
    name: str,
    config: UpstreamConfig,
    in_flight: InFlight,
    mailbox: int,
    wall_clock: Callable[[], float],
    sealer: StateSealer,
) -> tuple[Upstream, Face, ChildSpec]:
    """An upstream, by what it is served alone, and its place in the tree. Raises `ConfigError`."""
    upstream = Upstream(name, config, wall_clock, sealer)
    upstream.faces = (name, ALL)
    face = Face(name, (upstream,), together=False)
    parts = (
        instances_spec(upstream),
        steward_spec(upstream),
        breaker.child_spec(upstream.breaker),
        ChildSpec("server", (start_face, (face, in_flight, mailbox))),
    )
    return upstream, face, UpstreamSupervisor.child_spec(parts, id=name, name=f"upstream_{name}")


def together(
    upstreams: tuple[Upstream, ...], in_flight: InFlight, mailbox: int
) -> tuple[Face, ChildSpec]:
    """By what all of them are served, and the place of its server."""
    face = Face(ALL, upstreams, together=True)
    return face, ChildSpec(ALL, (start_face, (face, in_flight, mailbox)))
