"""The process that gives a `Server` its life: requests come in, handlers run, answers go out.

Its callbacks are plain, so a transport's `call` runs them on its own stack (docs/architecture: the
way of a message); a plain handler runs there too, and the whole of a quick tool call costs no task
switch. Handlers that wait get a process each, linked to the server and bounded by a timer. Nothing
a handler does can reach further than its own call:

- it raises: inline, the exception is caught, reported and answered; in a process, that process
  crashes, which is reported by the kernel, and its exit signal makes the answer;
- it hangs: the timer kills its process. A thread cannot be killed; it is abandoned, and keeps its
  place among the server's threads until it ends, so that hanging threads cannot pile up unseen;
- its caller loses interest: `Cancel` kills its process.

An inline handler that never returns holds the whole loop; only the watchdog can see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

import supervisors
from erlmcp_py.guards.drain import CutOff
from erlmcp_py.guards.in_flight import InFlight
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import INTERNAL_ERROR, McpError, refused
from erlmcp_py.protocol.jsonrpc import Request, RequestId, raw
from erlmcp_py.protocol.subscriptions import SubscriptionFilter
from erlmcp_py.server.at_work import AtWork, Expired, Outcome
from erlmcp_py.server.changes import honoured
from erlmcp_py.server.definition import Server
from erlmcp_py.server.dispatching import ServerState, dispatch, reply, settle
from erlmcp_py.server.failures import crashed, describe_reason, timed_out
from erlmcp_py.server.host import Host
from erlmcp_py.server.interaction.peer import Waits
from erlmcp_py.server.interaction.seal import StateSealer
from erlmcp_py.server.lifespan import States
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.tasks.book import TaskBook
from erlmcp_py.server.tasks.visible import honoured_tasks
from erlmcp_py.server.workers.pool import Workers
from supervisors import GenServer, Pid


@dataclass(slots=True)
class Dispatch:
    """Request to a server process: answer this. The reply is a `Response` or `ErrorResponse`.

    WHY not frozen, as all others are: making it is part of every request, and that takes twice as long.
    """

    request: Request
    scope: Scope


class Cancel(msgspec.Struct, frozen=True):
    """Cast to a server process: stop the call that was dispatched with this key, if it runs.

    The waiting caller gets an `ErrorResponse` that must not be sent on (MCP, cancellation).
    """

    key: tuple[Pid, RequestId]
    reason: str | None = None


class RootsChanged(msgspec.Struct, frozen=True):
    """Cast to a server process: a client of the older revisions says that its roots have changed. It is
    for servers that pass it on; handlers of our own ask for roots when they need them.
    """

    scope: Scope


class Honour(msgspec.Struct, frozen=True):
    """Request to a server process: what of this can be promised to a subscriber?

    The reply is ``(name, SubscriptionFilter)``: under which name changes are published, and the part
    that exists.
    """

    wanted: SubscriptionFilter
    principal: str | None = None


class ServerProcess(GenServer):
    """One running MCP server.

    Start arguments: `(server, name, sealer, mailbox, tasks, states, in_flight)`: the definition; the name it
    has in the node; what seals the states of its requests, and where its tasks are kept, both for the life
    of the node, so that a restart of the process is not noticed by clients in the middle of something.
    Without a sealer it has one of its own, without a book no tasks; `states` are those of lifespans;
    `in_flight` counts the calls at work, on the whole node if it is given to all servers.
    Requests: `Dispatch`; `Honour`; `("info",)` -> a dict of facts and counters. Casts: `Cancel`, `CutOff`.
    """

    def init(
        self,
        server: Server,
        name: str,
        sealer: StateSealer | None = None,
        mailbox: int = 10_000,
        tasks: TaskBook | None = None,
        states: States | None = None,
        in_flight: InFlight | None = None,
    ) -> tuple[str, ServerState]:
        """Trap exits, so that a crashing call is a message and not the end of the server.

        mailbox: messages that may wait. Only new requests are refused beyond: what tells of the
        end of a call that is running makes room.
        """
        supervisors.trap_exit(True)
        supervisors.limit_mailbox(mailbox, "refuse", exempt=_is_no_request)
        supervisors.set_label(f"server {name}")
        server.changes.attach(supervisors.self(), name)
        me = supervisors.self()
        host = Host(
            server,
            name,
            me,
            sealer or StateSealer(),
            tasks=tasks,
            workers=Workers(me),
            states={} if states is None else states,
        )
        at_work = AtWork(me, InFlight() if in_flight is None else in_flight)
        return ("ok", ServerState(host, raw(server.info), at_work))

    def handle_call(self, request: Any, from_: Any, state: ServerState) -> tuple[Any, ...]:
        """Answer a `Dispatch` now, or when its handler's process has ended."""
        if type(request) is Dispatch:
            answer = dispatch(state, request.request, request.scope, from_)
            return ("noreply", state) if answer is None else ("reply", answer, state)
        if type(request) is Honour:
            host = state.host
            granted = honoured(host.server, request.wanted)
            granted = honoured_tasks(host, granted, request.wanted.task_ids, request.principal)
            return ("reply", (host.name, granted), state)
        if request == ("info",):
            return ("reply", _info(state), state)
        return ("reply", ("error", f"unknown request {request!r}"), state)

    def handle_cast(self, request: Any, state: ServerState) -> tuple[Any, ...]:
        """Cancel a call, or all."""
        if isinstance(request, Cancel):
            running = state.at_work.take_with_key(request.key)
            if running is not None:
                running.counters.cancelled += 1
                text = f"cancelled: {request.reason}" if request.reason else "cancelled"
                reply(state, running, McpError(INTERNAL_ERROR, f"The request was {text}"))
                supervisors.exit(running.pid, "kill")
        elif isinstance(request, CutOff):
            _stop_all(state, request.text)
        return ("noreply", state)

    def handle_info(self, message: Any, state: ServerState) -> tuple[Any, ...]:
        """Outcomes, crashes and timeouts of calls that have a process."""
        if isinstance(message, Outcome):
            running = state.at_work.take(message.pid)
            if running is not None:
                reply(state, running, settle(state, running, message.value))
        elif isinstance(message, Expired):
            running = state.at_work.take(message.pid)
            if running is not None:
                running.counters.timeouts += 1
                supervisors.exit(running.pid, "kill")
                reply(state, running, timed_out(running.call))
        elif isinstance(message, Waits):
            state.at_work.stop_or_go_on(message)
        elif isinstance(message, tuple) and message[:1] == ("EXIT",):
            _, pid, reason = message
            running = state.at_work.take(pid)
            if running is not None:
                running.counters.crashes += 1
                reply(state, running, crashed(running.call, reason))
        return ("noreply", state)

    def terminate(self, reason: Any, state: ServerState) -> None:
        """Tell those who still wait, and leave no process behind."""
        _stop_all(state, f"The server is stopping: {describe_reason(reason)}")
        if state.host.workers is not None:
            state.host.workers.close()

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show the facts and counters instead of the definition."""
        state = status.get("state")
        return {**status, "state": _info(state)} if isinstance(state, ServerState) else status


def _stop_all(state: ServerState, text: str) -> None:
    """Answer every call that is at work with an error, and stop it."""
    for running in state.at_work.take_all():
        reply(state, running, refused(refusals.SHUTTING_DOWN, text))
        supervisors.exit(running.pid, "kill")


def _is_no_request(message: object) -> bool:
    return type(message) is not Dispatch and type(message) is not Honour


def _info(state: ServerState) -> dict[str, Any]:
    server = state.host.server
    return {
        "name": state.host.name,
        "title": server.info.title or server.info.name,
        "version": server.info.version,
        "defined": {
            "tools": len(server.tools),
            "resources": len(server.resources),
            "templates": len(server.templates),
            "prompts": len(server.prompts),
        },
        **state.statistics.as_dict(),
    }
