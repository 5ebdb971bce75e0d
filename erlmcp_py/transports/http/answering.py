"""Answers as responses on a connection: plans that are answers already, and JSON-RPC messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlmcp_py.guards import tally
from erlmcp_py.protocol.errors import EncodeError, refused, status_of
from erlmcp_py.protocol.jsonrpc import ErrorResponse, Message, RequestId, encode, error_response
from erlmcp_py.protocol.refusals import QUEUE_FULL, UNAVAILABLE, Refusal, refusal_of
from erlmcp_py.protocol.versions import Era
from erlmcp_py.transports.http.plans import Answer, error_answer, retry_after
from erlmcp_py.transports.http.request import HttpRequest
from erlmcp_py.transports.http.response import Headers

if TYPE_CHECKING:
    from erlmcp_py.transports.http.connection import Connection


def write_answer(connection: Connection, http: HttpRequest, answer: Answer) -> None:
    """Write an answer that is complete; the caller flushes."""
    if answer.status == 503:
        connection.unavailable += 1
    if answer.refusal is not None:
        tally.count(answer.refusal)
    connection.respond(http, answer.status, answer.body, answer.content_type, answer.headers)


def write_message(
    connection: Connection, http: HttpRequest, message: Message, era: Era, headers: Headers = ()
) -> None:
    """A JSON-RPC answer as the whole HTTP answer."""
    body, message = encoded(message)
    status = 200
    if type(message) is ErrorResponse:
        error = message.error
        entry, status = refusal_of(error.data), status_of(error.code, error.data, era)
        headers = (*headers, *retry_after(entry, status))
        connection.unavailable += status == 503
        if entry is not None:
            tally.count(entry)
    connection.respond(http, status, body, headers=headers)


def encoded(message: Message) -> tuple[bytes, Message]:
    """The bytes of an answer; of an error where a handler's result has no JSON form."""
    try:
        return encode(message), message
    except EncodeError as error:
        replacement = error_response(error.id, error)
        return encode(replacement), replacement


def busy(id: RequestId | None) -> Answer:
    """503 for a call to a server whose mailbox is full (`ServerProcess.init`)."""
    return unavailable(id, "the server has too much to do", QUEUE_FULL)


def unavailable(id: RequestId | None, problem: object, entry: Refusal = UNAVAILABLE) -> Answer:
    """503 for what is being restarted, or full: worth another try in a second."""
    return error_answer(id, refused(entry, f"{problem}; try again"), "legacy", 503)
