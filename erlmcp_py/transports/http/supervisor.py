"""The supervision tree of one listener.

    http (rest_for_one)
    ├── http_connections    one linked process per connection; answers like a supervisor
    ├── http_socket         owns the listening socket
    └── http_listener       accepts; registered as the transport "http"

Connections stand first: they outlive a crash of the acceptor and of the socket's owner. Names
begin with the listener's own, so a node can have several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from erlmcp_py.transports.http.access import AccessPolicy
from erlmcp_py.transports.http.connection import ConnectionStatistics
from erlmcp_py.transports.http.connections import Connections, ListenerStatistics
from erlmcp_py.transports.http.endpoint import Endpoint
from erlmcp_py.transports.http.listener import Door, SocketOwner, start_listener
from erlmcp_py.transports.http.settings import ListenerConfig, Route
from supervisors import ChildSpec, Pid, StartError, Supervisor, SupFlags, call

_NO_ROUTES: Mapping[str, Route] = {}


class HttpListener(Supervisor):
    """The top of the tree above."""

    def init(
        self, config: ListenerConfig, routes: Mapping[str, Route], door: Door
    ) -> tuple[SupFlags, list[ChildSpec]]:
        """Connections, socket, acceptor."""
        policy = AccessPolicy(config.host, config.allowed_hosts, config.allowed_origins)
        endpoint = Endpoint(policy, routes)
        pool, owner = f"{config.name}_connections", f"{config.name}_socket"
        return SupFlags("rest_for_one", intensity=10, period=60), [
            replace(
                Connections.child_spec(config, endpoint, door.inside, id=pool, name=pool),
                type="supervisor",
            ),
            SocketOwner.child_spec(config, door, id=owner, name=owner),
            ChildSpec(f"{config.name}_listener", (start_listener, (config, door))),
        ]


def child_spec(config: ListenerConfig, routes: Mapping[str, Route] = _NO_ROUTES) -> ChildSpec:
    """The spec of a listener; its id is the listener's name.

    routes: what is served besides MCP, by path, such as ``/health``.
    """
    return ChildSpec(config.name, (start_link, (config, routes, Door(config))), type="supervisor")


async def start_link(
    config: ListenerConfig, routes: Mapping[str, Route] = _NO_ROUTES, door: Door | None = None
) -> Pid:
    """Start a listener; it serves when this returns.

    Raises StartError with ``("port_in_use", host, port)``, ``("address_not_available", host,
    port)``, ``("port_forbidden", host, port)``, ``("unknown_host", host, text)`` or
    ``("cannot_listen", host, port, text)``.
    """
    place = Door(config) if door is None else door
    try:
        return await HttpListener.start_link(config, routes, place, name=config.name)
    except StartError as failed:
        match failed.reason:
            case ("shutdown", ("failed_to_start_child", _, reason)):
                raise StartError(reason) from None
        raise


async def statistics(name: str = "http") -> ListenerStatistics:
    """Counts of the listener `name`."""
    return await call(f"{name}_connections", ("statistics",))  # type: ignore[no-any-return]


async def connections(name: str = "http") -> list[ConnectionStatistics]:
    """Every open connection of the listener `name`."""
    return await call(f"{name}_connections", ("connections",))  # type: ignore[no-any-return]
