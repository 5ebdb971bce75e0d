"""One request on its way to an upstream, and its answer on the way back, between whatever revisions.

What both sides speak the same revision for is passed on as it is, byte for byte; else the result is
read, and written as the client's revision has it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from erlmcp_py.client import ClientError, RequestTimeout
from erlmcp_py.client.requesting import ROUNDS
from erlmcp_py.gateway import marks, tasks
from erlmcp_py.gateway.asking import ask_for
from erlmcp_py.gateway.caller import AboutTask, Caller
from erlmcp_py.gateway.errors import blame, unavailable
from erlmcp_py.gateway.face import Face
from erlmcp_py.gateway.instance import Instance
from erlmcp_py.gateway.pages import pages_of
from erlmcp_py.gateway.routing import direct
from erlmcp_py.gateway.tasks import passed_capabilities
from erlmcp_py.gateway.turns import Turns, takes_turns
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.gateway.waiting import call_tool
from erlmcp_py.guards import breaker
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    RESOURCE_NOT_FOUND,
    URL_ELICITATION_REQUIRED,
    McpError,
    method_not_found,
    missing_capability,
    refused,
)
from erlmcp_py.protocol.extensions.tasks import TASKS
from erlmcp_py.protocol.input import InputRequest, InputRequiredResult
from erlmcp_py.protocol.jsonrpc import (
    ErrorResponse,
    Request,
    Response,
    error_response,
    params_as,
    raw,
)
from erlmcp_py.protocol.lifecycle import ClientCapabilities
from erlmcp_py.protocol.meta import PREFIX, PROGRESS_TOKEN, read_progress_token
from erlmcp_py.protocol.methods import find_notification, find_request
from erlmcp_py.protocol.notifications import ELICITATION_COMPLETE
from erlmcp_py.protocol.results import InvalidResult, read_result
from erlmcp_py.protocol.shape import shape_result
from erlmcp_py.protocol.tools import CallToolResult
from erlmcp_py.protocol.wire import Json
from erlmcp_py.server.scope import Scope
from supervisors import Pid, current_runtime

Answer = Response | ErrorResponse


async def pass_on(face: Face, request: Request, scope: Scope, server: Pid) -> Answer:
    """The answer of the upstream that `request` is meant for. server: the process of the face. Raises
    McpError.
    """
    given = params_as(request, dict[str, Raw])
    params: dict[str, Any] = dict(given)
    try:
        upstream = direct(face, request.method, params, scope)
    except McpError:
        if face.is_known:
            raise
        await face.known()  # perhaps it is of one that has not said yet what it has
        params = dict(given)
        upstream = direct(face, request.method, params, scope)
    meta = _meta(params.pop("_meta", None))
    names = tasks.TaskNames(upstream.name, upstream.sealer, face.name, scope)
    if "task" in params:
        await _check_task(face, upstream, request.method, params, scope)

    async def travel(caller: Caller) -> Answer:
        return await _travel(upstream, request, caller, params, meta, names)

    if request.method in tasks.METHODS:
        return await travel(_caller_for_task(request, scope, params, names))
    hello = upstream.hello
    if scope.era == "modern" and hello is None:
        await upstream.known()
        hello = upstream.hello
        if hello is None and not upstream.is_up:  # it has waited as long as it may
            raise unavailable(upstream.unavailable_text(upstream.config.timeout))
    if hello is not None and takes_turns(hello, request, scope):
        turns = Turns(upstream.parked, face.name, server, hello.server_info, request, scope)
        return await turns.answer(params, travel)
    return await travel(Caller(scope, read_progress_token(request)))


async def _check_task(
    face: Face, upstream: Upstream, method: str, params: dict[str, Any], scope: Scope
) -> None:
    """A call that is to be a task, as 2025-11-25 has it. An upstream that knows none gets it without: where
    none were offered the client has to be ready for that, elsewhere it is an error. Raises McpError.
    """
    await upstream.known()
    if tasks.has_tasks(upstream.hello, scope.version):
        return
    if upstream.hello is None:
        raise unavailable(upstream.unavailable_text(upstream.config.timeout))
    if method == "tools/call" and face.has_core_tasks(scope.version):
        text = f"the tool {params['name']!r} of the upstream {upstream.name!r} cannot run as a task"
        raise refused(refusals.PROTOCOL_ERROR, text, code=METHOD_NOT_FOUND)
    del params["task"]


async def _travel(
    upstream: Upstream,
    request: Request,
    caller: Caller,
    params: Mapping[str, Any],
    meta: dict[str, Any] | None,
    names: tasks.TaskNames,
) -> Answer:
    """To an instance of the upstream and back."""
    number, params = marks.read(params)
    if caller.task is not None:
        number = caller.task.number
    breaker.check(upstream.breaker, upstream.generation)  # before it waits for a place
    async with upstream.admitted(caller.scope, number) as instance:
        if caller.task is not None and caller.task.program != instance.program:
            raise tasks.unknown_task(caller.task.shown)  # it has ended with its program
        if upstream.hello is None:
            await upstream.known()
        permit = await breaker.enter(upstream.breaker, upstream.generation)
        caller.on_question = permit.lives
        instance.questions.begin(caller)
        try:
            answer = await _rounds(upstream, instance, request, caller, params, meta)
            named = _with_names(answer, upstream, instance, request, caller, names)
            permit.succeeded()
            return named
        except InvalidResult as problem:
            permit.succeeded()
            raise InvalidResult(f"upstream {upstream.name!r}: {problem.message}") from None
        except McpError:
            permit.succeeded()  # it has answered: what is wrong is between its answer and the client
            raise
        except RequestTimeout as problem:
            blame(permit, problem)
            instance.suspect()
            raise refused(refusals.TIMEOUT, f"upstream {upstream.name!r}: {problem}") from None
        except ClientError as problem:
            blame(permit, problem)
            why = instance.explained(str(problem))
            text = f"upstream {upstream.name!r}: {request.method}: {why}"
            raise unavailable(text) from None
        finally:
            permit.release()
            instance.questions.end(caller)
            await caller.settled()


def _caller_for_task(
    request: Request, scope: Scope, params: dict[str, Any], names: tasks.TaskNames
) -> Caller:
    """Of a request about a task, whose id in `params` becomes the upstream's."""
    shown = params["taskId"]
    id, number, program = names.meant(shown)
    params["taskId"] = id
    task = AboutTask(id, shown, number, program)
    return Caller(scope, read_progress_token(request), task)


