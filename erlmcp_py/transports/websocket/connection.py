"""One client on a WebSocket, behind its handshake: `messages` cuts, and `transports.pump` pumps.

Who closes says why in a Close frame, and the other one repeats it (RFC 6455, 7). A client that closes, or
ends the connection without a word, has its calls cancelled: there is no half of a WebSocket to wait on.

A client from which nothing has come for `ping_interval` is sent a ping, and has `ping_timeout` to show that
it is there; any byte will do, for its answer may stand behind a long message. That keeps proxies from closing
a quiet connection, and finds out those whose other end has vanished. The looks are the pool's, every few
seconds, so that a connection needs neither a timer nor a task. While the client does not read what it was
sent, it is not read from either, and what `pump` says of slow readers holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from erlmcp_py.guards import tally
from erlmcp_py.transports.pump import Pump
from erlmcp_py.transports.websocket.messages import (
    GOING_AWAY,
    INTERNAL,
    POLICY,
    Ending,
    Messages,
    close,
    ending,
    ping,
    text,
)
from erlmcp_py.transports.websocket.settings import WebSocketSettings

if TYPE_CHECKING:
    from erlmcp_py.transports.framing import Message
    from erlmcp_py.transports.net.protocol import Connection


class WebSocket(Pump):
    """One open WebSocket, on the wire of a connection."""

    __slots__ = ("_heard", "_heard_at", "_messages", "_pinged", "_settings")

    def __init__(
        self, connection: Connection, settings: WebSocketSettings, server: str | None
    ) -> None:
        super().__init__(
            connection, text, limits=settings.limits, unread=settings.unread, server=server
        )
        self._settings = settings
        self._messages = Messages(settings.message_limit, settings.fragments)
        self._heard = self.wire.bytes_in
        self._heard_at = trio.current_time()
        self._pinged = False

    def received(self, data: bytes) -> list[Message]:
        """Messages that became complete; pings are answered."""
        messages, connection = self._messages, self.connection
        came = messages.feed(data)
        if messages.replies:
            self.put(b"".join(messages.replies))
            messages.replies.clear()
        self.stopped, self.more = messages.ending is not None, messages.more
        if messages.between or self.stopped:
            connection.arriving_since = None
        elif came or connection.arriving_since is None:
            connection.arriving_since = trio.current_time()
        return list(came)

    def rest(self) -> list[Message]:
        """Nothing: a message that was cut off is none."""
        return []

    def answered(self) -> bool:
        """Whether the Close frame is on its way: nothing is waited for."""
        end = self._messages.ending
        if self.wire.parting and not self.mute:
            self.put(self.last_words())
        elif end is not None and not self.mute:
            if end.entry is not None:
                tally.count(end.entry)
            self.put(close(end.payload))
        self.mute = True
        return True

    def last_words(self) -> bytes:
        """What is said to a client when the transport stops."""
        return close(ending(GOING_AWAY, "the node or its listener is stopping").payload)

    # --- in the pool's turn -------------------------------------------------------------

    def beat(self, now: float) -> None:
        """Ping a client of which nothing is heard, and close one that does not answer."""
        settings, wire = self._settings, self.wire
        if wire.bytes_in != self._heard or self.behind:
            self._heard, self._heard_at, self._pinged = wire.bytes_in, now, False
            return
        silent = now - self._heard_at
        if self._pinged:
            if silent >= settings.ping_interval + settings.ping_timeout:
                self._break_off(ending(INTERNAL, "no answer to a ping"))
                wire.drop()
        elif silent >= settings.ping_interval:
            self._pinged = self.put_now(ping())

    def give_up(self) -> None:
        """A message takes longer to arrive than it may."""
        self._break_off(ending(POLICY, "the message took too long to arrive"))

    def _break_off(self, end: Ending) -> None:
        if not self.mute:
            self.put_now(close(end.payload))
            self.mute = True
