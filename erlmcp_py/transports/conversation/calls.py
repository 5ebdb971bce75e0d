"""The requests of one client that are at work at a server."""

from __future__ import annotations

import msgspec

from erlmcp_py.protocol.jsonrpc import Request, RequestId
from erlmcp_py.server.dispatching import Answer
from erlmcp_py.server.process import Cancel, Dispatch
from erlmcp_py.server.scope import Scope
from erlmcp_py.transports.outlet import Outlet
from supervisors import Pid, abandon, call_or_send, cast
from supervisors import RequestId as Ticket


class _Call(msgspec.Struct, frozen=True, gc=False):
    ticket: Ticket
    server: Pid
    scope: Scope

    def give_up(self, reason: str | None) -> None:
        """Want neither answer nor notifications any more, and stop the handler."""
        abandon(self.ticket)
        if isinstance(self.scope.notify, Outlet):
            self.scope.notify.closed = True
        cast(self.server, Cancel(self.scope.key, reason))


class Calls:
    """By the id of the request, and by the ticket its answer comes with."""

    __slots__ = ("_ids", "at_work")

    def __init__(self) -> None:
        self.at_work: dict[RequestId, _Call] = {}
        self._ids: dict[Ticket, RequestId] = {}

    def __len__(self) -> int:
        return len(self.at_work)

    def begin(self, request: Request, server: Pid, scope: Scope) -> Answer | None:
        """Have the server answer it: at once, or ``("$reply", ticket, answer)`` or ``("$error", ticket,
        reason)`` comes to the mailbox.
        """
        answer: Answer
        answer, ticket = call_or_send(server, Dispatch(request, scope))
        if ticket is None:
            return answer
        self.at_work[request.id] = _Call(ticket, server, scope)
        self._ids[ticket] = request.id
        return None

    def done(self, ticket: Ticket) -> RequestId | None:
        """The answer with this ticket has come; the id of its request, None if nobody waits for it."""
        id = self._ids.pop(ticket, None)
        if id is not None:
            del self.at_work[id]
        return id

    def cancel(self, id: RequestId, reason: str | None) -> bool:
        """Stop a call; whether there was one."""
        entry = self.at_work.pop(id, None)
        if entry is None:
            return False
        del self._ids[entry.ticket]
        entry.give_up(reason)
        return True

    def abandon(self, reason: str) -> None:
        """Stop all of them."""
        for entry in self.at_work.values():
            entry.give_up(reason)
        self.at_work.clear()
        self._ids.clear()
