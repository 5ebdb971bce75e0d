"""From the id of a session to its process."""

from __future__ import annotations

from erlmcp_py import sessions
from erlmcp_py.protocol.errors import refused
from erlmcp_py.protocol.jsonrpc import RequestId
from erlmcp_py.protocol.refusals import SESSION_UNKNOWN
from erlmcp_py.sessions.record import SessionView
from erlmcp_py.transports.http.answering import unavailable
from erlmcp_py.transports.http.plans import Answer, error_answer
from supervisors import Pid


def unknown_session(id: RequestId | None = None) -> Answer:
    """The 404 that makes a client open a new session (MCP 2025-11-25, session management)."""
    return error_answer(id, refused(SESSION_UNKNOWN), "legacy", 404)


async def find_session(
    session_id: str, server: str | None, id: RequestId | None
) -> tuple[Pid, SessionView] | Answer:
    """The session's process and what it says of itself; or the answer that refuses."""
    try:
        found = await sessions.view(session_id)
    except sessions.SessionUnavailable as problem:
        return unavailable(id, problem)
    if found is None or found[1].server != server:
        return unknown_session(id)
    return found
