"""The legacy era over HTTP: sessions are opened, used, listened to and ended (MCP 2025-11-25)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from erlmcp_py import sessions
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import (
    McpError,
    refused,
)
from erlmcp_py.protocol.jsonrpc import (
    ErrorResponse,
    Notification,
    Request,
    Response,
    error_response,
    params_as,
)
from erlmcp_py.protocol.lifecycle import InitializeParams
from erlmcp_py.protocol.notifications import CANCELLED, ROOTS_CHANGED, CancelledParams
from erlmcp_py.protocol.subscriptions import SubscriptionFilter
from erlmcp_py.protocol.versions import negotiate_legacy
from erlmcp_py.server.process import Dispatch, Honour, RootsChanged
from erlmcp_py.server.scope import Scope
from erlmcp_py.sessions.record import SessionView
from erlmcp_py.sessions.wishes import SET_LEVEL, SUBSCRIBE, UNSUBSCRIBE
from erlmcp_py.transports.http.answering import busy, unavailable, write_answer, write_message
from erlmcp_py.transports.http.calling import call_server, find_server
from erlmcp_py.transports.http.finding import find_session, unknown_session
from erlmcp_py.transports.http.plans import (
    ACCEPTED,
    Answer,
    Deliver,
    EndSession,
    Initialize,
    error_answer,
)
from erlmcp_py.transports.http.request import HttpRequest
from erlmcp_py.transports.outlet import Outlet
from erlmcp_py.transports.subscribing import check_subscribable
from supervisors import CallExit, Pid, call, cast, format_reason

if TYPE_CHECKING:
    from erlmcp_py.transports.http.connection import Connection


async def initialize(connection: Connection, http: HttpRequest, plan: Initialize) -> None:
    """Have the server answer `initialize`; only if it does, open a session."""
    request = plan.request
    try:
        params = params_as(request, InitializeParams)
    except McpError as error:
        write_answer(connection, http, error_answer(request.id, error, "legacy"))
        return
    server = await find_server(connection, plan.server, request.id)
    if isinstance(server, Answer):
        write_answer(connection, http, server)
        return
    version = negotiate_legacy(params.protocol_version)
    key = (connection.pid, request.id)
    scope = Scope(
        era="legacy",
        version=version,
        key=key,
        notify=Outlet(connection.pid, backlog=connection.backlog),
        client_info=params.client_info,
        client_capabilities=params.capabilities,
    )
    try:
        subject, _ = await call(server, Honour(SubscriptionFilter()), math.inf)
        # As long as it takes: an upstream may have to be installed first.
        answer = await call(server, Dispatch(request, scope), math.inf)
    except CallExit as problem:
        if problem.cause == "mailbox_full":
            write_answer(connection, http, busy(request.id))
            return
        text = f"the server went away: {format_reason(problem.cause)}"
        subject, answer = None, error_response(request.id, refused(refusals.TRANSPORT_ERROR, text))
    if not isinstance(answer, Response):
        write_message(connection, http, answer, "legacy")
        return
    try:
        record, _ = await sessions.create(plan.server, params, version, subject)
    except sessions.SessionLimit as problem:
        write_answer(connection, http, unavailable(request.id, problem, refusals.EXHAUSTED))
        return
    except sessions.SessionUnavailable as problem:
        write_answer(connection, http, unavailable(request.id, problem))
        return
    headers = ((b"Mcp-Session-Id", record.id.encode("ascii")),)
    write_message(connection, http, answer, "legacy", headers)


async def deliver(connection: Connection, http: HttpRequest, plan: Deliver) -> None:
    """A request, notification or response within a session."""
    message = plan.message
    id = message.id if isinstance(message, Request) else None
    found = await find_session(plan.session, plan.server, id)
    if isinstance(found, Answer):
        write_answer(connection, http, found)
        return
    session, view = found
    if isinstance(message, Request):
        await _request(connection, http, plan, message, session, view)
        return
    if isinstance(message, Notification) and message.method == CANCELLED:
        try:
            params = params_as(message, CancelledParams)
        except McpError as error:
            write_answer(connection, http, error_answer(None, error, "legacy", 400))
            return
        if params.request_id is not None:
            cast(session, ("cancel", params.request_id, params.reason))
    elif isinstance(message, Notification) and message.method == ROOTS_CHANGED:
        server = await find_server(connection, plan.server, None)
        if isinstance(server, Pid):  # one that is not there asks anew anyway
            cast(server, RootsChanged(_scope_of_news(session, view)))
    elif isinstance(message, Response | ErrorResponse):
        cast(session, ("response", message))
    write_answer(connection, http, ACCEPTED)


def _scope_of_news(session: Pid, view: SessionView) -> Scope:
    """The circumstances of what a client says that is no request."""
    return Scope(
        era="legacy",
        version=view.version,
        key=(session, ROOTS_CHANGED),
        notify=lambda message: cast(session, ("notify", message)),
        client_info=view.client_info,
        client_capabilities=view.client_capabilities,
        log_level=view.log_level,
        client=view.id,
        session=session,
        peer=session,
    )


async def _request(
    connection: Connection,
    http: HttpRequest,
    plan: Deliver,
    request: Request,
    session: Pid,
    view: SessionView,
) -> None:
    if request.method == SET_LEVEL:
        try:
            answer = await call(session, ("answer", request))
        except CallExit as problem:
            write_answer(connection, http, unavailable(request.id, problem))
        else:
            write_message(connection, http, answer, "legacy")
        return
    server = await find_server(connection, plan.server, request.id)
    if isinstance(server, Answer):
        write_answer(connection, http, server)
        return
    if request.method in (SUBSCRIBE, UNSUBSCRIBE):
        await _subscribe(connection, http, request, session, server)
        return
    key = (session, request.id)
    outlet = Outlet(connection.pid, backlog=connection.backlog)
    scope = Scope(
        era="legacy",
        version=view.version,
        key=key,
        notify=outlet,
        client_info=view.client_info,
        client_capabilities=view.client_capabilities,
        log_level=view.log_level,
        client=view.id,
        session=session,
        peer=session,
        send=outlet.ask,
        close_stream=outlet.close_stream,
    )
    waiting = call_server(connection, http, server, request, scope, view.streams)
    if waiting is not None:
        await waiting


async def _subscribe(
    connection: Connection, http: HttpRequest, request: Request, session: Pid, server: Pid
) -> None:
    """Have the session subscribe to a resource that the server has, or no longer."""
    try:
        await check_subscribable(request, server)
        answer = await call(session, ("answer", request))
    except McpError as error:
        answer = error_response(request.id, error)
    except CallExit as problem:
        write_answer(connection, http, unavailable(request.id, problem))
        return
    write_message(connection, http, answer, "legacy")


async def end_session(connection: Connection, http: HttpRequest, plan: EndSession) -> None:
    """DELETE: the session's calls in flight are cancelled with it."""
    found = await find_session(plan.session, plan.server, None)
    if isinstance(found, Answer):
        write_answer(connection, http, found)
        return
    try:
        known = await sessions.delete(plan.session)
    except sessions.SessionUnavailable as problem:
        write_answer(connection, http, unavailable(None, problem))
        return
    write_answer(connection, http, Answer(204) if known else unknown_session())
