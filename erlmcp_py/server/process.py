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

import math
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import trio

import supervisors
from erlmcp_py.protocol.errors import INTERNAL_ERROR, McpError
from erlmcp_py.protocol.jsonrpc import (
    ErrorResponse,
    Request,
    RequestId,
    Response,
    error_response,
    raw,
)
from erlmcp_py.protocol.shape import shape_result
from erlmcp_py.protocol.subscriptions import SubscriptionFilter
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.call import Call, ToolRefused
from erlmcp_py.server.changes import honoured
from erlmcp_py.server.definition import Server
from erlmcp_py.server.failures import answer_to, busy, crashed, describe_reason, is_meant, timed_out
from erlmcp_py.server.host import Host
from erlmcp_py.server.interaction.pages import send_to_pages, sends_to_pages
from erlmcp_py.server.interaction.peer import Waits
from erlmcp_py.server.interaction.rounding import input_required
from erlmcp_py.server.interaction.rounds import (
    BecomesTask,
    InputRequired,
    Rounds,
    find_signal,
    wants_task,
)
from erlmcp_py.server.interaction.seal import StateSealer
from erlmcp_py.server.lifespan import States
from erlmcp_py.server.methods import negotiated_version, plan
from erlmcp_py.server.results import tool_failure
from erlmcp_py.server.running import report_crash, run_handler
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.statistics import CallStatistics, ServerStatistics
from erlmcp_py.server.tasks.beginning import begin_task
from erlmcp_py.server.tasks.book import TaskBook
from erlmcp_py.server.tasks.visible import honoured_tasks
from erlmcp_py.server.workers.pool import Workers
from supervisors import GenServer, Pid, TimerRef

MAX_THREADS = 40
"""Threads that the handlers of one server may hold at a time; a call waits for its turn."""

