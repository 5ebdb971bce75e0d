"""One legacy session as a process.

It holds what outlives a request but not the session: the log level, the event streams the
client keeps open, the calls that still run, so that they can be cancelled from another connection
(`notifications/cancelled`) and end with the session (DELETE), and what the server has asked the
client and got no response to.

A session is not in the way of its requests: a connection reads a `SessionView` and talks to
the server itself. Only a call that does not answer at once is entered here, for as long as
it runs. To cancel it, the session tells the connection that waits for it (``("cancelled", id,
reason)``), which knows whom it asked.
"""

from __future__ import annotations

from typing import Any

import msgspec

from erlmcp_py.protocol.errors import McpError, method_not_found
from erlmcp_py.protocol.jsonrpc import (
    ErrorResponse,
    Request,
    RequestId,
    Response,
    error_response,
    params_as,
)
from erlmcp_py.protocol.lifecycle import EmptyResult, LogLevel, SetLevelParams
from erlmcp_py.sessions.asks import Ask, Asks, Withdraw
from erlmcp_py.sessions.record import SessionRecord, SessionView
from supervisors import GenServer, Pid, cast, demonitor, monitor, reply, send, trap_exit
from supervisors import self as own_pid

MANAGER = "sessions"
METHODS = frozenset({"logging/setLevel"})
"""Requests that a session answers itself."""


class SessionStatistics(msgspec.Struct, frozen=True):
    """calls: requests in flight. streams: open GET streams. undelivered: notifications that
    found no stream. asks: requests of ours without a response.
    """

    calls: int
    streams: int
    undelivered: int
    asks: int


class _Call(msgspec.Struct, frozen=True):
    connection: Pid
    ref: Any


class _State:
    def __init__(self, record: SessionRecord) -> None:
        self.record = record
        self.log_level: LogLevel | None = None
        self.calls: dict[RequestId, _Call] = {}
        self.streams: dict[Pid, Any] = {}
        self.undelivered = 0
        self.asks = Asks()
        self.askers: dict[Pid, Any] = {}
        self.announced_busy = False
        self.view = self.make_view()

    def make_view(self) -> SessionView:
        record = self.record
        return SessionView(
            record.id,
            record.server,
            record.version,
            record.params.client_info,
            record.params.capabilities,
            self.log_level,
        )


class Session(GenServer):
    """The process. Transient: it ends when its manager says so, and else comes back."""

    def init(self, record: SessionRecord) -> tuple[Any, ...]:
        """Announce itself to the manager, after a restart as at the beginning."""
        trap_exit()
        cast(MANAGER, ("up", record.id, own_pid()))
        return ("ok", _State(record))

    def handle_call(self, request: Any, from_: Any, state: _State) -> tuple[Any, ...]:
        """``("view",)`` -> SessionView; ``("answer", Request)`` -> Response or ErrorResponse;
        `Ask` -> as it says; ``("statistics",)`` -> SessionStatistics.
        """
        match request:
            case Ask():
                return self._ask(request, from_, state)
            case ("view",):
                return ("reply", state.view, state)
            case ("answer", Request() as message):
                return ("reply", self._answer(message, state), state)
            case ("statistics",):
                numbers = SessionStatistics(
                    len(state.calls), len(state.streams), state.undelivered, len(state.asks)
                )
                return ("reply", numbers, state)
        return ("reply", None, state)

    def handle_cast(self, request: Any, state: _State) -> tuple[Any, ...]:
        """What connections tell of their calls and streams, and the manager of the end."""
        match request:
            case ("started", id, connection):
                state.calls[id] = _Call(connection, monitor(connection))
            case ("finished", id):
                self._forget(id, state)
            case ("cancel", id, reason):
                self._cancel(id, reason, state)
            case ("attach", stream):
                state.streams[stream] = monitor(stream)
            case ("detach", stream):
                ref = state.streams.pop(stream, None)
                if ref is not None:
                    demonitor(ref, flush=True)
            case ("notify", notification):
                self._notify(notification, state)
            case ("response", message):
                answered = state.asks.answered(message)
                if answered is not None:
                    reply(*answered)
                    self._unwatch_askers(state)
            case Withdraw(ticket, reason):
                state.asks.withdraw(ticket, reason)
                self._unwatch_askers(state)
            case "close":
                return ("stop", "normal", state)
        self._tell_business(state)
        return ("noreply", state)

    def handle_info(self, message: Any, state: _State) -> tuple[Any, ...]:
        """DOWN of a connection: its streams and calls are no longer heard by anybody."""
        match message:
            case ("DOWN", ref, "process", pid, _):
                if state.askers.get(pid) is ref:
                    del state.askers[pid]
                    state.asks.forget(pid, "the call has ended")
                    return ("noreply", state)
                state.streams.pop(pid, None)
                for id in [id for id, entry in state.calls.items() if entry.ref is ref]:
                    del state.calls[id]
                self._tell_business(state)
        return ("noreply", state)

    def terminate(self, _reason: Any, state: _State) -> None:
        """The calls of a session end with it (MCP 2025-11-25, session management)."""
        for id in list(state.calls):
            self._cancel(id, "the session ended", state)
        for from_, answer in state.asks.close("the session ended"):
            reply(from_, answer)

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show who the client is and what it is doing."""
        state = status.get("state")
        if not isinstance(state, _State):
            return status
        shown = {
            **msgspec.structs.asdict(state.view),
            "calls": list(state.calls),
            "streams": list(state.streams),
            "undelivered": state.undelivered,
        }
        return {**status, "state": shown}

    def _answer(self, request: Request, state: _State) -> Response | ErrorResponse:
        if request.method not in METHODS:
            return error_response(request.id, method_not_found(request.method))
        try:
            state.log_level = params_as(request, SetLevelParams).level
        except McpError as error:
            return error_response(request.id, error)
        state.view = state.make_view()
        return Response(request.id, EmptyResult())

    def _ask(self, ask: Ask, from_: Any, state: _State) -> tuple[Any, ...]:
        """Ask the client, and watch the one who wants to know: see `asks`."""
        refused = state.asks.ask(ask, from_)
        if refused is not None:
            return ("reply", refused, state)
        if ask.asker not in state.askers:
            state.askers[ask.asker] = monitor(ask.asker)
        return ("noreply", state)

    def _unwatch_askers(self, state: _State) -> None:
        for asker in [pid for pid in state.askers if not state.asks.has(pid)]:
            demonitor(state.askers.pop(asker), flush=True)

    def _cancel(self, id: RequestId, reason: str | None, state: _State) -> None:
        call = self._forget(id, state)
        if call is not None:
            send(call.connection, ("cancelled", id, reason))

    def _forget(self, id: RequestId, state: _State) -> _Call | None:
        call = state.calls.pop(id, None)
        if call is not None:
            demonitor(call.ref, flush=True)
        return call

    def _notify(self, notification: Any, state: _State) -> None:
        """On one stream only: a message must not be sent on two (MCP 2025-11-25, transports)."""
        for stream in state.streams:
            send(stream, ("notify", notification))
            return
        state.undelivered += 1

    def _tell_business(self, state: _State) -> None:
        """Keep the manager from ending a session that is being used without requests."""
        busy = bool(state.calls or state.streams)
        if busy != state.announced_busy:
            state.announced_busy = busy
            cast(MANAGER, ("busy" if busy else "calm", state.record.id))