def _with_names(
    answer: Answer,
    upstream: Upstream,
    instance: Instance,
    request: Request,
    caller: Caller,
    names: tasks.TaskNames,
) -> Answer:
    """The answer with the client's names for tasks."""
    scope = caller.scope
    result = answer.result if isinstance(answer, Response) else None
    if caller.task is not None:
        id, told = caller.task.id, result if isinstance(result, Raw) else None
        upstream.errands.told(instance.number, id, request.method, told)
    if not isinstance(result, Raw):
        return answer
    if caller.task is not None:
        return Response(request.id, tasks.named(result, caller.task.shown))
    if request.method == "tools/call" and tasks.has_tasks(upstream.hello, scope.version):
        begun = tasks.begun(result, names, instance.number, instance.program)
        if begun is not None:
            renamed, id, shown = begun
            instance.questions.tasks.begun(id, shown, scope)
            upstream.errands.begun(instance.number, id, result, current_runtime().now())
            return Response(request.id, renamed)
    return answer


_value = msgspec.json.Decoder().decode


def _meta(given: Raw | None) -> dict[str, Any] | None:
    """What of `_meta` is not about this connection."""
    members = None if given is None else _value(given)
    if not isinstance(members, dict):
        return None
    kept = {
        key: value
        for key, value in members.items()
        if key != PROGRESS_TOKEN and not key.startswith(PREFIX)
    }
    return kept or None