Answer = Response | ErrorResponse


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Request to a server process: answer this. The reply is a `Response` or `ErrorResponse`."""

    request: Request
    scope: Scope


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cast to a server process: stop the call that was dispatched with this key, if it runs.

    The waiting caller gets an `ErrorResponse` that must not be sent on (MCP, cancellation).
    """

    key: tuple[Pid, RequestId]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Honour:
    """Request to a server process: what of this can be promised to a subscriber?

    The reply is ``(name, SubscriptionFilter)``: under which name changes are published, and the part
    that exists.
    """

    wanted: SubscriptionFilter
    principal: str | None = None


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a request process tells the server when its handler is through."""

    pid: Pid
    value: Result | Exception | InputRequired | BecomesTask


@dataclass(frozen=True, slots=True)
class _Expired:
    """The timer of a request process has run out."""

    pid: Pid


@dataclass(slots=True)
class _Running:
    """A call that has a process."""

    call: Call
    request: Request
    scope: Scope
    caller: Any
    counters: CallStatistics
    timer: TimerRef | None
    remaining: float | None = None
    """Seconds left for the handler, while it waits for its client and no timer runs."""


@dataclass(slots=True)
class ServerState:
    """All that a server process knows; see `ServerProcess.format_status` for a readable form."""

    host: Host
    identity: msgspec.Raw
    statistics: ServerStatistics = field(default_factory=ServerStatistics)
    running: dict[Pid, _Running] = field(default_factory=dict)
    keys: dict[tuple[Pid, RequestId], Pid] = field(default_factory=dict)
    threads: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(MAX_THREADS))


class ServerProcess(GenServer):
    """One running MCP server.

    Start arguments: `(server, name, sealer, mailbox, tasks, states)`: the definition; the name it has in the
    node; what seals the states of its requests, and where its tasks are kept, both for the life of
    the node, so that a restart of the process is not noticed by clients in the middle of something.
    Without a sealer it has one of its own, without a book no tasks; `states` are those of lifespans.
    Requests: `Dispatch`; `Honour`; `("info",)` -> a dict of facts and counters. Casts: `Cancel`.
    """

    def init(
        self,
        server: Server,
        name: str,
        sealer: StateSealer | None = None,
        mailbox: int = 10_000,
        tasks: TaskBook | None = None,
        states: States | None = None,
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
        return ("ok", ServerState(host, raw(server.info)))

    def handle_call(self, request: Any, from_: Any, state: ServerState) -> tuple[Any, ...]:
        """Answer a `Dispatch` now, or when its handler's process has ended."""
        if type(request) is Dispatch:
            answer = _dispatch(state, request.request, request.scope, from_)
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
        """Cancel a call."""
        if isinstance(request, Cancel):
            pid = state.keys.get(request.key)
            if pid is not None:
                running = _end(state, pid)
                running.counters.cancelled += 1
                text = f"cancelled: {request.reason}" if request.reason else "cancelled"
                _reply(state, running, McpError(INTERNAL_ERROR, f"The request was {text}"))
                supervisors.exit(pid, "kill")
        return ("noreply", state)

    def handle_info(self, message: Any, state: ServerState) -> tuple[Any, ...]:
        """Outcomes, crashes and timeouts of calls that have a process."""
        if isinstance(message, _Outcome):
            if message.pid in state.running:
                running = _end(state, message.pid)
                _reply(state, running, _settle(state, running, message.value))
        elif isinstance(message, _Expired):
            if message.pid in state.running:
                running = _end(state, message.pid)
                running.counters.timeouts += 1
                supervisors.exit(message.pid, "kill")
                _reply(state, running, timed_out(running.call))
        elif isinstance(message, Waits):
            if message.pid in state.running:
                _stop_or_go_on(state.running[message.pid], message)
        elif isinstance(message, tuple) and message[:1] == ("EXIT",):
            _, pid, reason = message
            if pid in state.running:
                running = _end(state, pid)
                running.counters.crashes += 1
                _reply(state, running, crashed(running.call, reason))
        return ("noreply", state)

    def terminate(self, reason: Any, state: ServerState) -> None:
        """Tell those who still wait, and leave no process behind."""
        for pid in list(state.running):
            running = _end(state, pid)
            text = f"The server is stopping: {describe_reason(reason)}"
            _reply(state, running, McpError(INTERNAL_ERROR, text))
            supervisors.exit(pid, "kill")
        if state.host.workers is not None:
            state.host.workers.close()

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show the facts and counters instead of the definition."""
        state = status.get("state")
        return {**status, "state": _info(state)} if isinstance(state, ServerState) else status


def _is_no_request(message: object) -> bool:
    return type(message) is not Dispatch and type(message) is not Honour


def _dispatch(state: ServerState, request: Request, scope: Scope, caller: Any) -> Answer | None:
    """The answer, or None if a process will make it."""
    statistics = state.statistics
    statistics.requests += 1
    try:
        planned = plan(state.host, request, scope)
    except McpError as error:
        statistics.refused += 1
        return error_response(request.id, error)
    except ToolRefused as refused:
        counters = statistics.of("tool", refused.tool)
        counters.calls += 1
        counters.errors += 1
        return _answer(state, request, scope, tool_failure(str(refused)))
    if not isinstance(planned, Call):
        if isinstance(planned, msgspec.Raw):
            return Response(request.id, planned)
        return _answer(state, request, scope, planned)
    counters = statistics.of(planned.kind, planned.name)
    counters.calls += 1
    if planned.task is not None and not planned.task.told:
        return _answer(state, request, scope, begin_task(state.host, planned, request, scope))
    if planned.handler.mode == "inline":
        return _answer(state, request, scope, _run_inline(state, planned, request, scope, counters))
    if planned.gate is not None and planned.gate.is_full:
        counters.errors += 1
        return _answer(state, request, scope, busy(planned))
    _start(state, planned, request, scope, caller, counters)
    return None


def _run_inline(
    state: ServerState, call: Call, request: Request, scope: Scope, counters: CallStatistics
) -> Result | McpError:
    try:
        return call.finish(call.handler.function(**call.keywords))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a handler may raise anything
        if isinstance(error, Exception) and is_meant(error):
            counters.errors += 1
            return _meant(state.host, call, request, scope, error)
        counters.crashes += 1
        report_crash(_label(state, request, call), call, error)
        return crashed(call, error)
    finally:
        if call.context is not None:
            call.context.close()


def _start(
    state: ServerState,
    call: Call,
    request: Request,
    scope: Scope,
    caller: Any,
    counters: CallStatistics,
) -> None:
    label = _label(state, request, call)
    pid = supervisors.spawn_link(_handle, supervisors.self(), call, state.threads, label=label)
    timer = None
    if call.handler.timeout != math.inf:
        timer = supervisors.send_after(call.handler.timeout, supervisors.self(), _Expired(pid))
    counters.in_flight += 1
    if call.gate is not None:
        call.gate.inside += 1
    state.running[pid] = _Running(call, request, scope, caller, counters, timer)
    state.keys[scope.key] = pid


async def _handle(server: Pid, call: Call, threads: trio.CapacityLimiter) -> None:
    """The life of a request process: call the handler, hand the outcome over, end."""
    value: Result | Exception | InputRequired | BecomesTask
    try:
        value = await run_handler(call, threads)
    except BaseException as error:
        signal = BecomesTask() if wants_task(error) else find_signal(error)
        if signal is None:
            raise
        value = signal
    supervisors.send(server, _Outcome(supervisors.self(), value))


def _end(state: ServerState, pid: Pid) -> _Running:
    """Forget a call's process: whatever it still sends or does changes nothing any more."""
    running = state.running.pop(pid)
    if state.keys.get(running.scope.key) == pid:
        del state.keys[running.scope.key]
    if running.timer is not None:
        supervisors.cancel_timer(running.timer)
    if running.call.context is not None:
        running.call.context.close()
    running.counters.in_flight -= 1
    if running.call.gate is not None:
        running.call.gate.inside -= 1
    return running


