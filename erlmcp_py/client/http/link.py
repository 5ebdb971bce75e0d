"""A link to an HTTP endpoint, in both eras (MCP, Streamable HTTP).

Requests are sent in the tasks of those who make them, each on a connection of its own while it lasts. A
modern server is told of a cancellation by the end of that connection, an older one by a notification.
Beside them a legacy link has a session, and a stream on which the server may speak unasked; both belong
to the connection's process.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

import trio

from erlmcp_py.client.calls import Answer, Call, InFlight
from erlmcp_py.client.errors import (
    BadAnswer,
    ClientError,
    ConnectError,
    ConnectionLost,
    HttpStatus,
    SessionLost,
)
from erlmcp_py.client.http.events import (
    MAX_RETRY,
    MESSAGE,
    READ_TIMEOUT,
    Cursor,
    EventParser,
    TooLarge,
)
from erlmcp_py.client.http.headers import header_lines
from erlmcp_py.client.http.pool import Reply
from erlmcp_py.client.http.replies import Replies
from erlmcp_py.client.http.sending import Sender
from erlmcp_py.client.identity import Identity, encode_call, encode_notification
from erlmcp_py.client.inbox import Inbox, report
from erlmcp_py.client.link import Hello
from erlmcp_py.client.where import AtUrl
from erlmcp_py.protocol.errors import UNSUPPORTED_VERSION, DecodeError
from erlmcp_py.protocol.headers import NAMED_BY, encode_value
from erlmcp_py.protocol.jsonrpc import ErrorResponse, Notification, Request, Response, decode
from erlmcp_py.protocol.notifications import CANCELLED
from erlmcp_py.protocol.subscriptions import LISTEN
from erlmcp_py.protocol.versions import LATEST, Era
from supervisors import spawn

MAX_RESUMED: Final = 1000
"""How often the stream of one request is taken up again."""
_LEAVE: Final = 2.0
"""Seconds to end a session, or to tell of a cancellation."""
_STAND_WAIT: Final = 0.5
"""Seconds to wait for the head of a stream on which nothing need have happened yet."""
_UNANSWERED: Final = "the server closed the stream without an answer"
_CHANGED: Final = "the server speaks other revisions than before"
_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_BOTH: Final = b"Accept: application/json, text/event-stream\r\n"


class HttpLink:
    """A `Link`."""

    keeps_time = False

    def __init__(self, where: AtUrl, identity: Identity, inbox: Inbox) -> None:
        self.era: Era = "modern"
        self.version: str = LATEST
        self.hello: Hello | None = None
        self.calls = InFlight()
        self._identity = identity
        self._inbox = inbox
        self._sender = Sender(where)
        self._replies = Replies(self._post)
        self._session: str | None = None
        self._greeted = trio.Event()
        self._gone = trio.Event()
        self._standing = trio.Event()
        self._untold = 0
        self._told = trio.Event()

    async def send(self, call: Call) -> Answer:
        """See `Link`."""
        if call.method == LISTEN:
            return await self._send(call)
        busy = self._sender.pool.busy
        try:
            busy.acquire_nowait()
        except trio.WouldBlock:
            await busy.acquire()
        try:
            return await self._send(call)
        finally:
            busy.release()

    async def _send(self, call: Call) -> Answer:
        self.calls.begin(call)
        try:
            if self.era == "modern":
                return await self._send_modern(call)
            return await self._send_legacy(call)
        finally:
            self.calls.end(call)

    async def tell(self, method: str, params: Any) -> None:
        """See `Link`."""
        await self._post(encode_notification(method, params), method)

    def greeted(self, hello: Hello) -> None:
        """See `Link`."""
        self.hello = hello
        self._greeted.set()

    async def attend(self) -> None:
        """A legacy session: its stream, and its end; of a modern server that it speaks what it spoke."""
        await self._greeted.wait()
        if self.era == "modern":
            await self._gone.wait()
            raise SessionLost(self._about(_CHANGED))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stand)
            await self._gone.wait()
            nursery.cancel_scope.cancel()
        raise SessionLost(self._about("the server has ended the session"))

    async def listening(self) -> None:
        """See `Link`: an older server says what is new on a stream of its own, or nowhere."""
        if self.era == "legacy":
            with trio.move_on_after(_STAND_WAIT):
                await self._standing.wait()

    def lose(self, make: Callable[[], BaseException]) -> None:  # noqa: ARG002 -- of other links
        """Requests go on, in their own tasks; questions do not."""
        self._inbox.forget(self)

    async def leave(self) -> None:
        """Tell of what was cancelled and end the session, as far as that takes no time, and close what
        is idle.
        """
        try:
            with trio.move_on_after(_LEAVE, shield=True):
                while self._untold:
                    self._told = trio.Event()
                    await self._told.wait()
            if self._session is not None and not self._gone.is_set():
                with trio.move_on_after(_LEAVE, shield=True):
                    reply = await self._sender.open("DELETE", self._legacy_headers())
                    reply.abort()
        except ClientError:
            return  # a server need not allow it, or be there
        finally:
            self._sender.close()

    # --- 2026-07-28 -----------------------------------------------------------------------

    async def _send_modern(self, call: Call) -> Answer:
        body = encode_call(call, self._identity.modern_meta(self.version, call))
        reply = await self._sender.open("POST", self._modern_headers(call), body)
        try:
            answer = await self._read(reply, call, Cursor())
            if answer is None:
                raise ConnectionLost(self._about(_UNANSWERED))
        except BaseException:
            reply.abort()
            raise
        reply.close()
        if isinstance(answer, ErrorResponse) and self._has_changed(answer):
            self._gone.set()
            raise SessionLost(self._about(_CHANGED))
        return answer

    def _has_changed(self, answer: ErrorResponse) -> bool:
        """Whether the server does not speak any more what was agreed on."""
        if answer.error.code != UNSUPPORTED_VERSION or self.hello is None:
            return False
        data = answer.error.data
        supported = data.get("supported") if isinstance(data, dict) else None
        return isinstance(supported, list) and self.version not in supported

    def _modern_headers(self, call: Call) -> bytes:
        method = call.method
        lines = b"%sMCP-Protocol-Version: %s\r\nMcp-Method: %s\r\n" % (
            _BOTH,
            self.version.encode(),
            method.encode(),
        )
        named = NAMED_BY.get(method)
        if named is not None:
            target = call.params.get(named)
            if isinstance(target, str):
                lines += b"Mcp-Name: %s\r\n" % encode_value(target)
        if call.headers:
            lines += header_lines(call.headers)
        return lines

    # --- up to 2025-11-25 -----------------------------------------------------------------

    async def _send_legacy(self, call: Call) -> Answer:
        """WHY the scope: some servers put the answer on another stream of the session than the one
        that is read here.
        """
        cursor = Cursor()
        try:
            with trio.CancelScope() as call.reading:
                answer = await self._exchange("POST", encode_call(call, {}), call, cursor)
                resumed = 0
                while answer is None:
                    if cursor.last is None or resumed >= MAX_RESUMED:
                        raise ConnectionLost(self._about(_UNANSWERED))
                    resumed += 1
                    await trio.sleep(cursor.retry)
                    answer = await self._resume(call, cursor)
                return answer
            return await call.wait()
        except trio.Cancelled:
            if call.method != "initialize" and call.answer is None:
                params = {"requestId": call.id, "reason": "the client wants no answer any more"}
                self._untold += 1
                spawn(self._tell_soon, CANCELLED, params, label="tells of a cancellation")
            raise

    async def _exchange(
        self, verb: str, body: bytes, call: Call | None, cursor: Cursor
    ) -> Answer | None:
        """The answer; None if the stream ended before it."""
        accept = _BOTH if verb == "POST" else b"Accept: text/event-stream\r\n"
        if cursor.last is not None:
            accept += header_lines({"Last-Event-ID": cursor.last.encode()})
        reply = await self._sender.open(verb, accept + self._legacy_headers(), body)
        try:
            head = reply.head
            if call is None:
                self._standing.set()
            if call is not None and call.method == "initialize":
                self._session = head.headers.get("mcp-session-id", self._session)
            if head.status == 404 and self._session is not None:
                self._gone.set()
                raise SessionLost(self._about("the server does not know the session"))
            if (
                verb == "GET"
                and head.media_type != _EVENTS
                and (call is None or head.status >= 300)
            ):
                text = "there is no event stream"
                raise HttpStatus(self._sender.address.shown, head.status, text)
            answer = await self._read(reply, call, cursor)
        except BaseException:
            reply.abort()
            raise
        reply.close()
        return answer

    async def _resume(self, call: Call, cursor: Cursor) -> Answer | None:
        """None: the stream may be taken up once more. WHY another error: the request was sent, and what is
        refused here is only to hear of it.
        """
        try:
            return await self._exchange("GET", b"", call, cursor)
        except (ConnectError, ConnectionLost, HttpStatus, BadAnswer) as problem:
            if _passes(problem):
                return None
            text = f"the stream with the answer cannot be taken up again: {problem}"
            raise ConnectionLost(text) from None

    def _legacy_headers(self) -> bytes:
        if not self._greeted.is_set() and self._session is None:
            return b""
        lines = b"MCP-Protocol-Version: %s\r\n" % self.version.encode()
        if self._session is not None:
            lines += header_lines({"Mcp-Session-Id": self._session})
        return lines

    async def _stand(self) -> None:
        """Keep the stream open on which the server speaks unasked, if it has one."""
        cursor = Cursor()
        failures = 0
        while True:
            began = trio.current_time()
            try:
                await self._exchange("GET", b"", None, cursor)
            except SessionLost:
                return  # `attend` knows
            except ClientError as problem:
                if isinstance(problem, HttpStatus) and not _passes(problem):
                    return  # 405: it has none
                failures += 1
            finally:
                self._standing.set()
            if trio.current_time() - began > MAX_RETRY:
                failures = 0
            pause = min(cursor.retry * 2 ** min(failures, 10), MAX_RETRY)
            await trio.sleep(pause * (1 - 0.5 * random.random()) if failures else pause)

    async def _tell_soon(self, method: str, params: Any) -> None:
        try:
            with trio.move_on_after(_LEAVE):
                await self.tell(method, params)
        except ClientError as problem:
            report(f"{method} could not be sent", str(problem))
        finally:
            self._untold -= 1
            self._told.set()

    # --- both -----------------------------------------------------------------------------

    def _about(self, problem: str) -> str:
        """The problem with its place."""
        return f"{self._sender.address.shown}: {problem}"

    async def _post(self, message: bytes, method: str = "") -> None:
        headers = _BOTH
        if self.era == "modern":
            headers += b"MCP-Protocol-Version: %s\r\nMcp-Method: %s\r\n" % (
                self.version.encode(),
                method.encode(),
            )
        else:
            headers += self._legacy_headers()
        reply = await self._sender.open("POST", headers, message)
        try:
            head = reply.head
            body = await reply.body() if head.status >= 300 else b""
        except BaseException:
            reply.abort()
            raise
        reply.close()
        if head.status >= 300:
            if head.status == 404 and self._session is not None:
                self._gone.set()
            raise HttpStatus(self._sender.address.shown, head.status, self._sender.said(body))

    async def _read(self, reply: Reply, call: Call | None, cursor: Cursor) -> Answer | None:
        head = reply.head
        if head.media_type == _EVENTS and head.status < 300:
            return await self._follow(reply, call, cursor)
        body = await reply.body()
        where = self._sender.address
        if head.media_type != _JSON or not body:
            if head.status >= 300:
                plain = head.media_type.startswith("text/plain")
                raise HttpStatus(where.shown, head.status, self._sender.said(body) if plain else "")
            what = (head.media_type if body else "") or "nothing"
            raise BadAnswer(
                f"{where.shown} answered with {what} where JSON or an event stream is due"
            )
        try:
            message = decode(body)
        except DecodeError as problem:
            if head.status >= 300:
                raise HttpStatus(where.shown, head.status, self._sender.said(body)) from None
            text = f"the answer is no JSON-RPC message: {problem.message}"
            raise BadAnswer(self._about(text)) from None
        if isinstance(message, Response) and call is not None and message.id == call.id:
            return message
        if isinstance(message, ErrorResponse) and (
            message.id is None or call is None or message.id == call.id
        ):
            return message
        raise BadAnswer(self._about("the answer is not to the request that was sent"))

    async def _follow(self, reply: Reply, call: Call | None, cursor: Cursor) -> Answer | None:
        """The answer among the events of a stream; None if it ended before."""
        parser = EventParser()
        while True:
            with trio.move_on_after(READ_TIMEOUT) as patience:
                try:
                    data = await reply.more()
                except ConnectionLost:
                    if cursor.last is None or self.era == "modern":
                        raise
                    return None
            if patience.cancelled_caught:
                raise ConnectionLost(self._about(f"the stream was silent for {READ_TIMEOUT:g} s"))
            if not data:
                return None
            try:
                events = parser.feed(data)
            except TooLarge as problem:
                raise BadAnswer(self._about(str(problem))) from None
            for event in events:
                cursor.seen(event)
                if event.data and event.name == MESSAGE:
                    answer = self._take(event.data, call)
                    if answer is not None:
                        return answer

    def _take(self, data: bytes, call: Call | None) -> Answer | None:
        """What an event says; the answer if it is that."""
        try:
            message = decode(data)
        except DecodeError as problem:
            text = f"an event is no JSON-RPC message: {problem.message}"
            if call is None:
                report("the server said what nobody understands", text)
                return None
            raise BadAnswer(self._about(text)) from None
        if isinstance(message, Notification):
            self._inbox.notified(message, self, self.calls.find, call)
        elif isinstance(message, Request):
            if self.era == "legacy":
                calls = self.calls.all()
                self._inbox.asked(message, self, self.version, self._replies.send, calls, call)
            else:
                report("the server sent a request, which 2026-07-28 forbids", message.method)
        elif call is not None and message.id == call.id:
            return message
        elif self.era == "modern" or not self._answered_elsewhere(message):
            self.calls.strangers += 1
            if not self.calls.knew(message.id):  # else it was given up
                report("the server answered what nobody asked", repr(message.id))
        return None

    def _answered_elsewhere(self, answer: Answer) -> bool:
        """The answer of another request than the one whose stream this is."""
        call = None if answer.id is None else self.calls.find(answer.id)
        if call is None or call.reading is None:
            return False
        self.calls.answered(answer)
        call.reading.cancel()
        return True


def _passes(problem: ClientError) -> bool:
    """Whether it may be gone when a stream is asked for once more."""
    if isinstance(problem, HttpStatus):
        return problem.status == 429 or problem.status >= 500
    return isinstance(problem, ConnectError | ConnectionLost) and not isinstance(
        problem, SessionLost
    )
