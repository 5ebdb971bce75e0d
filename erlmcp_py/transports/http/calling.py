"""A request at a server, from dispatch to the last byte of its answer.

The common case is a plain handler: `call_or_send` runs it on this stack and hands the answer back,
which is written as JSON. Everything else is a call that takes its time
(`_Waiting`): the socket is watched beside it, the first notification turns the response into
an event stream, and so does a long silence, so that comments can keep the connection open.
Until then the status is not sent, which is what lets an error have its own (MCP 2026-07-28,
error codes).

A client that goes away cancels a modern call and does not cancel a legacy one (MCP
2025-11-25, transports: a disconnect is not a cancellation). Its connection process then
stays, without a client, until the answer comes. If it had begun to stream, the rest is kept by
the session, for a client that comes back for it (`resuming`).
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final

import trio

from erlmcp_py import registry
from erlmcp_py.guards import tally
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import refused
from erlmcp_py.protocol.jsonrpc import (
    ErrorResponse,
    Message,
    Request,
    RequestId,
    encode,
    error_response,
)
from erlmcp_py.server.process import Cancel, Dispatch
from erlmcp_py.server.scope import Scope
from erlmcp_py.sessions.streams import EventStream, EventStreams
from erlmcp_py.transports.http.answering import (
    busy,
    encoded,
    unavailable,
    write_answer,
    write_message,
)
from erlmcp_py.transports.http.plans import Answer, error_answer
from erlmcp_py.transports.http.request import HttpRequest
from erlmcp_py.transports.http.sse import SseWriter
from erlmcp_py.transports.outlet import Outlet
from supervisors import (
    Pid,
    abandon,
    call_or_send,
    cancel_timer,
    cast,
    format_reason,
    receive,
    send_after,
    send_request,
)
from supervisors import RequestId as Ticket

if TYPE_CHECKING:
    from erlmcp_py.transports.http.connection import Connection

PRIMED_SINCE: Final = "2025-11-25"
"""The first revision whose streams begin with an event that has an id and no data."""

_UNWATCHED: Final = 0.05
"""Seconds a call runs before its socket is watched: most handlers that wait do so for less, and
watching costs more than they do.
"""


async def find_server(
    connection: Connection, name: str | None, id: RequestId | None
) -> Pid | Answer:
    """The process of a server, or the answer that says why there is none."""
    try:
        return await registry.find(name, transport=connection.config.name)
    except registry.ServerDown as down:
        return unavailable(id, down)
    except registry.UnknownServer as unknown:
        error = refused(refusals.PATH_UNKNOWN, str(unknown))
        return error_answer(id, error, "legacy", 404)


def call_server(
    connection: Connection,
    http: HttpRequest,
    server: Pid,
    request: Request,
    scope: Scope,
    streams: EventStreams | None = None,
) -> Awaitable[None] | None:
    """Dispatch the request and write what comes of it; None if that has been done, else what is to be
    awaited.

    streams: of the session; None where a broken stream cannot be resumed.
    """
    dispatch = Dispatch(request, scope)
    if streams is not None and connection.config.resumable_answers:
        ticket = send_request(server, dispatch)
        waiting = _Waiting(connection, http, server, request, scope, ticket, streams)
        waiting.open()
        return waiting.run()
    answer, pending = call_or_send(server, dispatch)
    if pending is None:
        write_message(connection, http, answer, scope.era)
        return None
    return _Waiting(connection, http, server, request, scope, pending, streams).run()


class _Waiting:
    """A call that did not answer at once."""

    __slots__ = (
        "closing_in", "connection", "done", "http", "kept", "request", "scope", "server", "stream",
        "streams", "ticket",
    )  # fmt: skip

    def __init__(
        self,
        connection: Connection,
        http: HttpRequest,
        server: Pid,
        request: Request,
        scope: Scope,
        ticket: Ticket,
        streams: EventStreams | None,
    ) -> None:
        self.connection = connection
        self.http = http
        self.server = server
        self.request = request
        self.scope = scope
        self.ticket = ticket
        self.streams = streams
        self.stream: SseWriter | None = None
        self.kept: EventStream | None = None
        self.closing_in: float | None = None
        self.done = False

    def open(self) -> None:
        """Answer as a stream whatever comes."""
        self._open_stream()

    async def run(self) -> None:
        """Until the answer is written, or nobody wants it any more."""
        connection, scope = self.connection, self.scope
        message = await connection.poll()
        # What was written for earlier requests must not wait for this one.
        await connection.wire.flush()
        if scope.session is not None:
            cast(scope.session, ("started", self.request.id, connection.pid))
        try:
            if message is None:
                message = await self._soon()
            if message is not None:
                self._handle(message)
            if self.done:
                return
            if self.closing_in is None:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(connection.wire.watch)
                    await self._listen()
                    nursery.cancel_scope.cancel()
            if not self.done:
                await self._let_go()
                await self._listen()
        finally:
            if not self.done:
                self._give_up("the connection was closed")
            if self.kept is not None and self.streams is not None:
                self.streams.end(self.kept)
            if scope.session is not None:
                cast(scope.session, ("finished", self.request.id))

    async def _soon(self) -> Any:
        """A message that comes within the time in which nobody watches the socket, or None.

        WHY a timer: it costs a quarter of a time limit, and nearly every call that waits ends before it.
        """
        over = ("unwatched",)
        timer = send_after(_UNWATCHED, self.connection.pid, over)
        message = await receive()
        if message is over:
            return None
        if cancel_timer(timer) is None:
            await receive(lambda other: other is over)  # it has come as well
        return message

    async def _listen(self) -> None:
        """Handle messages until the call has ended, or the client has to be let go; written is what
        was handled in one go.
        """
        message = await self.connection.poll()
        while True:
            if message is None:
                await self.connection.wire.flush()
                self._notice_departure()
                if self.done:
                    return
                message = await self._next()
            if message is not None:
                if self._handle(message):
                    return
                message = await self.connection.poll()

    async def _next(self) -> Any:
        """The next message, or None when it was quiet and a comment was written instead."""
        config = self.connection.config
        quiet = config.sse_delay if self.stream is None else config.keep_alive
        if self.connection.wire.gone:
            return await receive()
        try:
            return await receive(timeout=quiet)
        except trio.TooSlowError:
            self.connection.wire.write(self._open_stream().comment())
            return None

    def _handle(self, message: Any) -> bool:
        """Act on a message; True if the call has ended with it, or the client has to be let go.
        Strays are dropped.
        """
        match message:
            case ("$reply", ticket, answer) if ticket is self.ticket:
                self._finish(answer)
            case ("$error", ticket, "mailbox_full") if ticket is self.ticket:
                self.done = True
                write_answer(self.connection, self.http, busy(self.request.id))
            case ("$error", ticket, reason) if ticket is self.ticket:
                text = (
                    f"the server went away while it worked on this: {format_reason(reason)}; "
                    "the request may be repeated"
                )
                self._finish(
                    error_response(self.request.id, refused(refusals.TRANSPORT_ERROR, text))
                )
            case ("call_notify", Outlet() as outlet, notification) if outlet is self.scope.notify:
                outlet.taken(notification)
                self._event(encode(notification))
            case ("call_ask", Outlet() as outlet, asked) if outlet is self.scope.notify:
                self._event(encode(asked))
            case ("call_close", Outlet() as outlet, retry) if outlet is self.scope.notify:
                self._close_soon(retry)
            case ("disconnected",):
                self.connection.wire.gone = True
                self._notice_departure()
            case ("cancelled", id, reason) if id == self.request.id:
                self._give_up(reason, cancel=True)
                self._close_stream(self._open_stream())
        return self.done or (self.closing_in is not None and not self.connection.wire.gone)

    def _notice_departure(self) -> None:
        if self.connection.wire.gone and self.scope.era == "modern" and not self.done:
            self._give_up("the client closed the connection")

    def _give_up(self, reason: str | None, *, cancel: bool = False) -> None:
        """Want no answer any more, and tell the server so where that is a cancellation."""
        self.done = True
        abandon(self.ticket)
        if cancel or self.scope.era == "modern":
            cast(self.server, Cancel(self.scope.key, reason))

    def _finish(self, answer: Message) -> None:
        self.done = True
        if self.stream is None:
            write_message(self.connection, self.http, answer, self.scope.era)
        else:
            body, answer = encoded(answer)
            if isinstance(answer, ErrorResponse):
                tally.count_error(answer.error.data)
            self._event(body)
            self._close_stream(self.stream)

    def _event(self, data: bytes) -> None:
        stream = self._open_stream()
        id = None
        if self.kept is not None and self.streams is not None:
            id = self.streams.append(self.kept, data)
        self.connection.wire.write(stream.event(data, id=id))

    def _open_stream(self) -> SseWriter:
        stream = self.stream
        if stream is None:
            stream = self.stream = self.connection.events(self.http)
            self.connection.wire.write(stream.start(self.connection.always))
            if self.streams is not None:
                self.kept = self.streams.open()
                if self.scope.version >= PRIMED_SINCE:
                    self.connection.wire.write(stream.primer(self.kept.id_of(0)))
        return stream

    def _close_soon(self, retry: float) -> None:
        """Let the client go, if it has an id to come back with."""
        if self.connection.wire.gone or self.streams is None:
            return
        stream = self._open_stream()
        assert self.kept is not None
        if self.scope.version >= PRIMED_SINCE or self.kept.last:
            self.connection.wire.write(stream.retry(retry))
            self.closing_in = retry

    async def _let_go(self) -> None:
        """End the response, not the call: another process goes on with the client."""
        stream = self._open_stream()
        self._close_stream(stream)
        if stream.keep_alive:
            await self.connection.hand_over()
        else:
            await self.connection.wire.flush()
            self.connection.wire.gone = True

    def _close_stream(self, stream: SseWriter) -> None:
        self.connection.wire.write(stream.end())
        self.connection.closing |= not stream.keep_alive
