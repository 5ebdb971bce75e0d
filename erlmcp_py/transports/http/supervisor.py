"""An HTTP listener: what `net` is given to serve MCP over HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from erlmcp_py.guards.streams import OpenStreams
from erlmcp_py.protocol import refusals
from erlmcp_py.transports.http.access import AccessPolicy
from erlmcp_py.transports.http.connection import Connection
from erlmcp_py.transports.http.endpoint import Endpoint
from erlmcp_py.transports.http.plans import refusal
from erlmcp_py.transports.http.response import response
from erlmcp_py.transports.http.settings import ListenerConfig, Route
from erlmcp_py.transports.net import supervisor as net
from erlmcp_py.transports.net.protocol import Protocol, crowded
from erlmcp_py.transports.net.wire import Wire
from supervisors import ChildSpec

_NO_ROUTES: Mapping[str, Route] = {}


def child_spec(config: ListenerConfig, routes: Mapping[str, Route] = _NO_ROUTES) -> ChildSpec:
    """The spec of a listener; its id is the listener's name.

    routes: what is served besides MCP, by path, such as ``/health``.
    """
    return net.child_spec(config, protocol(config, routes))


def protocol(config: ListenerConfig, routes: Mapping[str, Route] = _NO_ROUTES) -> Protocol:
    """How a client is served over HTTP."""
    policy = AccessPolicy(config.host, config.allowed_hosts, config.allowed_origins)
    streams = OpenStreams(config.streams, config.streams_per_session)
    ids = None if config.company is None else config.company.ids
    endpoint = Endpoint(
        policy,
        routes,
        streams,
        legacy_sse=config.legacy_sse,
        websocket=config.websocket is not None,
        ids=ids,
    )

    def connect(wire: Wire, peer: str, config: ListenerConfig) -> Connection:
        return Connection(wire, peer, config, endpoint)

    also = {"websocket": config.websocket is not None}
    return Protocol("http", connect, _turned_away, _plain_refused, ("http/1.1",), also)


def _turned_away(why: refusals.Refusal) -> bytes:
    answer = refusal(why, crowded(why))
    return response(answer.status, answer.body, headers=answer.headers, keep_alive=False)


def _plain_refused() -> bytes:
    answer = refusal(refusals.PROTOCOL_ERROR, "this port speaks TLS: use https://")
    return response(answer.status, answer.body, keep_alive=False)
