"""What a client says and what it is told; the one process that serves it is the caller of everything here.

Requests run concurrently and are answered as they are ready. WHY a request may have to wait while all
else comes in: calls that ask their client something end only when its answers are read, and one that
hangs only when its cancellation is. So responses and notifications are never held up. Requests beyond
`in_flight` wait for one to end, as many bytes of them as may; one more is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from erlmcp_py import registry
from erlmcp_py.guards import tally
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    DecodeError,
    EncodeError,
    McpError,
    method_not_found,
    refused,
)
from erlmcp_py.protocol.extensions.tasks import require as require_tasks
from erlmcp_py.protocol.jsonrpc import (
    ErrorResponse,
    Message,
    Notification,
    Request,
    RequestId,
    Response,
    decode,
    encode,
    error_response,
    params_as,
)
from erlmcp_py.protocol.lifecycle import EmptyResult
from erlmcp_py.protocol.notifications import CANCELLED, ROOTS_CHANGED, CancelledParams
from erlmcp_py.protocol.subscriptions import LISTEN, SubscriptionFilter, SubscriptionsListenParams
from erlmcp_py.server.process import Honour, RootsChanged
from erlmcp_py.server.scope import Scope
from erlmcp_py.sessions.asks import Ask, Withdraw
from erlmcp_py.sessions.questions import Questions
from erlmcp_py.sessions.wishes import SET_LEVEL, SUBSCRIBE, UNSUBSCRIBE, wish
from erlmcp_py.subscriptions import Subscription
from erlmcp_py.transports.conversation.calls import Calls
from erlmcp_py.transports.conversation.handshake import circumstances
from erlmcp_py.transports.conversation.listening import LIMIT as MAX_SUBSCRIPTIONS
from erlmcp_py.transports.conversation.listening import Listening
from erlmcp_py.transports.conversation.memory import Memory
from erlmcp_py.transports.outlet import Unread
from erlmcp_py.transports.subscribing import check_subscribable
from supervisors import CallExit, Pid, call, cast, format_reason, yield_
from supervisors import self as own_pid

_OWN: Final = frozenset({LISTEN, SUBSCRIBE, UNSUBSCRIBE, SET_LEVEL})
"""Requests that the conversation answers, where they belong to the era of the request."""

_ROOTS: Final = Request(ROOTS_CHANGED, ROOTS_CHANGED)
"""Stands for the notification where circumstances are those of a request."""

_SLICE: Final = 64
"""Messages of one client after which the others have their turn."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Of one client. in_flight: requests at work at once. waiting: bytes of further ones that wait
    until one has ended.
    """

    in_flight: int = 1000
    waiting: int = 4 * 1024 * 1024


class Conversation:
    """One client. Made by the process that serves it, whose mailbox the answers come to.

    write: puts an encoded message on the way to the client. transport: whose binding to a server
    counts where `server` is None. client: names the client for as long as it stays one.
    """

    __slots__ = (
        "_at_work", "_client", "_in_flight", "_limits", "_listening", "_memory", "_pid",
        "_questions", "_server", "_taken", "_transport", "_unread", "_write", "behind", "calls",
        "dropped", "overloaded", "requests",
    )  # fmt: skip

    def __init__(
        self,
        limits: Limits,
        memory: Memory,
        write: Callable[[bytes], object],
        *,
        transport: str,
        server: str | None,
        client: str,
    ) -> None:
        self._limits = limits
        self._in_flight = limits.in_flight
        self._memory = memory
        self._write = write
        self._transport = transport
        self._server = server
        self._client = client
        self._pid = own_pid()
        self._listening = Listening(self._pid, write)
        self._questions = Questions()
        self._unread = Unread()
        self.calls = Calls()
        self._at_work = self.calls.at_work
        self.requests = self.overloaded = 0
        """Requests read; those that were refused because too much waited here or at their server."""
        self.behind = False
        """The client does not read: news of its calls are dropped, which is better than late."""
        self.dropped = 0
        self._taken = 0

    @property
    def crowded(self) -> bool:
        """Whether a request would have to wait. Answers that lie in the mailbox make room."""
        return len(self._at_work) >= self._in_flight or bool(self._memory.waiting)

    @property
    def quiet(self) -> bool:
        """Whether no request is at work or waits; open subscriptions do not count."""
        return not self.calls and not self._memory.waiting

    @property
    def idle(self) -> bool:
        """Whether the client waits for nothing, changes included that it has subscribed to."""
        return not self._memory.unanswered and not self._memory.waiting

    @property
    def expectant(self) -> bool:
        """Whether mail may come that is not the consequence of a message of the client."""
        return bool(self._memory.unanswered) or self._memory.handshake is not None

    # --- beginning and end --------------------------------------------------------------

    def take_over(self) -> None:
        """Answer what a predecessor left unanswered, and tell of changes as it did."""
        shaken = self._memory.handshake
        if shaken is not None and shaken.subject is not None:
            self._listening.follow(shaken.subject, shaken.wishes.uris)
        for id in list(self._memory.unanswered):
            text = "the transport was restarted while this was at work; it may be repeated"
            self._refuse(id, refused(refusals.TRANSPORT_ERROR, text))

    def finish(self) -> bool:
        """The client says no more, but listens: whether everything it asked for has been answered.

        Until then to be called again after each message; subscriptions end when the calls have.
        """
        self._questions.close("the client has closed its end")
        if self.quiet:
            self.say_goodbye("the input has ended")
        return self.quiet

    def say_goodbye(self, reason: str) -> None:
        """End the open subscriptions: their requests are answered."""
        for id in self._listening.end(reason):
            self._memory.unanswered.pop(id, None)

    def abandon(self, reason: str) -> None:
        """Cancel every call: nobody will hear the answer from this process."""
        self.calls.abandon(reason)
        self._questions.close(reason)

    # --- mailbox ------------------------------------------------------------------------

    def handle(self, message: Any) -> bool:
        """Act on a message of the process's mailbox; False if it is none of ours."""
        match message:
            case ("$reply", ticket, answer):
                id = self.calls.done(ticket)
                if id is not None:
                    self._answer(answer, id)
            case ("$error", ticket, reason):
                id = self.calls.done(ticket)
                if id is not None:
                    self._refuse(id, self._excuse(reason))
            case ("call_notify", outlet, notification):
                if not outlet.taken(notification):
                    pass
                elif self.behind:
                    self.dropped += 1
                else:
                    self._write(encode(notification))
            case ("$gen_cast", ("notify", notification)):
                self._write(encode(notification))
            case ("call_ask", _, asked):
                self._write(encode(asked))
            case ("$gen_call", from_, Ask() as ask):
                self._questions.ask(ask, from_, self._send)
            case ("$gen_cast", Withdraw() as withdrawn):
                self._questions.withdraw(withdrawn)
            case ("ended", Subscription() as subscription):
                id = self._listening.ended(subscription, "the server is served no more")
                if id is not None:
                    self._memory.unanswered.pop(id, None)
            case ("DOWN", ref, "process", pid, _) if self._questions.down(ref, pid):
                pass
            case _:
                return self._listening.handle(message)
        return True

    def _excuse(self, reason: object) -> McpError:
        """Why a request has no answer."""
        if reason == "mailbox_full":
            self.overloaded += 1
            return refused(refusals.QUEUE_FULL, "the server has too much to do; try again")
        text = (
            f"the server went away while it worked on this: {format_reason(reason)}; "
            "the request may be repeated"
        )
        return refused(refusals.TRANSPORT_ERROR, text)

    def _answer(self, message: Message, id: RequestId) -> None:
        """Write an answer; only then is its request no longer unanswered."""
        if type(message) is ErrorResponse:
            tally.count_error(message.error.data)
        try:
            data = encode(message)
        except EncodeError as error:
            data = encode(error_response(error.id, error))
        self._write(data)
        self._memory.unanswered.pop(id, None)

    def _refuse(self, id: RequestId, error: McpError) -> None:
        self._answer(error_response(id, error), id)

    # --- messages of the client ---------------------------------------------------------

    def reject(self, error: McpError, id: RequestId | None = None) -> None:
        """Say that something which came in is no message, or may not be."""
        tally.count_error(error.data)
        self._write(encode(error_response(id, error)))

    async def take(self, data: bytes) -> None:
        """Act on a message of the client; white space is none."""
        self._taken += 1
        if self._taken % _SLICE == 0:
            await yield_()
        if not data.strip():
            return
        try:
            message = decode(data)
        except DecodeError as error:
            self.reject(error, error.id)
            return
        if isinstance(message, Request):
            if self._admitted(message, len(data)):
                await self._begin(message)
        elif isinstance(message, Notification):
            if message.method == CANCELLED:
                self._cancel(message)
            elif message.method == ROOTS_CHANGED:
                await self._roots_changed()
        else:
            self._questions.answered(message)

    async def advance(self) -> None:
        """Begin requests that wait, as long as there is room."""
        while len(self._at_work) < self._in_flight:
            request = self._memory.next()
            if request is None:
                return
            await self._begin(request)

    def _admitted(self, request: Request, size: int) -> bool:
        """Whether it can begin; if not, it waits or has been refused."""
        self.requests += 1
        id, memory = request.id, self._memory
        if id in memory.unanswered or id in memory.waiting:
            text = f"a request with the id {id!r} is in flight"
            self.reject(refused(refusals.DUPLICATE, text), id)
        elif not memory.waiting and len(self._at_work) < self._in_flight:
            return True
        elif memory.waiting_bytes + size <= self._limits.waiting:
            memory.put_off(request, size)
        else:
            self.overloaded += 1
            text = (
                f"{len(self.calls)} requests of this client are at work and {len(memory.waiting)} "
                "wait; wait for answers before sending more"
            )
            self.reject(refused(refusals.TOO_MANY_AT_ONCE, text), id)
        return False

    async def _begin(self, request: Request) -> None:
        id = request.id
        self._memory.unanswered[id] = None
        try:
            scope = circumstances(request, self._memory, self._pid, self._client, self._unread)
            server = await registry.find(self._server, transport=self._transport)
            if request.method in _OWN:
                await self._own(request, scope, server)
                return
            if request.method == "initialize":
                await self._follow(server)
        except registry.ServerDown as down:
            self._refuse(id, refused(refusals.UNAVAILABLE, f"{down}; try again"))
        except registry.UnknownServer as unknown:
            error = refused(refusals.PATH_UNKNOWN, str(unknown), code=INTERNAL_ERROR)
            self._refuse(id, error)
        except CallExit as problem:
            text = f"the server went away: {format_reason(problem.cause)}; try again"
            self._refuse(id, refused(refusals.UNAVAILABLE, text))
        except McpError as error:
            self._refuse(id, error)
        else:
            answer = self.calls.begin(request, server, scope)
            if answer is not None:
                self._answer(answer, id)

    async def _own(self, request: Request, scope: Scope, server: Pid) -> None:
        """Open a modern subscription, or note a wish of a legacy client. Raises McpError, CallExit."""
        if scope.era == "modern":
            if request.method != LISTEN:
                raise method_not_found(request.method)
            await self._listen(request, scope, server)
            return
        shaken = self._memory.handshake
        if request.method == LISTEN or shaken is None:
            raise method_not_found(request.method)
        subject = shaken.subject
        if request.method != SET_LEVEL:
            subject = await check_subscribable(request, server)
        wishes = wish(request, shaken.wishes)
        self._memory.handshake = msgspec.structs.replace(shaken, subject=subject, wishes=wishes)
        if subject is not None and request.method != SET_LEVEL:
            self._listening.follow(subject, wishes.uris)
        self._answer(Response(request.id, EmptyResult()), request.id)

    async def _listen(self, request: Request, scope: Scope, server: Pid) -> None:
        if len(self._listening) >= MAX_SUBSCRIPTIONS:
            text = f"{MAX_SUBSCRIPTIONS} subscriptions are open; cancel one first"
            raise refused(refusals.QUOTA_EXCEEDED, text, code=INVALID_REQUEST)
        wanted = params_as(request, SubscriptionsListenParams).notifications
        if wanted.task_ids is not None:
            require_tasks(scope.client_capabilities)
        self._listening.open(request.id, *await call(server, Honour(wanted)))

    async def _follow(self, server: Pid) -> None:
        """From the handshake on a legacy client is told when a list changes."""
        shaken = self._memory.handshake
        assert shaken is not None
        subject, _ = await call(server, Honour(SubscriptionFilter()))
        self._memory.handshake = msgspec.structs.replace(shaken, subject=subject)
        self._listening.follow(subject, shaken.wishes.uris)

    def _send(self, message: Message) -> bool:
        self._write(encode(message))
        return True

    async def _roots_changed(self) -> None:
        """The server is told; one that is not there asks anew anyway."""
        shaken = self._memory.handshake
        if shaken is None:
            return
        try:
            server = await registry.find(self._server, transport=self._transport)
        except (registry.RegistryError, CallExit):
            return
        scope = circumstances(_ROOTS, self._memory, self._pid, self._client, self._unread)
        cast(server, RootsChanged(scope))

    def _cancel(self, notification: Notification) -> None:
        """Stop a call; its request gets no answer (MCP, cancellation)."""
        try:
            params = params_as(notification, CancelledParams)
        except McpError:
            return  # a malformed notification has nobody to be told
        id = params.request_id
        if id is None or self._memory.drop(id) is not None:
            return
        if self._listening.cancel(id) or self.calls.cancel(id, params.reason):
            self._memory.unanswered.pop(id, None)
