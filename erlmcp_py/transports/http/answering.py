"""Answers as responses on a connection: plans that are answers already, and JSON-RPC messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from erlmcp_py.protocol.errors import INTERNAL_ERROR, EncodeError, McpError, http_status
from erlmcp_py.protocol.jsonrpc import ErrorResponse, Message, RequestId, encode, error_response
from erlmcp_py.protocol.versions import Era
from erlmcp_py.transports.http.endpoint import Answer, error_answer
from erlmcp_py.transports.http.request import HttpRequest
from erlmcp_py.transports.http.response import Headers, response

if TYPE_CHECKING:
    from erlmcp_py.transports.http.connection import Connection

RETRY_SOON: Headers = ((b"Retry-After", b"1"),)


def write_answer(connection: Connection, http: HttpRequest, answer: Answer) -> None:
    """Write an answer that is complete; the caller flushes."""
    if answer.status == 503:
        connection.unavailable += 1
    connection.write(
        response(
            answer.status,
            answer.body,
            content_type=answer.content_type,
            headers=answer.headers,
            keep_alive=http.keep_alive,
            head_only=http.method == "HEAD",
            version=http.version,
        )
    )


def write_message(
    connection: Connection, http: HttpRequest, message: Message, era: Era, headers: Headers = ()
) -> None:
    """A JSON-RPC answer as the whole HTTP answer."""
    body, message = encoded(message)
    status = http_status(message.error.code, era) if type(message) is ErrorResponse else 200
    connection.write(
        response(status, body, headers=headers, keep_alive=http.keep_alive, version=http.version)
    )


def encoded(message: Message) -> tuple[bytes, Message]:
    """The bytes of an answer; of an error where a handler's result has no JSON form."""
    try:
        return encode(message), message
    except EncodeError as error:
        replacement = error_response(error.id, error)
        return encode(replacement), replacement


BUSY: Final = "the server has too much to do"
"""What is said of a server whose mailbox is full (`ServerProcess.init`)."""


def unavailable(id: RequestId | None, problem: object) -> Answer:
    """503 for what is being restarted, or full: worth another try in a second."""
    answer = error_answer(id, McpError(INTERNAL_ERROR, f"{problem}; try again"), "legacy", 503)
    return Answer(503, answer.body, headers=RETRY_SOON)