async def _rounds(
    upstream: Upstream,
    instance: Instance,
    request: Request,
    caller: Caller,
    params: Mapping[str, Any],
    meta: dict[str, Any] | None,
) -> Answer:
    """Until there is an answer: a legacy client is asked by requests what a modern upstream wants.

    WHY the scope is looked at anew: a passage has that of the client's latest request.
    """
    on_progress = None if caller.token is None else caller.progressed

    async def send(
        method: str,
        params: Mapping[str, Any],
        *,
        tasks: bool = False,
        timeout: float | None = None,
    ) -> tuple[Answer, str]:
        return await instance.forward(
            method,
            params,
            meta=meta,
            on_progress=on_progress if method == request.method else None,
            capabilities=_told(_capabilities(caller.scope, upstream, tasks=tasks)),
            log_level=caller.scope.log_level,
            on_log=caller.logged,
            answerer=caller,
            timeout=timeout,
        )

    async def asked(question: InputRequest) -> Any:
        caller.on_question()
        return await ask_for(question, caller.scope)

    for _ in range(ROUNDS + 1):
        if request.method == "tools/call":
            hello = upstream.hello
            answer, version = await call_tool(
                params, send, asked, caller, hello, upstream.task_only
            )
        else:
            timeout = math.inf if request.method == "tasks/result" else None
            answer, version = await send(request.method, params, timeout=timeout)
        scope = caller.scope
        if isinstance(answer, ErrorResponse):
            _check_declared(caller)
            return error_response(request.id, _translated(answer, scope, instance))
        if version == scope.version:
            return Response(request.id, upstream.marked(answer.result, instance))
        method = find_request(request.method, version)
        if method is None:
            raise method_not_found(request.method)
        result = read_result(answer, method, version)
        if not isinstance(result, InputRequiredResult):
            if isinstance(result, CallToolResult) and result.is_error:
                _check_declared(caller)
            info = None if upstream.hello is None else upstream.hello.server_info
            shaped = shape_result(
                result,
                scope.era,
                scope.version,
                server_info=None if info is None else raw(info),
            )
            return Response(request.id, shaped)
        caller.on_question()
        params = await _answered(params, result, scope)
    raise unavailable(f"upstream {upstream.name!r} still asks after {ROUNDS} rounds")


def _check_declared(caller: Caller) -> None:
    """Raises McpError -32021 for a request that failed and wanted to ask what this client has not declared:
    a server of 2026-07-28 would have refused it for that.
    """
    if caller.lacks and caller.scope.era == "modern":
        raise missing_capability(caller.lacks)


def _capabilities(scope: Scope, upstream: Upstream, *, tasks: bool) -> ClientCapabilities:
    """What the client can be asked for, and of extensions what passes through. tasks: the gateway waits
    for tasks where the client does not know them.
    """
    declared = scope.client_capabilities or _NOTHING
    if scope.era == "legacy":
        if scope.peer is None:
            declared = _NOTHING
        waiting: dict[str, Json] = {TASKS: {}} if tasks else {}
        return msgspec.structs.replace(declared, extensions=waiting or None, tasks=None)
    extensions = passed_capabilities(declared, upstream.hello)
    return msgspec.structs.replace(declared, extensions=extensions or None, tasks=None)


_NOTHING = ClientCapabilities()
_NOTHING_TOLD = raw(_NOTHING)


def _told(capabilities: ClientCapabilities) -> Raw:
    """As JSON. Most clients have nothing, and are told so with every request."""
    return _NOTHING_TOLD if capabilities == _NOTHING else raw(capabilities)


async def _answered(
    params: Mapping[str, Any], asked: InputRequiredResult, scope: Scope
) -> dict[str, Any]:
    again = dict(params)
    if asked.input_requests:
        again["inputResponses"] = {
            key: await ask_for(question, scope) for key, question in asked.input_requests.items()
        }
    if asked.request_state is not None:
        again["requestState"] = asked.request_state
    return again


def _translated(answer: ErrorResponse, scope: Scope, instance: Instance) -> McpError:
    """The upstream's refusal, as the client's revision has it. What sends a client of 2026-07-28 to pages
    is the matter of `turns`.
    """
    error = answer.error
    code, message = error.code, error.message
    if code == RESOURCE_NOT_FOUND and scope.era == "modern":
        code = INVALID_PARAMS
    elif code == URL_ELICITATION_REQUIRED and scope.era == "legacy":
        if find_notification(ELICITATION_COMPLETE, scope.version) is None:
            places = ", ".join(f"{page.message}: {page.url}" for page in pages_of(error.data))
            return McpError(INTERNAL_ERROR, f"{message}: {places}" if places else message)
        instance.questions.pages.refused(error.data, scope)
    return McpError(code, message, error.data)
