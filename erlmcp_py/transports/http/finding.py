"""From the id of a session to its process."""

from __future__ import annotations

from erlmcp_py import sessions
from erlmcp_py.protocol.errors import INVALID_REQUEST, McpError
from erlmcp_py.protocol.jsonrpc import RequestId
from erlmcp_py.sessions.record import SessionView
from erlmcp_py.transports.http.answering import unavailable
from erlmcp_py.transports.http.endpoint import Answer, error_answer
from supervisors import CallExit, Pid, call


def unknown_session(id: RequestId | None = None) -> Answer:
    """The 404 that makes a client open a new session (MCP 2025-11-25, session management)."""
    text = "there is no such session here; send initialize to open a new one"
    return error_answer(id, McpError(INVALID_REQUEST, text), "legacy", 404)


async def find_session(
    session_id: str, server: str | None, id: RequestId | None
) -> tuple[Pid, SessionView] | Answer:
    """The session's process and what it says of itself; or the answer that refuses."""
    for last in (False, True):
        try:
            pid = await sessions.find(session_id)
            if pid is None:
                return unknown_session(id)
            view: SessionView = await call(pid, ("view",))
        except sessions.SessionUnavailable as problem:
            return unavailable(id, problem)
        except CallExit as problem:  # it died since it was found, and is being restarted
            if last:
                return unavailable(id, problem)
            continue
        return (pid, view) if view.server == server else unknown_session(id)
    raise AssertionError("the loop returns")
