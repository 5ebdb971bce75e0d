"""The records of a node's sessions: plain data that outlives every process.

WHY not in a process: a session id is a promise to a client that may come back after any
crash. The store is an argument in the child specs of the session processes, so it is there
again whatever was restarted, up to the supervisor that was given it. Records are immutable,
so no crash can leave one half written; what a crashed session had in memory is gone, who it
was is not.
"""

from __future__ import annotations

from erlmcp_py.sessions.ids import SessionIds
from erlmcp_py.sessions.record import SessionRecord


class SessionStore:
    """Session records by id, with the time of each one's last request (runtime clock, seconds).

    ids: where new sessions get theirs.
    """

    __slots__ = ("_records", "_used", "ids")

    def __init__(self, ids: SessionIds | None = None) -> None:
        self.ids = ids or SessionIds()
        self._records: dict[str, SessionRecord] = {}
        self._used: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._records)

    def add(self, record: SessionRecord) -> None:
        """Keep a new session; its creation counts as use."""
        self._records[record.id] = record
        self._used[record.id] = record.created_at

    def get(self, id: str) -> SessionRecord | None:
        """The record of a session, None if there is none."""
        return self._records.get(id)

    def touch(self, id: str, now: float) -> None:
        """Note a request of an existing session."""
        self._used[id] = now

    def remove(self, id: str) -> SessionRecord | None:
        """Forget a session; its record if there was one."""
        self._used.pop(id, None)
        return self._records.pop(id, None)

    def of(self, server: str | None) -> list[str]:
        """Ids of the sessions that were opened on this server; None: on the default one."""
        return [id for id, record in self._records.items() if record.server == server]

    def unused_since(self, moment: float) -> list[str]:
        """Ids whose last request came before `moment`."""
        return [id for id, used in self._used.items() if used < moment]
