"""The GET of a session: the stream for what belongs to no request, or the rest of a lost one.

MCP 2025-11-25, Streamable HTTP. A client that names the last event it saw gets what followed on the
same stream. If that was the answer to a request, the response ends with the answer; if it was the
stream of an earlier GET, it goes on as that. An id that is not known here opens a new stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio

from erlmcp_py.protocol.jsonrpc import encode
from erlmcp_py.sessions.record import SessionView
from erlmcp_py.sessions.streams import EventStream, EventStreams
from erlmcp_py.subscriptions import Announcement
from erlmcp_py.transports.http.answering import write_answer
from erlmcp_py.transports.http.finding import find_session
from erlmcp_py.transports.http.plans import Answer, OpenStream, refused_stream
from erlmcp_py.transports.http.request import HttpRequest
from supervisors import Pid, cast, demonitor, monitor, receive

if TYPE_CHECKING:
    from erlmcp_py.transports.http.connection import Connection


_COME_BACK: Final = 1.0
"""Seconds after which a client whose stream ends with the node may open another."""


async def open_stream(connection: Connection, http: HttpRequest, plan: OpenStream) -> None:
    """Answer a GET: until the client leaves, the session ends, or the stream does."""
    found = await find_session(plan.session, plan.server, None)
    if isinstance(found, Answer):
        write_answer(connection, http, found)
        return
    streams = connection.endpoint.streams
    no_room = streams.enter(plan.session)
    if no_room is not None:
        write_answer(connection, http, refused_stream(no_room))
        return
    try:
        await _read(connection, http, plan, *found)
    finally:
        streams.leave(plan.session)


async def _read(
    connection: Connection, http: HttpRequest, plan: OpenStream, session: Pid, view: SessionView
) -> None:
    last_seen = http.headers.get(b"last-event-id")
    resumed = None if last_seen is None else view.streams.resume(last_seen.decode("latin-1"))
    if resumed is None:
        kept, position = view.streams.open(listening=True), 0
    else:
        kept, position = resumed
    stream = _Stream(connection, http, plan, view.streams, kept, position)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.wire.watch)
        await stream.run(session, resumed=resumed is not None)
        nursery.cancel_scope.cancel()
    connection.wire.write(stream.writer.end())
    connection.closing |= not stream.writer.keep_alive


class _Stream:
    """One GET. kept, position: the stream that is read, and how far."""

    def __init__(
        self,
        connection: Connection,
        http: HttpRequest,
        plan: OpenStream,
        streams: EventStreams,
        kept: EventStream,
        position: int,
    ) -> None:
        self.connection = connection
        self.plan = plan
        self.streams = streams
        self.kept = kept
        self.position = position
        self.listening = streams.is_listening(kept)
        self.writer = connection.events(http)
        self.leaving = False
        self.session_ref: Any = None

    async def run(self, session: Pid, *, resumed: bool) -> None:
        connection, kept = self.connection, self.kept
        connection.wire.write(self.writer.start(connection.always))
        kept.read_by(connection.pid)
        self._attach(session, resumed=resumed)
        # The rest of an answer ends with the answer.
        connection.lasting = self.listening
        leaving = self.listening and connection.draining
        try:
            while self._write_kept() and not (connection.wire.gone or leaving):
                await connection.wire.flush()
                if not await self._next():
                    return
                leaving = self.leaving
            if leaving:
                connection.wire.write(self.writer.retry(_COME_BACK))
                connection.closing = True
        finally:
            connection.lasting = False
            demonitor(self.session_ref, flush=True)
            if kept.reader is connection.pid:
                kept.read_by(None)
            if self.listening:
                cast(session, ("detach", connection.pid))

    def _write_kept(self) -> bool:
        """Write what has been appended; False if that was all there will be."""
        kept = self.kept
        for position, data in kept.after(self.position):
            self.connection.wire.write(self.writer.event(data, id=kept.id_of(position)))
            self.position = position
        return not kept.ended

    async def _next(self) -> bool:
        """Wait for a message and act on it; False if the stream ends with it."""
        try:
            message = await receive(timeout=self.connection.config.keep_alive)
        except trio.TooSlowError:
            self.connection.wire.write(self.writer.comment())
            return True
        match message:
            case ("notify", Announcement() as announcement):
                self.streams.append(self.kept, announcement.plain())
            case ("notify", notification):
                self.streams.append(self.kept, encode(notification))
            case ("DOWN", ref, _, _, _) if ref is self.session_ref:
                found = await find_session(self.plan.session, self.plan.server, None)
                if isinstance(found, Answer):
                    return False
                self._attach(found[0], resumed=True)
            case ("going_away",):
                self.leaving = True
            case ("disconnected",):
                self.connection.wire.gone = True
        return self.kept.reader is self.connection.pid

    def _attach(self, session: Pid, *, resumed: bool) -> None:
        self.session_ref = monitor(session)
        if self.listening:
            cast(session, ("attach", self.connection.pid, resumed))
