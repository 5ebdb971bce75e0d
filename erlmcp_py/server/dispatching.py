"""What becomes of one request: the answer, at once or once its handler is through.

A request that needs no handler, or a plain one, is answered on the spot; any other gets a process
(`at_work`). Whatever a handler does is an answer: what it returns, what it raises, what it wants to
ask first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

import supervisors
from erlmcp_py.guards import tally
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import McpError, refused
from erlmcp_py.protocol.jsonrpc import ErrorResponse, Request, Response, error_response
from erlmcp_py.protocol.shape import shape_result
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.at_work import AtWork, Running, Value
from erlmcp_py.server.call import Call, ToolRefused
from erlmcp_py.server.failures import answer_to, busy, crashed, is_meant
from erlmcp_py.server.host import Host
from erlmcp_py.server.interaction.pages import send_to_pages, sends_to_pages
from erlmcp_py.server.interaction.rounding import input_required
from erlmcp_py.server.interaction.rounds import BecomesTask, InputRequired, Rounds
from erlmcp_py.server.methods import negotiated_version, plan
from erlmcp_py.server.results import tool_failure
from erlmcp_py.server.running import report_crash
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.statistics import CallStatistics, ServerStatistics
from erlmcp_py.server.tasks.beginning import begin_task

Answer = Response | ErrorResponse


@dataclass(slots=True)
class ServerState:
    """All that a server process knows; see `ServerProcess.format_status` for a readable form."""

    host: Host
    identity: msgspec.Raw
    at_work: AtWork
    statistics: ServerStatistics = field(default_factory=ServerStatistics)


def dispatch(state: ServerState, request: Request, scope: Scope, caller: Any) -> Answer | None:
    """The answer, or None if a process will make it."""
    statistics = state.statistics
    statistics.requests += 1
    try:
        planned = plan(state.host, request, scope)
    except McpError as error:
        statistics.refused += 1
        return error_response(request.id, error)
    except ToolRefused as problem:
        counters = statistics.of("tool", problem.tool)
        counters.calls += 1
        counters.errors += 1
        tally.count(refusals.SCHEMA_MISMATCH)
        return _answer(state, request, scope, tool_failure(str(problem)))
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
        if planned.kind == "tool":  # what is no result is counted where it is sent
            tally.count(refusals.TOO_MANY_AT_ONCE)
        return _answer(state, request, scope, busy(planned))
    label = _label(state, request, planned)
    no_room = state.at_work.start(planned, request, scope, caller, counters, label)
    if no_room is not None:
        counters.errors += 1
        return error_response(request.id, no_room)
    return None


def settle(
    state: ServerState,
    running: Running,
    value: Value,
) -> Result | McpError:
    """The answer to a call whose handler came to `value`."""
    if isinstance(value, InputRequired):
        return _ask_for_input(state, running, value)
    if isinstance(value, BecomesTask):
        return begin_task(state.host, running.call, running.request, running.scope)
    if isinstance(value, Exception):
        running.counters.errors += 1
        return _meant(state.host, running.call, running.request, running.scope, value)
    return value


def reply(state: ServerState, running: Running, value: Result | McpError) -> None:
    """Give the caller of a call that has a process its answer."""
    supervisors.reply(running.caller, _answer(state, running.request, running.scope, value))


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


def _meant(
    host: Host, call: Call, request: Request, scope: Scope, error: Exception
) -> Result | McpError:
    if sends_to_pages(error):
        interaction = None if call.context is None else call.context.interaction
        return send_to_pages(host, request, scope, interaction, cast("McpError", error))
    return answer_to(error, call, scope.era)


def _ask_for_input(
    state: ServerState, running: Running, signal: InputRequired
) -> Result | McpError:
    context = running.call.context
    rounds = None if context is None else context.interaction
    if not isinstance(rounds, Rounds):
        raise TypeError(f"{signal!r} of a call that has no rounds")
    try:
        return input_required(state.host, running.request, running.scope, rounds, signal)
    except ValueError as problem:
        running.counters.errors += 1
        return refused(refusals.INTERNAL_ERROR, str(problem))


def _answer(state: ServerState, request: Request, scope: Scope, value: Result | McpError) -> Answer:
    if isinstance(value, McpError):
        return error_response(request.id, value)
    version = negotiated_version(value, scope)
    shaped = shape_result(value, scope.era, version, server_info=state.identity)
    return Response(request.id, shaped)


def _label(state: ServerState, request: Request, call: Call) -> str:
    return f"{state.host.name}/{request.method}:{call.name}"
