"""The sessions of HTTP+SSE that are open on one listener, by their ids.

Plain data on the one thread: a process enters its session when it opens the stream and takes it out when
the stream ends, however it ends.
"""

from __future__ import annotations

from collections import deque

from erlmcp_py.sessions.ids import SessionIds
from supervisors import Pid, send


class SseSession:
    """What was posted to one session and has not been read by its process, which is told ``("posted",)``.

    WHY not in the mailbox: that counts messages, which may be of any size, and ends a process that has
    too many. Here a client that posts and does not read is refused.
    """

    __slots__ = ("_limit", "_posted", "_size", "id", "pid", "server")

    def __init__(self, id: str, server: str | None, pid: Pid, limit: int) -> None:
        self.id = id
        self.server = server
        self.pid = pid
        self._limit = limit
        self._posted: deque[bytes] = deque()
        self._size = 0

    def post(self, data: bytes) -> bool:
        """Put a message in and wake the process; False if too many bytes lie there already."""
        if self._posted and self._size + len(data) > self._limit:
            return False
        if not self._posted:
            send(self.pid, ("posted",))
        self._posted.append(data)
        self._size += len(data)
        return True

    def take(self) -> bytes | None:
        """The message that has waited longest; None if none does."""
        if not self._posted:
            return None
        data = self._posted.popleft()
        self._size -= len(data)
        return data


class SseSessions:
    """The table. Ids cannot be guessed: who knows one may speak for its client."""

    __slots__ = ("_ids", "_open")

    def __init__(self, ids: SessionIds | None = None) -> None:
        self._ids = ids or SessionIds()
        self._open: dict[str, SseSession] = {}

    def open(self, server: str | None, pid: Pid, limit: int) -> SseSession:
        """A new session, of this process. limit: bytes that may wait in its inbox."""
        session = SseSession(self._ids.new(), server, pid, limit)
        self._open[session.id] = session
        return session

    def find(self, id: str, server: str | None) -> SseSession | None:
        """The session of this id on this server; None if there is none."""
        session = self._open.get(id)
        return session if session is not None and session.server == server else None

    def close(self, session: SseSession) -> None:
        """Its stream has ended."""
        self._open.pop(session.id, None)
