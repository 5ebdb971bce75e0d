"""What a caller is told when an upstream cannot answer."""

from __future__ import annotations

from erlmcp_py.client import (
    BadAnswer,
    ClientError,
    ConnectError,
    ConnectionLost,
    HttpStatus,
    RequestTimeout,
    SessionLost,
)
from erlmcp_py.guards.breaker import Permit
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import McpError, refused


def unavailable(text: str) -> McpError:
    """The upstream is not there."""
    return refused(refusals.DEPENDENCY_UNAVAILABLE, text)


def blame(permit: Permit, problem: ClientError) -> None:
    """Tell the breaker of a request without an answer, if that was the upstream's fault.

    Not its fault: what was not sent, a session that it has forgotten, what it refuses to us (4xx).
    """
    if isinstance(problem, HttpStatus):
        at_fault = problem.status >= 500
    else:
        faults = (RequestTimeout, ConnectionLost, ConnectError, BadAnswer)
        at_fault = isinstance(problem, faults) and not isinstance(problem, SessionLost)
    if at_fault:
        permit.failed(str(problem), lost=isinstance(problem, ConnectionLost))
