"""`tasks/…`: of the extension in 2026-07-28, of the core in 2025-11-25.

Reading and changing a task is a step in the book; only `tasks/result` waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from inspect import Signature, iscoroutinefunction
from typing import Any

import msgspec

from erlmcp_py.protocol import tasks as core
from erlmcp_py.protocol.errors import McpError, method_not_found, refused
from erlmcp_py.protocol.extensions import tasks as extension
from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.protocol.lifecycle import EmptyResult
from erlmcp_py.protocol.refusals import INVALID_PARAMS
from erlmcp_py.protocol.tools import CallToolResult
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.call import Call
from erlmcp_py.server.host import Host
from erlmcp_py.server.methods.listing import cursor_to, place_of
from erlmcp_py.server.methods.table import Method, Methods, Planned
from erlmcp_py.server.pagination import cut
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.signature import Handler
from erlmcp_py.server.tasks import record as records
from erlmcp_py.server.tasks.beginning import owner_of
from erlmcp_py.server.tasks.book import TaskBook
from erlmcp_py.server.tasks.courier import outcome_of, related, unknown_task, was_cancelled
from erlmcp_py.server.tasks.record import TaskRecord
from erlmcp_py.server.tasks.visible import find_task, offers_tasks
from erlmcp_py.server.tasks.wishes import CORE_VERSION


def _get(host: Host, request: Request, scope: Scope) -> Result:
    return records.detailed(_task(host, scope, params_as(request, extension.TaskParams).task_id))


def _update(host: Host, request: Request, scope: Scope) -> Call:
    params = params_as(request, extension.UpdateTaskParams)
    task = _task(host, scope, params.task_id)

    def update() -> Result:
        _book(host).answer(task.id, params.input_responses)
        return EmptyResult()

    return _step(request, update)


def _cancel(host: Host, request: Request, scope: Scope) -> Call:
    task = _task(host, scope, params_as(request, extension.TaskParams).task_id)

    def cancel() -> Result:
        _book(host).cancel(task.id)
        return EmptyResult()

    return _step(request, cancel)


def _core_get(host: Host, request: Request, scope: Scope) -> Result:
    return records.told(_task(host, scope, params_as(request, core.TaskParams).task_id))


def _core_list(host: Host, request: Request, scope: Scope) -> Result:
    own = _book(host).owned(owner_of(host, scope), "legacy")
    place = place_of(host, request, "tasks")
    items, then = cut(own, place.seen, host.server.page_size)
    cursor = cursor_to(host, "tasks", then)
    return core.ListTasksResult(tasks=[records.listed(task) for task in items], next_cursor=cursor)


def _core_cancel(host: Host, request: Request, scope: Scope) -> Call:
    task = _task(host, scope, params_as(request, core.TaskParams).task_id)

    def cancel() -> Result:
        book = _book(host)
        if task.ended:
            text = f"The task {task.id!r} has ended: it is {task.status}"
            raise refused(INVALID_PARAMS, text)
        book.cancel(task.id)
        return records.told_cancelled(book.get(task.id) or task)

    return _step(request, cancel)


def _core_result(host: Host, request: Request, scope: Scope) -> Call:
    task = _task(host, scope, params_as(request, core.TaskParams).task_id)

    async def result() -> TaskRecord:
        return await outcome_of(_book(host), task.id, scope.peer, scope.send)

    return _step(request, result, _outcome)


def _outcome(task: TaskRecord) -> Result:
    """What the request would have got, had it not become a task."""
    if task.error is not None:
        raise McpError(task.error.code, task.error.message, task.error.data)
    if task.status == "cancelled":
        raise was_cancelled(task)
    result = msgspec.json.decode(task.result, type=CallToolResult)
    return msgspec.structs.replace(result, meta={**(result.meta or {}), **related(task)})


def _book(host: Host) -> TaskBook:
    assert host.tasks is not None
    return host.tasks


def _task(host: Host, scope: Scope, id: str) -> TaskRecord:
    """Raises McpError -32602 unless there is one, and it is this client's."""
    record = find_task(host, scope, id)
    if record is None:
        raise unknown_task(id)
    if scope.peer is not None:
        _book(host).met(id, scope.peer)
    return record


def _step(
    request: Request, function: Callable[..., Any], finish: Callable[[Any], Result] = lambda r: r
) -> Call:
    """A handler of our own. An `async` one may take as long as it likes."""
    handler = Handler(
        function=function,
        mode="async" if iscoroutinefunction(function) else "inline",
        timeout=math.inf,
        where=f"{__name__}:{request.method}",
        parameters=(),
        context_name=None,
        returns=Signature.empty,
        description="",
    )
    return Call("task", request.method, handler, {}, finish)


def _extension(method: Method) -> Method:
    """The method for clients that declare the extension. McpError -32021 for others."""
    return partial(_if_declared, method)


def _if_declared(method: Method, host: Host, request: Request, scope: Scope) -> Planned:
    if not offers_tasks(host):
        raise method_not_found(request.method)
    extension.require(scope.client_capabilities)
    return method(host, request, scope)


def _core(method: Method) -> Method:
    """The method in the one revision that has it."""
    return partial(_if_of_version, method)


def _if_of_version(method: Method, host: Host, request: Request, scope: Scope) -> Planned:
    if scope.version != CORE_VERSION or not offers_tasks(host):
        raise method_not_found(request.method)
    return method(host, request, scope)


METHODS: Methods = {
    "modern": {
        "tasks/get": _extension(_get),
        "tasks/update": _extension(_update),
        "tasks/cancel": _extension(_cancel),
    },
    "legacy": {
        "tasks/get": _core(_core_get),
        "tasks/result": _core(_core_result),
        "tasks/list": _core(_core_list),
        "tasks/cancel": _core(_core_cancel),
    },
}
