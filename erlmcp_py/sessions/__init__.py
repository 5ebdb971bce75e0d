"""Sessions of clients that speak a revision up to 2025-11-25: one process each.

`record` is what a session is made of, `store` keeps the records of one node, `session` is
the process, `manager` names the processes and ends idle ones, `supervisor` restarts them.
The functions that the rest of the node calls are here.
"""

from erlmcp_py.sessions.directory import (
    SessionLimit,
    SessionUnavailable,
    create,
    delete,
    delete_of,
    find,
    statistics,
    view,
)
from erlmcp_py.sessions.ids import SessionIds
from erlmcp_py.sessions.manager import SessionLimits, SessionsStatistics
from erlmcp_py.sessions.record import SessionRecord, SessionView
from erlmcp_py.sessions.store import SessionStore
from erlmcp_py.sessions.supervisor import SessionsSupervisor

__all__ = [
    "SessionIds",
    "SessionLimit",
    "SessionLimits",
    "SessionRecord",
    "SessionStore",
    "SessionUnavailable",
    "SessionView",
    "SessionsStatistics",
    "SessionsSupervisor",
    "create",
    "delete",
    "delete_of",
    "find",
    "statistics",
    "view",
]
