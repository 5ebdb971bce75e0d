"""What a listener is told when it starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from erlmcp_py.guards.slow_reader import Policy
from erlmcp_py.transports.conversation import Limits
from erlmcp_py.transports.http.request import HttpLimits, HttpRequest
from erlmcp_py.transports.net.settings import ListenerSettings
from erlmcp_py.transports.websocket.settings import WebSocketSettings
from erlmcp_py.workers.company import Company

RouteAnswer = tuple[int, Mapping[str, str], bytes]
"""Status, headers (``Content-Type`` among them) and body."""

Route = Callable[[HttpRequest], Awaitable[RouteAnswer]]
"""Answers one path that is not MCP's, such as ``/health``."""


class ListenerConfig(ListenerSettings, frozen=True, kw_only=True):
    """One streamable HTTP listener. Times are seconds.

    allowed_hosts, allowed_origins: see `access.AccessPolicy`. limits: of a single request.
    sse_delay: after which a call that has neither answered nor notified is answered as a stream, so
    that comments can keep it open. resumable_answers: every request within a session is answered as
    a stream, so that its client can come back for an answer it lost. keep_alive: between two
    comments on a quiet stream. legacy_sse: HTTP+SSE (2024-11-05) is served, too.
    conversation: limits of one client of it.
    websocket: what is told of it; None: it is not served.
    hsts: seconds for which browsers that came over TLS shall not try without (RFC 6797).
    company: the other workers, if the node is one of several that listen on the same port.
    unread: bytes of notifications that may wait for a client that does not read them; slow_reader: what
    becomes of it then, see `guards.slow_reader`.
    streams, streams_per_session: open at once to tell of changes, of all clients and of one
    session.
    """

    name: str = "http"
    port: int = 8080
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    limits: HttpLimits = HttpLimits()
    sse_delay: float = 15.0
    resumable_answers: bool = False
    keep_alive: float = 15.0
    unread: int = 4 * 1024 * 1024
    slow_reader: Policy = "drop_progress"
    streams: int = 4000
    streams_per_session: int = 16
    company: Company | None = None
    legacy_sse: bool = True
    conversation: Limits = Limits(in_flight=100)
    websocket: WebSocketSettings | None = WebSocketSettings()
    hsts: int | None = None

    @property
    def patience(self) -> float:
        """The shortest time that the pool has to watch over."""
        own = min(self.idle_timeout, self.request_timeout)
        web = self.websocket
        return own if web is None else min(own, web.ping_interval, web.ping_timeout)
