"""From the configuration to the transports of a node."""

from __future__ import annotations

from typing import Any

import trio

from erlmcp_py.config import Config, HttpConfig, TcpConfig, TlsConfig, WebSocketConfig
from erlmcp_py.exposure import is_loopback
from erlmcp_py.ops.probes import ROUTES
from erlmcp_py.parts import Parts
from supervisors import ChildSpec, Pid


def listeners(config: Config) -> tuple[str, ...]:
    """The names of the network transports."""
    found = []
    if config.http.enabled:
        found.append("http")
        if config.http.tls.redirect_port != "off":
            found.append("http_redirect")
    if config.tcp.enabled:
        found.append("tcp")
    return tuple(found)


def transports(config: Config, parts: Parts) -> tuple[ChildSpec, ...]:
    """Their children; what is not enabled is not imported."""
    specs = []
    if parts.mounted is not None:
        mailbox = config.mailboxes.connection
        specs.append(
            parts.mounted(listener_settings(config.http, config.websocket, mailbox, parts))
        )
    if config.http.enabled:
        from erlmcp_py.transports.http import supervisor as http

        listener = listener_settings(
            config.http, config.websocket, config.mailboxes.connection, parts
        )
        specs.append(http.child_spec(listener, ROUTES))
        redirect_port = config.http.tls.redirect_port
        if redirect_port != "off":
            from erlmcp_py.transports.http import redirect

            specs.append(
                redirect.child_spec(listener, redirect_port, _door(parts, "http_redirect"))
            )
    if config.tcp.enabled:
        from erlmcp_py.transports import tcp

        specs.append(tcp.child_spec(_tcp(config.tcp, config.mailboxes.connection, parts)))
    if config.stdio.enabled:
        specs.append(_stdio(config, parts))
    return tuple(specs)


def _door(parts: Parts, name: str) -> int | None:
    """The descriptor of a listening socket that exists already."""
    if parts.worker is not None:
        doors = parts.worker.doors  # the redirect is opened by each for itself
        return doors.get(name) if name == "http_redirect" else doors[name]
    return None if parts.inherited is None else parts.inherited.doors.get(name)


def _gate(parts: Parts, name: str) -> trio.Event | None:
    """What a listener waits for whose socket is another node's yet."""
    inherited = parts.inherited
    return None if inherited is None or name not in inherited.doors else inherited.gate


def listener_settings(
    http: HttpConfig, websocket: WebSocketConfig, mailbox: int, parts: Parts
) -> Any:
    """What a listener of HTTP is told."""
    from erlmcp_py.transports.conversation import Limits
    from erlmcp_py.transports.http.request import HttpLimits
    from erlmcp_py.transports.http.settings import ListenerConfig

    return ListenerConfig(
        host=http.host,
        port=http.port,
        allowed_hosts=http.allowed_hosts,
        allowed_origins=http.allowed_origins,
        limits=HttpLimits(
            max_head=http.header_limit,
            max_headers=http.header_lines,
            max_target=http.target_limit,
            max_body=http.body_limit,
        ),
        max_connections=http.connections,
        max_per_address=_per_address(http),
        idle_timeout=http.idle_timeout,
        request_timeout=http.request_timeout,
        streams=http.streams,
        streams_per_session=http.streams_per_session,
        unread=http.unread,
        slow_reader=http.slow_reader,
        resumable_answers=http.resumable_answers,
        legacy_sse=http.legacy_sse,
        conversation=Limits(in_flight=http.in_flight, waiting=http.waiting),
        websocket=websocket_settings(websocket),
        hsts=None if http.tls.hsts == "off" else http.tls.hsts,
        tls=_tls(http.tls),
        mailbox=mailbox,
        company=None if parts.worker is None else parts.worker.company,
        descriptor=_door(parts, "http"),
        gate=_gate(parts, "http"),
    )


def _tcp(tcp: TcpConfig, mailbox: int, parts: Parts) -> Any:
    from erlmcp_py.transports.conversation import Limits
    from erlmcp_py.transports.tcp import TcpSettings

    return TcpSettings(
        host=tcp.host,
        port=tcp.port,
        framing=tcp.framing,
        server=tcp.server or None,
        message_limit=tcp.message_limit,
        max_connections=tcp.connections,
        limits=Limits(in_flight=tcp.in_flight, waiting=tcp.waiting),
        unread=tcp.unread,
        idle_timeout=tcp.idle_timeout,
        mailbox=mailbox,
        tls=_tls(tcp.tls),
        descriptor=_door(parts, "tcp"),
        gate=_gate(parts, "tcp"),
    )


def websocket_settings(websocket: WebSocketConfig) -> Any:
    """What WebSockets of a listener are told; None: there are none."""
    from erlmcp_py.transports.conversation import Limits
    from erlmcp_py.transports.websocket.settings import WebSocketSettings

    if not websocket.enabled:
        return None
    return WebSocketSettings(
        connections=websocket.connections,
        message_limit=websocket.message_limit,
        fragments=websocket.fragments,
        limits=Limits(in_flight=websocket.in_flight, waiting=websocket.waiting),
        unread=websocket.unread,
        ping_interval=websocket.ping_interval,
        ping_timeout=websocket.ping_timeout,
    )


def _tls(tls: TlsConfig) -> Any:
    from erlmcp_py.transports.net.settings import TlsSettings

    if not tls.certificate:
        return None
    return TlsSettings(
        certificate=tls.certificate,
        key=tls.key,
        key_password_env=tls.key_password_env,
        client_ca=tls.client_ca,
        client_certificates=tls.client_certificates,
        minimum=tls.minimum,
    )


def _per_address(http: HttpConfig) -> int | None:
    """All clients of a listener on loopback have one address, which says nothing about them."""
    limit = http.connections_per_address
    return None if limit == "off" or is_loopback(http.host) else limit


def _stdio(config: Config, parts: Parts) -> ChildSpec:
    from erlmcp_py.transports import stdio
    from erlmcp_py.transports.conversation import Limits

    assert parts.channel is not None, "who serves standard input and output has the channel"
    limits = Limits(in_flight=config.stdio.in_flight, waiting=config.stdio.waiting)
    spec = stdio.child_spec(stdio.StdioOptions(limits=limits), parts.channel)
    start, args = spec.start

    async def start_and_tell() -> Pid:
        pid: Pid = await start(*args)
        parts.on_stdio(pid)
        return pid

    return ChildSpec(spec.id, (start_and_tell, ()), restart=spec.restart)
