"""What a listener is told when it starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from erlmcp_py.transports.http.request import HttpLimits, HttpRequest

RouteAnswer = tuple[int, Mapping[str, str], bytes]
"""Status, headers (``Content-Type`` among them) and body."""

Route = Callable[[HttpRequest], Awaitable[RouteAnswer]]
"""Answers one path that is not MCP's, such as ``/health``."""


class ListenerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One streamable HTTP listener. Times are seconds.

    name: under which it registers as a transport. port: 0 lets the system choose, once: a
    restarted listener asks for the same port again. allowed_hosts, allowed_origins: see
    `access.AccessPolicy`. limits: of a single request. max_connections: one more is answered
    503. idle_timeout: how long a connection may go without a complete request, or leave a
    response unread. sse_delay: after which a call that has neither answered nor notified is
    answered as a stream, so that comments can keep it open. resumable_answers: every request within
    a session is answered as a stream, so that its client can come back for an answer it lost.
    keep_alive: between two comments
    on a quiet stream. backlog: connections the system queues. accept_batch: connections
    accepted per wake-up. mailbox: messages that may wait at one connection, whose client does
    not read what it asked for; one more closes it.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    name: str = "http"
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    limits: HttpLimits = HttpLimits()
    max_connections: int = 4096
    idle_timeout: float = 75.0
    sse_delay: float = 15.0
    resumable_answers: bool = False
    keep_alive: float = 15.0
    backlog: int = 1024
    accept_batch: int = 256
    mailbox: int = 5000
