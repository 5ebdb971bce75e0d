"""A server that is more than one process: its children, its lifespan, and itself.

::

    weather (rest_for_one 3/60)
    ├── state (one_for_one 10/60)   the children its author gave it
    ├── lifespan
    └── server

What is further down needs what is above it, not the other way round: when a handler or the server
process crashes, the state above stays; when the lifespan crashes, the server begins anew with it. The
author's own children stand for themselves: one that crashes is restarted, and nobody else notices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlmcp_py.server.lifespan import States, lifespan_spec
from supervisors import ChildSpec, Supervisor, SupFlags

if TYPE_CHECKING:
    from erlmcp_py.server.definition import Server


class ServerSupervisor(Supervisor):
    """Of one server."""

    def init(self, children: tuple[ChildSpec, ...]) -> tuple[SupFlags, list[ChildSpec]]:
        """State, lifespan, server."""
        return SupFlags("rest_for_one", 3, 60), list(children)


class StateSupervisor(Supervisor):
    """Of an author's children."""

    def init(self, children: tuple[ChildSpec, ...]) -> tuple[SupFlags, list[ChildSpec]]:
        """As their author gave them."""
        return SupFlags("one_for_one", 10, 60), list(children)


def with_company(name: str, server: Server, states: States, itself: ChildSpec) -> ChildSpec:
    """The child that is `server`: its process, or a supervisor over it and what it needs.

    itself: the child spec of its process, named "server" if it gets company. Servers that are
    mounted in it bring their children and lifespans along.
    """
    children: list[ChildSpec] = []
    for number, member in enumerate(server.family()):
        suffix = f"_{number}" if number else ""
        if member.children:
            children.append(StateSupervisor.child_spec(member.children, id=f"state{suffix}"))
        if member.lifespan is not None:
            children.append(lifespan_spec(member, states, f"lifespan{suffix}"))
    if not children:
        return itself
    inner = ChildSpec(
        "server",
        itself.start,
        restart=itself.restart,
        shutdown=itself.shutdown,
        modules=itself.modules,
    )
    return ServerSupervisor.child_spec((*children, inner), id=name)
