"""What a client raises besides `McpError`, which is the server's own "no".

Each says what went wrong and at which server. `maybe_done` tells whether the request may have been
carried out all the same: only where it is False is it safe to send a request with effects again.
"""

from __future__ import annotations


class ClientError(Exception):
    """A request has no answer."""

    maybe_done = False


class ConnectError(ClientError):
    """There is no way to the server: it cannot be reached or started, or speaks no revision of ours.

    detail: what only those may be told who run this program, such as the directories that were searched
    for the server's; empty if there is nothing more to say.
    """

    def __init__(self, text: str, detail: str = "") -> None:
        super().__init__(text)
        self.detail = detail


class ConnectionLost(ClientError):
    """The connection ended while the request was on its way."""

    def __init__(self, text: str, *, maybe_done: bool = True) -> None:
        super().__init__(text)
        self.maybe_done = maybe_done


class NotConnected(ClientError):
    """There is no connection now, and none came while the request could wait; nothing was sent."""


class SessionLost(ConnectionLost):
    """The server knows the session no more (404), or speaks what was agreed on no more; the request was
    not carried out.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text, maybe_done=False)


class RequestTimeout(ClientError):
    """Neither an answer nor progress in time; the server has been told to stop."""

    maybe_done = True


class BadAnswer(ClientError):
    """What came back is no MCP: another content type, no JSON, too large."""

    maybe_done = True


class HttpStatus(ClientError):
    """An HTTP status that brings no JSON-RPC message. body: its beginning, for people.

    With 5xx the request may have been carried out: a gateway says that as well when it has waited too long.
    """

    def __init__(self, url: str, status: int, body: str = "") -> None:
        super().__init__(f"{url}: HTTP {status}" + (f": {body}" if body else ""))
        self.status = status
        self.maybe_done = status >= 500


class InvalidOutput(ClientError):
    """The structured content of a tool does not match the tool's own output schema."""

    maybe_done = True


class TaskFailed(ClientError):
    """A task ended without a result: it was cancelled, or there is nothing under its id."""

    maybe_done = True


class SkillMismatch(ClientError):
    """A file of a skill is not what its entry says: size, digest or frontmatter differ."""
