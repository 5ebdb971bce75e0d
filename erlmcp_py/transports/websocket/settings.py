"""What a listener is told of WebSocket."""

from __future__ import annotations

import msgspec

from erlmcp_py.transports.conversation import Limits


class WebSocketSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Of all sockets of a listener and of each. Times are seconds, sizes bytes.

    connections: open at once. message_limit: of one message, in however many fragments; fragments: how
    many these may be. limits: of one client. unread: of answers that a client may leave unread before
    its connection is closed. ping_interval: between two pings. ping_timeout: within which a client has
    to show that it is there.
    """

    connections: int = 1000
    message_limit: int = 4 * 1024 * 1024
    fragments: int = 1000
    limits: Limits = Limits(in_flight=100)
    unread: int = 50 * 1024 * 1024
    ping_interval: float = 30.0
    ping_timeout: float = 20.0
