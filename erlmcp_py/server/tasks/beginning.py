"""From a tool call to its task: the record first, then the answer."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from erlmcp_py.protocol.errors import McpError, refused
from erlmcp_py.protocol.jsonrpc import Message, Notification, Request
from erlmcp_py.protocol.refusals import INTERNAL_ERROR
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.call import Call
from erlmcp_py.server.host import Host
from erlmcp_py.server.interaction.rounds import Carried, Rounds
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.tasks.record import Owner, created
from erlmcp_py.server.tasks.running import Job

NO_TASKS: Final = "This server has nobody to work on tasks"


def begin_task(host: Host, call: Call, request: Request, scope: Scope) -> Result | McpError:
    """Have the call done as a task; the answer that says so, or why it cannot be."""
    wish, book = call.task, host.tasks
    if wish is None or book is None:
        return refused(INTERNAL_ERROR, NO_TASKS)
    carried = Carried()
    if call.context is not None and isinstance(call.context.interaction, Rounds):
        carried = call.context.interaction.carry()
    try:
        record = book.begin(
            Job(call, _detached(scope), request.id, host.server.name, carried),
            owner_of(host, scope),
            tool=call.name,
            version=scope.version,
            ttl=wish.granted(),
            poll_interval=wish.policy.poll_interval,
            peer=scope.peer,
        )
    except McpError as error:
        return error
    return created(record)


def owner_of(host: Host, scope: Scope) -> Owner:
    """Whose a task of this request is, or has to be."""
    return Owner(host.name, scope.principal, scope.client)


def _detached(scope: Scope) -> Scope:
    """The circumstances without any way to the client: its request will have been answered."""
    return replace(
        scope,
        notify=_unheard,
        send=_unsent,
        peer=None,
        session=None,
        header=None,
        close_stream=None,
    )


def _unheard(_notification: Notification) -> None:
    """A task tells how it is by its record."""


def _unsent(_message: Message) -> bool:
    return False
