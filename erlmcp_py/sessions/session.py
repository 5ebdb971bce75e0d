"""One legacy session as a process.

It holds what outlives a request but not the session: the log level, the event streams the
client keeps open, the calls that still run, so that they can be cancelled from another connection
(`notifications/cancelled`) and end with the session (DELETE), and what the server has asked the
client and got no response to.

A session is not in the way of its requests: a connection reads its `SessionView`, which lies with
what outlives the process, and talks to the server itself. Only a call that does not answer at once is entered here, for as long as
it runs. To cancel it, the session tells the connection that waits for it (``("cancelled", id,
reason)``), which knows whom it asked.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import msgspec

from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.jsonrpc import (
    ErrorResponse,
    Request,
    RequestId,
    Response,
    error_response,
)
from erlmcp_py.protocol.lifecycle import EmptyResult
from erlmcp_py.sessions.asks import Ask, Withdraw
from erlmcp_py.sessions.questions import Questions
from erlmcp_py.sessions.record import SessionRecord, SessionView
from erlmcp_py.sessions.wishes import Wishes, wish
from erlmcp_py.subscriptions import (
    AGAIN,
    Announcement,
    Subscription,
    changes_for_session,
    subscribe,
    unsubscribe,
)
from erlmcp_py.subscriptions import NAME as SUBSCRIPTIONS
from supervisors import (
    GenServer,
    Pid,
    cast,
    demonitor,
    limit_mailbox,
    monitor,
    send,
    send_after,
    trap_exit,
    whereis,
)
from supervisors import self as own_pid

MANAGER: Final = "sessions"


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
        self.interest: Subscription | None = None
        self.hub: Any = None
        self.calls: dict[RequestId, _Call] = {}
        self.streams: dict[Pid, Any] = {}
        self.undelivered = 0
        self.questions = Questions()
        self.announced_busy = False
        self.show()

    def show(self) -> None:
        """Have everybody see what the session is."""
        record = self.record
        self.view = record.kept.view = SessionView(
            record.id,
            record.server,
            record.version,
            record.params.client_info,
            record.params.capabilities,
            self.wishes.log_level,
            record.kept.streams,
        )

    @property
    def wishes(self) -> Wishes:
        """What the client has asked for; written through, so that a crash forgets nothing."""
        return self.record.kept.wishes

    @wishes.setter
    def wishes(self, wishes: Wishes) -> None:
        self.record.kept.wishes = wishes
        self.show()


def _begins_nothing(message: Any) -> bool:
    return not (isinstance(message, tuple) and message[:1] in (("view",), ("answer",), ("notify",)))


class Session(GenServer):
    """The process. Transient: it ends when its manager says so, and else comes back."""

    def init(self, mailbox: int, record: SessionRecord) -> tuple[Any, ...]:
        """Announce itself to the manager, after a restart as at the beginning.

        mailbox: messages that may wait. Beyond, what begins something is refused. What belongs to
        something begun comes in.
        """
        trap_exit()
        limit_mailbox(mailbox, "refuse", exempt=_begins_nothing)
        cast(MANAGER, ("up", record.id, own_pid()))
        return ("ok", _State(record))

    def handle_call(self, request: Any, from_: Any, state: _State) -> tuple[Any, ...]:
        """``("view",)`` -> SessionView; ``("answer", Request)`` -> Response or ErrorResponse;
        `Ask` -> as it says; ``("statistics",)`` -> SessionStatistics.
        """
        match request:
            case Ask():
                state.questions.ask(request, from_, partial(self._notify, state=state))
                return ("noreply", state)
            case ("view",):
                return ("reply", state.view, state)
            case ("answer", Request() as message):
                return ("reply", self._answer(message, state), state)
            case ("statistics",):
                numbers = SessionStatistics(
                    len(state.calls), len(state.streams), state.undelivered, len(state.questions)
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
            case ("attach", stream, resumed):
                state.streams[stream] = monitor(stream)
                if state.interest is None:
                    self._listen(state)
                if resumed and state.interest is not None:
                    self._announce_all(state.interest, state)
            case ("detach", stream):
                ref = state.streams.pop(stream, None)
                if ref is not None:
                    demonitor(ref, flush=True)
                    if not state.streams:
                        self._listen(state)
            case ("notify", notification):
                self._notify(notification, state)
            case ("response", message):
                state.questions.answered(message)
            case Withdraw():
                state.questions.withdraw(request)
            case "close":
                return ("stop", "normal", state)
        self._tell_business(state)
        return ("noreply", state)

    def handle_info(self, message: Any, state: _State) -> tuple[Any, ...]:
        """DOWN of a connection: its streams and calls are no longer heard by anybody. Changes of the
        server, and DOWN of the process that tells them.
        """
        match message:
            case ("changed", subscription, announcement):
                subscription.taken(announcement.change)
                if subscription is state.interest:
                    self._notify(announcement, state)
            case ("DOWN", ref, _, _, _) if ref is state.hub:
                state.hub = None
                send_after(AGAIN, own_pid(), "listen_again")
            case "listen_again":
                self._listen_again(state)
            case ("DOWN", ref, "process", pid, _):
                if state.questions.down(ref, pid):
                    return ("noreply", state)
                if state.streams.pop(pid, None) is not None and not state.streams:
                    self._listen(state)
                for id in [id for id, entry in state.calls.items() if entry.ref is ref]:
                    del state.calls[id]
                self._tell_business(state)
        return ("noreply", state)

    def terminate(self, reason: Any, state: _State) -> None:
        """The calls of a session end with it (MCP 2025-11-25, session management), but not with its
        process: if only that goes, as when the pool is restarted, their connections go on.
        """
        if reason == "normal":
            for id in list(state.calls):
                self._cancel(id, "the session ended", state)
        state.questions.close("the session ended")

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show who the client is and what it is doing."""
        state = status.get("state")
        if not isinstance(state, _State):
            return status
        shown = {
            **msgspec.structs.asdict(state.view),
            "streams_kept": len(state.view.streams),
            "calls": list(state.calls),
            "streams": list(state.streams),
            "undelivered": state.undelivered,
        }
        return {**status, "state": shown}

    def _answer(self, request: Request, state: _State) -> Response | ErrorResponse:
        before = state.wishes
        try:
            state.wishes = wish(request, before)
        except McpError as error:
            return error_response(request.id, error)
        if state.wishes.uris != before.uris:
            self._listen(state)
        return Response(request.id, EmptyResult())

    def _listen_again(self, state: _State) -> None:
        """Subscribe anew where the process that keeps subscriptions is there again."""
        if state.interest is None or state.hub is not None:
            return
        if whereis(SUBSCRIPTIONS) is None:
            send_after(AGAIN, own_pid(), "listen_again")
            return
        self._listen(state)
        self._announce_all(state.interest, state)

    def _announce_all(self, interest: Subscription, state: _State) -> None:
        """Have the client look at everything: nobody knows what it missed."""
        for change in interest.changes:
            self._notify(Announcement(change), state)

    def _listen(self, state: _State) -> None:
        """Be told of changes exactly as long as there is a stream to tell them on."""
        if state.interest is not None:
            unsubscribe(state.interest)
            state.interest = None
        subject = state.record.subject
        if subject is None or not state.streams:
            if state.hub is not None:
                demonitor(state.hub, flush=True)
                state.hub = None
            return
        changes = changes_for_session(state.wishes.uris)
        state.interest = Subscription(subject, own_pid(), changes)
        if state.hub is None:
            state.hub = monitor(SUBSCRIPTIONS)
        subscribe(state.interest)

    def _cancel(self, id: RequestId, reason: str | None, state: _State) -> None:
        call = self._forget(id, state)
        if call is not None:
            send(call.connection, ("cancelled", id, reason))

    def _forget(self, id: RequestId, state: _State) -> _Call | None:
        call = state.calls.pop(id, None)
        if call is not None:
            demonitor(call.ref, flush=True)
        return call

    def _notify(self, notification: Any, state: _State) -> bool:
        """On one stream only: a message must not be sent on two (MCP 2025-11-25, transports). False if
        there is none.
        """
        for stream in state.streams:
            send(stream, ("notify", notification))
            return True
        state.undelivered += 1
        return False

    def _tell_business(self, state: _State) -> None:
        """Keep the manager from ending a session that is being used without requests."""
        busy = bool(state.calls or state.streams)
        if busy != state.announced_busy:
            state.announced_busy = busy
            cast(MANAGER, ("busy" if busy else "calm", state.record.id))
