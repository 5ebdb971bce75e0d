"""HTTP+SSE, the transport of MCP 2024-11-05: a stream to read from, and a URI to post to.

A session is its stream. The process of the connection that holds it open has the conversation with the
client (`transports.conversation`); it begins with an event that names the URI, and everything the server
has to say follows as events. What is posted to the URI, on any other connection, is put into the inbox of
the session and answered 202; its answer comes on the stream. When the stream ends, so do the session and
its calls; a client that lost it opens another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import trio

from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import refused
from erlmcp_py.transports.conversation import Conversation, Memory
from erlmcp_py.transports.http.answering import unavailable, write_answer
from erlmcp_py.transports.http.calling import find_server
from erlmcp_py.transports.http.plans import (
    ACCEPTED,
    Answer,
    OpenSse,
    PostSse,
    error_answer,
    refused_stream,
)
from erlmcp_py.transports.http.request import HttpRequest
from erlmcp_py.transports.http.sse_sessions import SseSession
from erlmcp_py.transports.net.wire import WRITE_SOON
from erlmcp_py.transports.pump import GOING_AWAY
from supervisors import receive

if TYPE_CHECKING:
    from erlmcp_py.transports.http.connection import Connection


def post(connection: Connection, http: HttpRequest, plan: PostSse) -> None:
    """Pass a message on to the process of its session."""
    session = connection.endpoint.sse_sessions.find(plan.session, plan.server)
    if session is None:
        text = f"there is no such session here; GET {plan.stream} to open a new one"
        answer = error_answer(plan.id, refused(refusals.SESSION_UNKNOWN, text), "legacy", 404)
    elif session.post(http.body):
        answer = ACCEPTED
    else:
        answer = unavailable(
            plan.id, "this session has been posted more than it has read", refusals.QUEUE_FULL
        )
    write_answer(connection, http, answer)


async def open_stream(connection: Connection, http: HttpRequest, plan: OpenSse) -> None:
    """Answer a GET: until the client leaves or the transport stops."""
    if connection.draining:
        text = "the node is going down; try again"
        write_answer(connection, http, unavailable(None, text, refusals.SHUTTING_DOWN))
        return
    server = await find_server(connection, plan.server, None)
    if isinstance(server, Answer):
        write_answer(connection, http, server)
        return
    streams = connection.endpoint.streams
    no_room = streams.enter()
    if no_room is not None:
        write_answer(connection, http, refused_stream(no_room))
        return
    sessions = connection.endpoint.sse_sessions
    session = sessions.open(plan.server, connection.pid, connection.config.limits.max_body)
    try:
        await _Stream(connection, http, plan, session).run()
    finally:
        sessions.close(session)
        streams.leave()


_COME_BACK: Final = 1.0
"""Seconds after which a client whose stream ends with the node may open another."""


class _Stream:
    def __init__(
        self, connection: Connection, http: HttpRequest, plan: OpenSse, session: SseSession
    ) -> None:
        self.wire = connection.wire
        self.connection = connection
        self.session = session
        self.uri = plan.uri(session.id)
        self.writer = connection.events(http)
        self.leaving = False
        self.put: Callable[[bytes], object] = self.wire.write
        self.talk = Conversation(
            connection.config.conversation,
            Memory(),
            self._write,
            transport=connection.config.name,
            server=plan.server,
            client=session.id,
        )

    async def run(self) -> None:
        connection, wire, writer = self.connection, self.wire, self.writer
        wire.write(writer.start(connection.always))
        wire.write(writer.endpoint(self.uri))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.watch)
            connection.last_words = self._goodbye
            connection.lasting = True
            try:
                await self._converse()
                if self.leaving:
                    self.talk.say_goodbye("the node is going down")
                    wire.write(writer.retry(_COME_BACK))
                    connection.closing = True
            finally:
                connection.last_words = None
                connection.lasting = False
                self.talk.abandon("the client has closed its stream")
            nursery.cancel_scope.cancel()
        wire.write(writer.end())
        connection.closing |= not writer.keep_alive

    async def _converse(self) -> None:
        """Take turns between inbox and mailbox, and write after each turn, until the client is gone."""
        wire, talk = self.wire, self.talk
        while not wire.gone:
            while (data := self.session.take()) is not None:
                if talk.crowded:
                    await self._drain()
                    await talk.advance()
                await talk.take(data)
                await self._flush_soon()
            await talk.advance()
            if await self._drain():
                continue
            await wire.flush()
            if self.leaving and talk.quiet:
                return
            if not wire.gone:
                await self._wait()

    async def _drain(self) -> bool:
        """Handle what is in the mailbox; whether there was something."""
        any_message = False
        while (message := await self.connection.poll()) is not None:
            any_message = True
            self._handle(message)
            await self._flush_soon()
        return any_message

    async def _flush_soon(self) -> None:
        if self.wire.unsent > WRITE_SOON:
            await self.wire.flush()

    async def _wait(self) -> None:
        """Until there is something to do; a comment is written when nothing comes for long."""
        try:
            self._handle(await receive(timeout=self.connection.config.keep_alive))
        except trio.TooSlowError:
            self.wire.write(self.writer.comment())

    def _handle(self, message: Any) -> None:
        """Of what was posted, or could not be sent, the next turn takes care."""
        if message == ("disconnected",):
            self.wire.gone = True
        elif message == GOING_AWAY:
            self.leaving = True
        else:
            self.talk.handle(message)

    def _write(self, message: bytes) -> None:
        self.put(self.writer.event(message))

    def _goodbye(self) -> bytes:
        """The end of every subscription, and of the stream, when the transport stops."""
        said: list[bytes] = []
        self.put = said.append
        self.talk.say_goodbye("the node is stopping")
        said.append(self.writer.end())
        return b"".join(said)
