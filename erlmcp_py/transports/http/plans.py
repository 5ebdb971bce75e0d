"""What a connection does with a request: the plans that `endpoint.decide` makes."""

from __future__ import annotations

from typing import Final

import msgspec

from erlmcp_py.protocol.errors import McpError, refused, status_of
from erlmcp_py.protocol.jsonrpc import Message, Request, encode, error_response
from erlmcp_py.protocol.meta import ModernMeta
from erlmcp_py.protocol.refusals import Refusal, refusal_of
from erlmcp_py.protocol.versions import Era
from erlmcp_py.transports.http.response import JSON, Headers
from erlmcp_py.transports.http.settings import Route

SESSION: Final = "session_id"
"""The parameter that names a session of HTTP+SSE."""


class Answer(msgspec.Struct, frozen=True):
    """Answer at once, without asking anybody. refusal: what it is of the catalogue, None of nothing."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: Headers = ()
    refusal: Refusal | None = None


class Visit(msgspec.Struct, frozen=True):
    """Ask a route that is not MCP's. head_only: the request was HEAD."""

    route: Route
    head_only: bool


class Invoke(msgspec.Struct, frozen=True):
    """Modern: one stateless request to `server` (None: the one the listener is bound to)."""

    server: str | None
    request: Request
    meta: ModernMeta


class Initialize(msgspec.Struct, frozen=True):
    """Legacy: open a session on `server`."""

    server: str | None
    request: Request


class Deliver(msgspec.Struct, frozen=True):
    """Legacy: a message within a session."""

    server: str | None
    session: str
    message: Message


class OpenStream(msgspec.Struct, frozen=True):
    """Legacy: the GET stream of a session."""

    server: str | None
    session: str


class EndSession(msgspec.Struct, frozen=True):
    """Legacy: DELETE."""

    server: str | None
    session: str


class OpenSse(msgspec.Struct, frozen=True):
    """HTTP+SSE: the stream that is a session. post_to: the path its client posts to."""

    server: str | None
    post_to: str

    def uri(self, session: str) -> str:
        """What the client is told of it (MCP 2024-11-05, transports)."""
        return f"{self.post_to}?{SESSION}={session}"


class PostSse(msgspec.Struct, frozen=True):
    """HTTP+SSE: a message for a session. id: of the message, if it is a request. stream: the path where
    sessions are opened.
    """

    server: str | None
    session: str
    id: str | int | None
    stream: str


class OpenSocket(msgspec.Struct, frozen=True):
    """Go on with WebSocket. headers: of the answer 101."""

    server: str | None
    headers: Headers


Plan = (
    Answer
    | Visit
    | Invoke
    | Initialize
    | Deliver
    | OpenStream
    | EndSession
    | OpenSse
    | PostSse
    | OpenSocket
)

ACCEPTED: Final = Answer(202)


def error_answer(
    id: str | int | None, error: McpError, era: Era, status: int | None = None
) -> Answer:
    """A JSON-RPC error as an HTTP answer; status: instead of the one that goes with the code."""
    entry = refusal_of(error.data)
    if status is None:
        status = status_of(error.code, error.data, era)
    body = encode(error_response(id, error))
    return Answer(status, body, JSON, retry_after(entry, status), entry)


def refusal(
    entry: Refusal, text: str | None = None, *, status: int | None = None, headers: Headers = ()
) -> Answer:
    """A request turned away by HTTP's or the transport's own rules; status: one of the entry's."""
    body = encode(error_response(None, refused(entry, text)))
    if status is None:
        status = entry.status
    return Answer(status, body, JSON, (*headers, *retry_after(entry, status)), entry)


def refused_stream(error: McpError) -> Answer:
    """The answer to a GET for which there is no stream."""
    entry = refusal_of(error.data)
    assert entry is not None
    return refusal(entry, error.message)


def retry_after(entry: Refusal | None, status: int) -> Headers:
    """The header for those who may try again, and when (RFC 9110, 10.2.3)."""
    if entry is None or entry.retry_after is None or status not in (429, 503):
        return ()
    return ((b"Retry-After", b"%d" % entry.retry_after),)
