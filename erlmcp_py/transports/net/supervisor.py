"""The supervision tree of one listener.

    http (rest_for_one)
    ├── http_connections    one linked process per connection; answers like a supervisor
    ├── http_socket         owns the listening socket
    ├── http_listener       accepts; registered as the transport "http"
    └── http_certificates   with TLS: reloads certificates that have changed

Connections stand first: they outlive a crash of the acceptor and of the socket's owner. Names
begin with the listener's own, so a node can have several.
"""

from __future__ import annotations

from dataclasses import replace

from erlmcp_py.transports.net.door import Door
from erlmcp_py.transports.net.listener import SocketOwner, start_listener
from erlmcp_py.transports.net.pool import Connections, ListenerStatistics
from erlmcp_py.transports.net.protocol import ConnectionStatistics, Protocol
from erlmcp_py.transports.net.settings import ListenerSettings
from supervisors import ChildSpec, Pid, StartError, Supervisor, SupFlags, call


class Listener(Supervisor):
    """The top of the tree above."""

    def init(
        self, settings: ListenerSettings, protocol: Protocol, door: Door
    ) -> tuple[SupFlags, list[ChildSpec]]:
        """Connections, socket, acceptor, certificates."""
        pool, owner = f"{settings.name}_connections", f"{settings.name}_socket"
        children = [
            replace(
                Connections.child_spec(settings, protocol, door, id=pool, name=pool),
                type="supervisor",
            ),
            SocketOwner.child_spec(settings, door, id=owner, name=owner),
            ChildSpec(f"{settings.name}_listener", (start_listener, (settings, protocol, door))),
        ]
        if door.credentials is not None:
            from erlmcp_py.transports.net.tls.keeper import CertificateKeeper

            keeper = f"{settings.name}_certificates"
            children.append(
                CertificateKeeper.child_spec(
                    settings.name, door.credentials, id=keeper, name=keeper
                )
            )
        return SupFlags("rest_for_one", intensity=10, period=60), children


def child_spec(settings: ListenerSettings, protocol: Protocol) -> ChildSpec:
    """The spec of a listener; its id is the listener's name."""
    start = (start_link, (settings, protocol, Door(settings, protocol)))
    return ChildSpec(settings.name, start, type="supervisor")


async def start_link(
    settings: ListenerSettings, protocol: Protocol, door: Door | None = None
) -> Pid:
    """Start a listener; it serves when this returns.

    Raises StartError with ``("port_in_use", host, port)``, ``("address_not_available", host,
    port)``, ``("port_forbidden", host, port)``, ``("unknown_host", host, text)``,
    ``("socket_in_use", path)``, ``("not_a_socket", path)``, ``("cannot_listen", address, text)`` or
    ``("tls", text)``.
    """
    place = Door(settings, protocol) if door is None else door
    try:
        return await Listener.start_link(settings, protocol, place, name=settings.name)
    except StartError as failed:
        match failed.reason:
            case ("shutdown", ("failed_to_start_child", _, reason)):
                raise StartError(reason) from None
        raise


async def statistics(name: str) -> ListenerStatistics:
    """Counts of the listener `name`."""
    return await call(f"{name}_connections", ("statistics",))  # type: ignore[no-any-return]


async def connections(name: str) -> list[ConnectionStatistics]:
    """Every open connection of the listener `name`."""
    return await call(f"{name}_connections", ("connections",))  # type: ignore[no-any-return]