def _stop_or_go_on(running: _Running, message: Waits) -> None:
    """Time in which a person thinks is not the handler's."""
    if message.waiting and running.timer is not None:
        running.remaining = supervisors.cancel_timer(running.timer) or 0.0
        running.timer = None
    elif not message.waiting and running.remaining is not None:
        expired = _Expired(message.pid)
        running.timer = supervisors.send_after(running.remaining, supervisors.self(), expired)
        running.remaining = None


def _settle(
    state: ServerState,
    running: _Running,
    value: Result | Exception | InputRequired | BecomesTask,
) -> Result | McpError:
    if isinstance(value, InputRequired):
        return _ask_for_input(state, running, value)
    if isinstance(value, BecomesTask):
        return begin_task(state.host, running.call, running.request, running.scope)
    if isinstance(value, Exception):
        running.counters.errors += 1
        return _meant(state.host, running.call, running.request, running.scope, value)
    return value


def _meant(
    host: Host, call: Call, request: Request, scope: Scope, error: Exception
) -> Result | McpError:
    if sends_to_pages(error):
        interaction = None if call.context is None else call.context.interaction
        return send_to_pages(host, request, scope, interaction, cast("McpError", error))
    return answer_to(error, call, scope.era)


def _ask_for_input(
    state: ServerState, running: _Running, signal: InputRequired
) -> Result | McpError:
    context = running.call.context
    rounds = None if context is None else context.interaction
    if not isinstance(rounds, Rounds):
        raise TypeError(f"{signal!r} of a call that has no rounds")
    try:
        return input_required(state.host, running.request, running.scope, rounds, signal)
    except ValueError as problem:
        running.counters.errors += 1
        return McpError(INTERNAL_ERROR, str(problem))


def _reply(state: ServerState, running: _Running, value: Result | McpError) -> None:
    supervisors.reply(running.caller, _answer(state, running.request, running.scope, value))


def _answer(state: ServerState, request: Request, scope: Scope, value: Result | McpError) -> Answer:
    if isinstance(value, McpError):
        return error_response(request.id, value)
    version = negotiated_version(value, scope)
    shaped = shape_result(value, scope.era, version, server_info=state.identity)
    return Response(request.id, shaped)


def _label(state: ServerState, request: Request, call: Call) -> str:
    return f"{state.host.name}/{request.method}:{call.name}"


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
