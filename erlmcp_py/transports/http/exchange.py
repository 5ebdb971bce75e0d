"""Carrying out what a request asks for: each plan of `endpoint` to the room that knows it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from erlmcp_py.protocol.refusals import UNAVAILABLE
from erlmcp_py.protocol.subscriptions import LISTEN
from erlmcp_py.registry import at_hand
from erlmcp_py.server.scope import Scope
from erlmcp_py.transports.http import legacy, legacy_sse
from erlmcp_py.transports.http.answering import write_answer
from erlmcp_py.transports.http.calling import call_server, find_server
from erlmcp_py.transports.http.listening import listen
from erlmcp_py.transports.http.plans import (
    Answer,
    Deliver,
    EndSession,
    Initialize,
    Invoke,
    OpenSocket,
    OpenSse,
    OpenStream,
    Plan,
    PostSse,
    Visit,
    refusal,
)
from erlmcp_py.transports.http.request import HttpRequest
from erlmcp_py.transports.http.resuming import open_stream
from erlmcp_py.transports.http.upgrading import open_socket
from erlmcp_py.transports.outlet import Outlet
from supervisors import CallExit, Pid

if TYPE_CHECKING:
    from erlmcp_py.transports.http.connection import Connection


def carry_out(connection: Connection, http: HttpRequest, plan: Plan) -> Awaitable[None] | None:
    """Do what the plan says and write the answer; the caller flushes. None if that has been done, else
    what is to be awaited: most requests are answered without a coroutine.
    """
    match plan:
        case Invoke():
            return _invoke(connection, http, plan)
        case Answer():
            write_answer(connection, http, plan)
        case Deliver():
            return legacy.deliver(connection, http, plan)
        case Initialize():
            return legacy.initialize(connection, http, plan)
        case OpenStream():
            return open_stream(connection, http, plan)
        case EndSession():
            return legacy.end_session(connection, http, plan)
        case PostSse():
            legacy_sse.post(connection, http, plan)
        case OpenSse():
            return legacy_sse.open_stream(connection, http, plan)
        case OpenSocket():
            return open_socket(connection, http, plan)
        case Visit():
            return _visit(connection, http, plan)
    return None


def _invoke(connection: Connection, http: HttpRequest, plan: Invoke) -> Awaitable[None] | None:
    server = at_hand(plan.server, connection.config.name)
    if server is None:
        return _invoke_when_found(connection, http, plan)
    return _invoke_at(connection, http, plan, server)


async def _invoke_when_found(connection: Connection, http: HttpRequest, plan: Invoke) -> None:
    server = await find_server(connection, plan.server, plan.request.id)
    if isinstance(server, Answer):
        write_answer(connection, http, server)
        return
    waiting = _invoke_at(connection, http, plan, server)
    if waiting is not None:
        await waiting


def _invoke_at(
    connection: Connection, http: HttpRequest, plan: Invoke, server: Pid
) -> Awaitable[None] | None:
    request, meta = plan.request, plan.meta
    if request.method == LISTEN:
        return listen(connection, http, server, request, meta)
    key = (connection.pid, request.id)
    scope = Scope(
        era="modern",
        version=meta.version,
        key=key,
        notify=Outlet(connection.pid, backlog=connection.backlog),
        client_info=meta.client_info,
        client_capabilities=meta.client_capabilities,
        log_level=meta.log_level,
        header=http.headers.get,
    )
    return call_server(connection, http, server, request, scope)


async def _visit(connection: Connection, http: HttpRequest, plan: Visit) -> None:
    try:
        status, headers, body = await plan.route(http)
    except CallExit as problem:
        answer = refusal(UNAVAILABLE, f"nobody answers for {http.path}: {problem}")
        write_answer(connection, http, answer)
        return
    content_type = b"application/octet-stream"
    pairs = []
    for name, value in headers.items():
        if name.lower() == "content-type":
            content_type = value.encode("latin-1")
        else:
            pairs.append((name.encode("latin-1"), value.encode("latin-1")))
    write_answer(connection, http, Answer(status, body, content_type, pairs))
