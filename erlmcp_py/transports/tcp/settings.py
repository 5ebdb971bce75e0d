"""What a TCP listener is told."""

from __future__ import annotations

from erlmcp_py.transports import framing
from erlmcp_py.transports.conversation import Limits
from erlmcp_py.transports.net.settings import ListenerSettings


class TcpSettings(ListenerSettings, frozen=True, kw_only=True):
    """framing: how messages are told apart. message_limit: bytes of one. limits: of one client. unread:
    bytes of answers that a client may leave unread before its connection is closed. server: which one
    is served; None for the one the transport is bound to, or the node's default.
    """

    name: str = "tcp"
    framing: framing.Name = "newline"
    message_limit: int = 16 * 1024 * 1024
    limits: Limits = Limits(in_flight=100)
    unread: int = 50 * 1024 * 1024
    server: str | None = None
    max_connections: int = 1024
    idle_timeout: float = 300.0
