"""`subscriptions/listen` over HTTP: a response that stays open and tells of changes (MCP 2026-07-28).

The stream begins with what of the wish is honoured, and ends with a result when the node goes down,
or its server is served no more.
It outlives a crash of its server and of the process that keeps the subscriptions: both are found by
name. After the latter nobody knows what was missed, so everything is announced once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import trio

from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.extensions.tasks import require as require_tasks
from erlmcp_py.protocol.jsonrpc import (
    Response,
    encode,
    error_response,
    notification,
    params_as,
    raw,
)
from erlmcp_py.protocol.meta import subscription_meta
from erlmcp_py.protocol.notifications import ACKNOWLEDGED
from erlmcp_py.protocol.shape import shape_result
from erlmcp_py.protocol.subscriptions import (
    SubscriptionFilter,
    SubscriptionsAcknowledgedParams,
    SubscriptionsListenParams,
    SubscriptionsListenResult,
)
from erlmcp_py.server.process import Honour
from erlmcp_py.subscriptions import (
    AGAIN,
    NAME,
    Announcement,
    Subscription,
    announce_all,
    changes_of,
    subscribe,
    unsubscribe,
)
from erlmcp_py.transports.http.answering import unavailable, write_answer, write_message
from erlmcp_py.transports.http.request import HttpRequest
from erlmcp_py.transports.http.sse import SseWriter
from supervisors import CallExit, Pid, call, demonitor, monitor, receive, send_after, whereis
from supervisors import self as own_pid

if TYPE_CHECKING:
    from erlmcp_py.protocol.jsonrpc import Request
    from erlmcp_py.protocol.meta import ModernMeta
    from erlmcp_py.transports.http.connection import Connection


async def listen(
    connection: Connection, http: HttpRequest, server: Pid, request: Request, meta: ModernMeta
) -> None:
    """Answer one `subscriptions/listen`: returns when the stream has ended."""
    try:
        params = params_as(request, SubscriptionsListenParams)
        if params.notifications.task_ids is not None:
            require_tasks(meta.client_capabilities)
    except McpError as error:
        write_message(connection, http, error_response(request.id, error), "modern")
        return
    try:
        name, honoured = await call(server, Honour(params.notifications), math.inf)
    except CallExit as problem:
        write_answer(connection, http, unavailable(request.id, problem))
        return
    streams = connection.endpoint.streams
    no_room = streams.enter()
    if no_room is not None:
        write_message(connection, http, error_response(request.id, no_room), "modern")
        return
    try:
        await _Stream(connection, http, request, meta, name, honoured).run()
    finally:
        streams.leave()


class _Form:
    """An announcement as an event, for all streams whose id has as many bytes: they differ in nothing
    else, and most have the same.
    """

    __slots__ = ("event", "head", "tag", "tail")

    def __init__(self, announcement: Announcement, tag: bytes, writer: SseWriter) -> None:
        self.tag = tag
        self.event = writer.event(announcement.tagged(tag))
        blank = b"\0" * len(tag)  # JSON has no such byte
        self.head, _, self.tail = writer.event(announcement.tagged(blank)).partition(blank)

    def of(self, tag: bytes) -> bytes:
        """The event for one of them."""
        return self.event if tag == self.tag else self.head + tag + self.tail


class _Stream:
    def __init__(
        self,
        connection: Connection,
        http: HttpRequest,
        request: Request,
        meta: ModernMeta,
        name: str,
        honoured: SubscriptionFilter,
    ) -> None:
        self.connection = connection
        self.wire = connection.wire
        self.request = request
        self.meta = meta
        self.honoured = honoured
        changes = changes_of(honoured)
        self.subscription = Subscription(name, connection.pid, changes, self._write_now)
        self.open = False
        self.tag = bytes(raw(request.id))
        self.writer = connection.events(http)
        self.leaving = connection.draining
        self.kind = (len(self.tag), self.writer.chunked)
        self.watched: Any = None

    async def run(self) -> None:
        connection, writer = self.connection, self.writer
        params = SubscriptionsAcknowledgedParams(
            notifications=self.honoured, meta=subscription_meta(self.request.id)
        )
        connection.wire.write(writer.start(connection.always))
        connection.wire.write(writer.event(encode(notification(ACKNOWLEDGED, params))))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.wire.watch)
            self._subscribe()
            self.open = True
            connection.last_words = self._goodbye
            connection.lasting = True
            try:
                while not (connection.wire.gone or self.leaving):
                    await self._next()
            finally:
                self.open = connection.lasting = False
                connection.last_words = None
                unsubscribe(self.subscription)
                demonitor(self.watched, flush=True)
            nursery.cancel_scope.cancel()
        if self.leaving:
            connection.wire.write(self._result())
            connection.closing = True
        connection.wire.write(writer.end())
        connection.closing |= not writer.keep_alive

    def _subscribe(self) -> None:
        self.watched = monitor(NAME)
        subscribe(self.subscription)

    def _write_now(self, announcement: Announcement) -> bool:
        """In the turn of the publisher: see `Subscription`."""
        if not self.open:
            return False
        if announcement.forms is None:
            event = self.writer.event(announcement.tagged(self.tag))
        else:
            form = announcement.forms.get(self.kind)
            if form is None:
                form = announcement.forms[self.kind] = _Form(announcement, self.tag, self.writer)
            event = form.of(self.tag)
        return self.wire.send_now(event)

    def _goodbye(self) -> bytes:
        """The graceful end, when the transport stops."""
        return self._result() + self.writer.end()

    def _result(self) -> bytes:
        """What ends the subscription (MCP 2026-07-28, subscriptions)."""
        result = SubscriptionsListenResult(meta=subscription_meta(self.request.id))
        answer = Response(self.request.id, shape_result(result, "modern", self.meta.version))
        return self.writer.event(encode(answer))

    async def _next(self) -> None:
        """Write what there is, then wait for the next message and act on it."""
        connection = self.connection
        message = await connection.poll()
        if message is None:
            await connection.wire.flush()
            try:
                message = await receive(timeout=connection.config.keep_alive)
            except trio.TooSlowError:
                connection.wire.write(self.writer.comment())
                return
        match message:
            case ("changed", subscription, announcement) if subscription is self.subscription:
                subscription.taken(announcement.change)
                connection.wire.write(self.writer.event(announcement.tagged(self.tag)))
            case ("DOWN", ref, _, _, _) if ref is self.watched:
                send_after(AGAIN, own_pid(), ("subscribe_again", self.subscription))
            case ("subscribe_again", subscription) if subscription is self.subscription:
                if whereis(NAME) is None:
                    send_after(AGAIN, own_pid(), message)
                    return
                self._subscribe()
                announce_all(subscription)
            case ("ended", subscription) if subscription is self.subscription:
                self.leaving = True
            case ("going_away",):
                self.leaving = True
            case ("disconnected",):
                connection.wire.gone = True
