"""The process that serves the client on standard input and output.

Requests run concurrently and are answered as they are ready. One process does it all: a
reader beside it puts lines into the channel's inbox, and it takes turns between the inbox and
its mailbox, where answers and notifications arrive. Everything that one turn produced is
written together, so pipelined requests share system calls.

Which era: a request whose `_meta` names a protocol version is modern and stands alone;
`initialize` makes the client a legacy one for the life of the channel (MCP 2026-07-28,
versioning). Both may come from the same client.

After a crash: the successor finds the handshake and the unhandled input in the channel, and
answers the requests that were lost with an error, so that no client waits for ever.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import trio

from erlmcp_py import registry
from erlmcp_py.protocol.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    EncodeError,
    McpError,
    method_not_found,
    resource_not_found,
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
from erlmcp_py.protocol.lifecycle import EmptyResult, InitializeParams, SetLevelParams
from erlmcp_py.protocol.meta import find_meta, read_meta
from erlmcp_py.protocol.notifications import CANCELLED, CancelledParams
from erlmcp_py.protocol.subscriptions import (
    LISTEN,
    SubscribeParams,
    SubscriptionFilter,
    SubscriptionsListenParams,
)
from erlmcp_py.protocol.versions import LEGACY, negotiate_legacy
from erlmcp_py.server.process import Cancel, Dispatch, Honour
from erlmcp_py.server.scope import Scope
from erlmcp_py.sessions.asks import Ask, Asks, Withdraw
from erlmcp_py.transports.outlet import Outlet
from erlmcp_py.transports.stdio.channel import Channel, Handshake
from erlmcp_py.transports.stdio.lines import Line, TooLong
from erlmcp_py.transports.stdio.listening import LIMIT as MAX_SUBSCRIPTIONS
from erlmcp_py.transports.stdio.listening import Listening
from supervisors import (
    CallExit,
    ChildSpec,
    Exit,
    Pid,
    abandon,
    call,
    cast,
    demonitor,
    exit_signal,
    format_reason,
    monitor,
    receive,
    register,
    reply,
    send,
    send_request,
    spawn_link,
)
from supervisors import RequestId as Ticket
from supervisors import self as own_pid

_LISTENING: Final = (LISTEN, "resources/subscribe", "resources/unsubscribe")

CLIENT_GONE: Final = ("shutdown", "client_gone")
"""Exit reason when nobody reads the output any more."""


class StdioOptions(msgspec.Struct, frozen=True, kw_only=True):
    """name: registered as transport and process. server: which one is served; None for the one
    the transport is bound to, or the node's default. max_in_flight: requests at work at once;
    the next line is read when one is done.
    """

    name: str = "stdio"
    server: str | None = None
    max_in_flight: int = 1000


class StdioStatistics(msgspec.Struct, frozen=True):
    """Of this process: requests read, refused because too much waited at their server, and in
    flight now. Of the channel: bytes in and out.
    """

    requests: int
    overloaded: int
    in_flight: int
    bytes_in: int
    bytes_out: int


def child_spec(
    options: StdioOptions, channel: Channel | None = None, *, significant: bool = False
) -> ChildSpec:
    """The spec of the transport. Transient: it comes back after a crash, and stays away after
    the client has closed its end ("normal") or is gone (`CLIENT_GONE`).

    channel: None for this process's own standard input and output.
    """
    place = Channel() if channel is None else channel
    start = (start_link, (options, place))
    return ChildSpec(options.name, start, restart="transient", significant=significant)


async def start_link(options: StdioOptions, channel: Channel) -> Pid:
    """Start to serve the channel. Raises RegistryError if another transport has the name."""
    pid = spawn_link(serve, options, channel, label=options.name)
    try:
        register(options.name, pid)
        await registry.register_transport(options.name, pid, {"kind": "stdio"})
    except BaseException:
        exit_signal(pid, "kill")
        raise
    return pid


async def statistics(name: str = "stdio") -> StdioStatistics:
    """Counts of the transport `name`."""
    return await call(name, ("statistics",))  # type: ignore[no-any-return]


async def serve(options: StdioOptions, channel: Channel) -> None:
    """The life of the process: until the input has ended and everything is answered."""
    service = _Service(options, channel)
    service.take_over()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.read)
            await service.run()
            nursery.cancel_scope.cancel()
    finally:
        service.abandon_all("the transport stopped")
    if service.client_gone:
        raise Exit(CLIENT_GONE)


class _Call(msgspec.Struct, frozen=True):
    """A request at the server."""

    ticket: Ticket
    server: Pid
    scope: Scope

    def give_up(self, reason: str | None) -> None:
        """Want neither answer nor notifications any more, and stop the handler."""
        abandon(self.ticket)
        if isinstance(self.scope.notify, Outlet):
            self.scope.notify.closed = True
        cast(self.server, Cancel(self.scope.key, reason))


class _Service:
    """The state of one process on a channel."""

    def __init__(self, options: StdioOptions, channel: Channel) -> None:
        self.options = options
        self.channel = channel
        self.pid = own_pid()
        self.calls: dict[RequestId, _Call] = {}
        self.ids: dict[Ticket, RequestId] = {}
        self.listening = Listening(self.pid, channel.write)
        self.asks = Asks()
        self.askers: dict[Pid, Any] = {}
        self.room = trio.Event()
        self.requests = self.overloaded = 0
        self.client_gone = False

    # --- the two loops ------------------------------------------------------------------

    async def read(self) -> None:
        """Fill the inbox whenever it is empty, and say so to the mailbox."""
        channel = self.channel
        while not channel.ended:
            if channel.inbox:
                self.room = trio.Event()
                await self.room.wait()
                continue
            await channel.read()
            send(self.pid, ("input",))

    async def run(self) -> None:
        """Take turns between inbox and mailbox; write after each turn."""
        channel = self.channel
        while True:
            while channel.inbox and len(self.calls) < self.options.max_in_flight:
                await self._line(channel.inbox.popleft())
            if not channel.inbox:
                self.room.set()
            if await self._drain():
                continue
            try:
                await channel.flush()
            except OSError:
                self.client_gone = True
                return
            if channel.ended and not channel.inbox:
                self._end_asks("the client has closed its end")
                if not self.calls:
                    if not self._end_subscriptions("the input has ended"):
                        return
                    continue
            self._handle(await receive())

    async def _drain(self) -> bool:
        """Handle what is in the mailbox; True if there was something."""
        any_message = False
        while True:
            try:
                message = await receive(timeout=0)
            except trio.TooSlowError:
                return any_message
            any_message = True
            self._handle(message)

    # --- endings ------------------------------------------------------------------------

    def take_over(self) -> None:
        """Answer what a predecessor left unanswered, and tell of changes as it did."""
        shaken = self.channel.handshake
        if shaken is not None and shaken.subject is not None:
            self.listening.follow(shaken.subject, shaken.uris)
        for id in list(self.channel.unanswered):
            text = "the transport was restarted while this was at work; it may be repeated"
            self._answer(error_response(id, McpError(INTERNAL_ERROR, text)), id)

    def abandon_all(self, reason: str) -> None:
        """Cancel every call: nobody will hear the answer from this process."""
        for entry in self.calls.values():
            entry.give_up(reason)
        self.calls.clear()
        self._end_asks(reason)

    def _end_asks(self, reason: str) -> None:
        """Tell those who asked the client that no response will come."""
        for from_, answer in self.asks.close(reason):
            reply(from_, answer)

    def _end_subscriptions(self, reason: str) -> bool:
        """Answer the requests that opened subscriptions; whether there were any."""
        ended = self.listening.end(reason)
        for id in ended:
            self.channel.unanswered.pop(id, None)
        return bool(ended)

    # --- mailbox ------------------------------------------------------------------------

    def _handle(self, message: Any) -> None:
        if self.listening.handle(message):
            return
        match message:
            case ("$reply", ticket, answer):
                id = self._done(ticket)
                if id is not None:
                    self._answer(answer, id)
            case ("$error", ticket, reason):
                id = self._done(ticket)
                if id is not None:
                    text = self._excuse(reason)
                    self._answer(error_response(id, McpError(INTERNAL_ERROR, text)), id)
            case ("call_notify", outlet, notification):
                if outlet.taken():
                    self.channel.write(encode(notification))
            case ("$gen_cast", ("notify", notification)):
                self.channel.write(encode(notification))
            case ("call_ask", _, asked):
                self.channel.write(encode(asked))
            case ("$gen_call", from_, Ask() as ask):
                refused = self.asks.ask(ask, from_)
                if refused is not None:
                    reply(from_, refused)
                elif ask.asker not in self.askers:
                    self.askers[ask.asker] = monitor(ask.asker)
            case ("$gen_cast", Withdraw(ticket, reason)):
                self.asks.withdraw(ticket, reason)
                self._unwatch_askers()
            case ("DOWN", ref, "process", pid, _) if self.askers.get(pid) is ref:
                del self.askers[pid]
                self.asks.forget(pid, "the call has ended")
            case ("$gen_call", from_, ("statistics",)):
                channel = self.channel
                numbers = StdioStatistics(
                    self.requests,
                    self.overloaded,
                    len(self.calls),
                    channel.bytes_in,
                    channel.bytes_out,
                )
                reply(from_, numbers)

    def _excuse(self, reason: object) -> str:
        """Why a request has no answer."""
        if reason == "mailbox_full":
            self.overloaded += 1
            return "the server has too much to do; try again"
        return (
            f"the server went away while it worked on this: {format_reason(reason)}; "
            "the request may be repeated"
        )

    def _done(self, ticket: Ticket) -> RequestId | None:
        id = self.ids.pop(ticket, None)
        if id is not None:
            del self.calls[id]
        return id

    def _answer(self, message: Message, id: RequestId | None) -> None:
        """Write an answer; only then is its request no longer unanswered."""
        try:
            line = encode(message)
        except EncodeError as error:
            line = encode(error_response(error.id, error))
        self.channel.write(line)
        if id is not None:
            self.channel.unanswered.pop(id, None)

    # --- lines --------------------------------------------------------------------------

    async def _line(self, line: Line) -> None:
        if isinstance(line, TooLong):
            error = McpError(INVALID_REQUEST, f"the line is longer than {line.limit} bytes")
            self._answer(error_response(None, error), None)
            return
        if not line.strip():
            return
        try:
            message = decode(line)
        except McpError as error:
            self._answer(error_response(getattr(error, "id", None), error), None)
            return
        if isinstance(message, Request):
            await self._request(message)
        elif isinstance(message, Notification):
            if message.method == CANCELLED:
                self._cancel(message)
        else:
            self._response(message)

    async def _request(self, request: Request) -> None:
        self.requests += 1
        id = request.id
        if id in self.channel.unanswered:
            error = McpError(INVALID_REQUEST, f"a request with the id {id!r} is in flight")
            self._answer(error_response(id, error), None)
            return
        self.channel.unanswered[id] = None
        try:
            scope = self._scope(request)
            if scope is None:
                self._answer(Response(id, EmptyResult()), id)
                return
            server = await self._server()
            if request.method in _LISTENING:
                await self._listen(request, scope, server)
                return
            if request.method == "initialize":
                await self._follow(server)
        except CallExit as problem:
            text = f"the server went away: {format_reason(problem.cause)}; try again"
            self._answer(error_response(id, McpError(INTERNAL_ERROR, text)), id)
            return
        except McpError as error:
            self._answer(error_response(id, error), id)
            return
        ticket = send_request(server, Dispatch(request, scope))
        self.calls[id] = _Call(ticket, server, scope)
        self.ids[ticket] = id

    def _scope(self, request: Request) -> Scope | None:
        """The circumstances of a request; None if it was for the transport itself."""
        channel = self.channel
        outlet, key = Outlet(self.pid), (self.pid, request.id)
        if request.method == "initialize":
            params = params_as(request, InitializeParams)
            channel.handshake = Handshake(params, negotiate_legacy(params.protocol_version))
        elif (meta := find_meta(request)) is not None or channel.handshake is None:
            if meta is None and request.method == "ping":
                # The one request allowed before the handshake (MCP 2025-11-25, lifecycle).
                return Scope(era="legacy", version=LEGACY[0], key=key, notify=outlet)
            meta = meta or read_meta(request)
            return Scope(
                era="modern",
                version=meta.version,
                key=key,
                notify=outlet,
                client_info=meta.client_info,
                client_capabilities=meta.client_capabilities,
                log_level=meta.log_level,
            )
        elif request.method == "logging/setLevel":
            level = params_as(request, SetLevelParams).level
            channel.handshake = msgspec.structs.replace(channel.handshake, log_level=level)
            return None
        shaken = channel.handshake
        return Scope(
            era="legacy",
            version=shaken.version,
            key=key,
            notify=outlet,
            client=self.options.name,
            peer=self.pid,
            send=outlet.ask,
            client_info=shaken.params.client_info,
            client_capabilities=shaken.params.capabilities,
            log_level=shaken.log_level,
        )

    async def _listen(self, request: Request, scope: Scope, server: Pid) -> None:
        """Open a modern subscription, or change what a legacy client follows. Raises McpError."""
        if scope.era == "modern":
            if request.method != LISTEN:
                raise method_not_found(request.method)
            if len(self.listening) >= MAX_SUBSCRIPTIONS:
                text = f"{MAX_SUBSCRIPTIONS} subscriptions are open; cancel one first"
                raise McpError(INVALID_REQUEST, text)
            wanted = params_as(request, SubscriptionsListenParams).notifications
            if wanted.task_ids is not None:
                require_tasks(scope.client_capabilities)
            self.listening.open(request.id, *await call(server, Honour(wanted)))
            return
        shaken = self.channel.handshake
        if request.method == LISTEN or shaken is None:
            raise method_not_found(request.method)
        uri = params_as(request, SubscribeParams).uri
        uris = shaken.uris - {uri}
        subject, honoured = await call(
            server, Honour(SubscriptionFilter(resource_subscriptions=[uri]))
        )
        if honoured.resource_subscriptions is None:
            raise method_not_found(request.method)
        if request.method == "resources/subscribe":
            if not honoured.resource_subscriptions:
                raise resource_not_found(uri, "legacy")
            if len(uris) >= MAX_SUBSCRIPTIONS:
                text = f"{MAX_SUBSCRIPTIONS} resources are subscribed to; unsubscribe from some"
                raise McpError(INVALID_PARAMS, text)
            uris |= {uri}
        self.channel.handshake = msgspec.structs.replace(shaken, uris=uris)
        self.listening.follow(subject, uris)
        self._answer(Response(request.id, EmptyResult()), request.id)

    async def _follow(self, server: Pid) -> None:
        """From the handshake on a legacy client is told when a list changes."""
        shaken = self.channel.handshake
        assert shaken is not None
        subject, _ = await call(server, Honour(SubscriptionFilter()))
        self.channel.handshake = msgspec.structs.replace(shaken, subject=subject)
        self.listening.follow(subject, shaken.uris)

    async def _server(self) -> Pid:
        """The process of the server. Raises McpError."""
        options = self.options
        try:
            pid = await registry.lookup(options.server, transport=options.name)
            if pid is None:
                pid = await registry.lookup_soon(options.server, transport=options.name)
        except registry.ServerDown as down:
            raise McpError(INTERNAL_ERROR, f"{down}; try again") from None
        except CallExit:
            text = "the registry is being restarted; try again"
            raise McpError(INTERNAL_ERROR, text) from None
        if pid is None:
            what = "default server" if options.server is None else f"server {options.server!r}"
            raise McpError(INTERNAL_ERROR, f"this node has no {what}")
        return pid

    def _response(self, message: Response | ErrorResponse) -> None:
        """The client's answer to a request of ours; who no longer waits is not bothered."""
        answered = self.asks.answered(message)
        if answered is not None:
            reply(*answered)
            self._unwatch_askers()

    def _unwatch_askers(self) -> None:
        for asker in [pid for pid in self.askers if not self.asks.has(pid)]:
            demonitor(self.askers.pop(asker), flush=True)

    def _cancel(self, notification: Notification) -> None:
        """Stop a call; its request gets no answer (MCP, cancellation)."""
        try:
            params = params_as(notification, CancelledParams)
        except McpError:
            return  # a malformed notification has nobody to be told
        id = params.request_id
        if id is None:
            return
        if self.listening.cancel(id):
            self.channel.unanswered.pop(id, None)
            return
        entry = self.calls.pop(id, None)
        if entry is not None:
            del self.ids[entry.ticket]
            self.channel.unanswered.pop(id, None)
            entry.give_up(params.reason)
