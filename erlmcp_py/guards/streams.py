"""How many streams may be open at once: responses that stay, to tell clients of changes.

Counted are `subscriptions/listen` over HTTP, the GET streams of sessions, and the streams of HTTP+SSE.
Each holds a connection for as long as it lasts, so without a limit of their own they would leave none
for requests. A call that is answered as a stream is counted as a call.
"""

from __future__ import annotations

from erlmcp_py.protocol.errors import McpError, refused
from erlmcp_py.protocol.refusals import EXHAUSTED, TOO_MANY_AT_ONCE


class OpenStreams:
    """The streams of one listener. total: of all clients (503). per_session: of one session (429)."""

    __slots__ = ("_sessions", "_total", "count", "per_session")

    def __init__(self, total: int, per_session: int) -> None:
        self._total = total
        self.per_session = per_session
        self._sessions: dict[str, int] = {}
        self.count = 0
        """Open now."""

    def enter(self, session: str | None = None) -> McpError | None:
        """A stream is to be opened: None if it may, else why not. Who enters has to leave."""
        if self.count >= self._total:
            return refused(EXHAUSTED, f"{self._total} streams are open here, as many as may be")
        if session is not None:
            own = self._sessions.get(session, 0)
            if own >= self.per_session:
                text = f"this session has {own} streams open, as many as it may"
                return refused(TOO_MANY_AT_ONCE, text)
            self._sessions[session] = own + 1
        self.count += 1
        return None

    def leave(self, session: str | None = None) -> None:
        """A stream has ended."""
        self.count -= 1
        if session is not None:
            self._sessions[session] -= 1
            if not self._sessions[session]:
                del self._sessions[session]
