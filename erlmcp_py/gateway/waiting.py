"""Tools that run as a task only, for clients that cannot have tasks of that flavour: they get a plain call,
and the gateway waits for the task.

Such a call lives as long as its client waits for it; whoever cancels it cancels the task.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec
import trio
from msgspec import Raw

from erlmcp_py.client import ClientError, Hello
from erlmcp_py.gateway.caller import Caller
from erlmcp_py.gateway.tasks import CORE, has_tasks, related
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import MISSING_CAPABILITY, McpError, refused
from erlmcp_py.protocol.extensions import tasks as extension
from erlmcp_py.protocol.input import InputRequest
from erlmcp_py.protocol.jsonrpc import ErrorResponse, Response, error_response, raw
from erlmcp_py.protocol.results import result_as
from erlmcp_py.protocol.tasks import CreateTaskResult

POLL: Final = 1.0
"""Seconds between two looks at a task, where the upstream proposes nothing."""
_SHORTEST: Final = 0.05
_LONGEST: Final = 60.0
_LEAVE: Final = 2.0
"""Seconds to cancel a task."""

Answer = Response | ErrorResponse
Ask = Callable[[InputRequest], Awaitable[Any]]


class Send(Protocol):
    """How a request is sent for a caller."""

    def __call__(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        tasks: bool = False,
        timeout: float | None = None,
    ) -> Awaitable[tuple[Answer, str]]:
        """The answer, and the revision it is of. tasks: whether it can be a task, whatever the client
        declares. timeout: instead of the upstream's.
        """


class _Tool(msgspec.Struct, frozen=True):
    name: str = ""
    execution: dict[str, Any] | None = None


class _Kind(msgspec.Struct, frozen=True, rename="camel"):
    result_type: Any = None


_tool = msgspec.json.Decoder(_Tool).decode
_kind = msgspec.json.Decoder(_Kind).decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode


def task_only(tools: Iterable[Raw]) -> frozenset[str]:
    """Those among the entries of 2025-11-25 that run as a task only."""
    found = []
    for entry in tools:
        if b'"taskSupport"' in bytes(entry):
            try:
                tool = _tool(entry)
            except ValueError:
                continue  # the list says so already
            if (tool.execution or {}).get("taskSupport") == "required":
                found.append(tool.name)
    return frozenset(found)


async def call_tool(
    params: Mapping[str, Any],
    send: Send,
    ask: Ask,
    caller: Caller,
    hello: Hello | None,
    only: Callable[[], frozenset[str]],
) -> tuple[Answer, str]:
    """The answer to a call, and the revision it is of. ask: puts a question to a client of the older
    revisions. only: the tools that run as a task only, in 2025-11-25.
    """
    method = "tools/call"
    foreign = hello is not None and hello.version != caller.scope.version
    if not foreign or hello is None or not has_tasks(hello, hello.version):
        return await send(method, params)
    if hello.version == CORE:
        if params.get("name") not in only():
            return await send(method, params)
        return await _wait_in_core(params, send, caller)
    answer, version = await send(method, params)
    if _wants_tasks(answer):
        answer, version = await send(method, params, tasks=True)
    if isinstance(answer, Response) and _kind(answer.result).result_type == "task":
        created = result_as(answer, extension.CreateTaskResult, method)
        return await _wait_by_looking(created.task_id, send, ask), version
    return answer, version


def _wants_tasks(answer: Answer) -> bool:
    """Whether the call was refused because its client cannot have tasks."""
    if not isinstance(answer, ErrorResponse) or answer.error.code != MISSING_CAPABILITY:
        return False
    data = answer.error.data
    required = data.get("requiredCapabilities") if isinstance(data, dict) else None
    extensions = required.get("extensions") if isinstance(required, dict) else None
    return isinstance(extensions, dict) and extension.TASKS in extensions


async def _wait_in_core(
    params: Mapping[str, Any], send: Send, caller: Caller
) -> tuple[Answer, str]:
    """2025-11-25: `tasks/result` waits, and the task's questions come meanwhile."""
    answer, version = await send("tools/call", {**params, "task": {}})
    if isinstance(answer, ErrorResponse):
        return answer, version
    id = result_as(answer, CreateTaskResult, "tools/call").task.task_id
    caller.waits_for = id
    try:
        answer, version = await send("tasks/result", {"taskId": id}, timeout=math.inf)
    except trio.Cancelled:
        await _cancel(id, send)
        raise
    if isinstance(answer, Response):
        answer = Response(answer.id, raw(related(_members(answer.result), None)))
    return answer, version


async def _wait_by_looking(id: str, send: Send, ask: Ask) -> Answer:
    """2026-07-28: the task is looked at, and its questions are answered by `tasks/update`."""
    answered: set[str] = set()
    try:
        while True:
            answer, _ = await send("tasks/get", {"taskId": id}, tasks=True)
            if isinstance(answer, ErrorResponse):
                return answer
            task = result_as(answer, extension.DetailedTask, "tasks/get")
            if task.status == "completed":
                return Response(answer.id, task.result)
            if task.error is not None:
                return ErrorResponse(id=answer.id, error=task.error)
            if task.status == "cancelled":
                text = f"the task of this call was cancelled: {task.status_message or 'no reason'}"
                return error_response(answer.id, refused(refusals.DEPENDENCY_UNAVAILABLE, text))
            for key, question in (task.input_requests or {}).items():
                if key not in answered:
                    answered.add(key)
                    update = {"taskId": id, "inputResponses": {key: await ask(question)}}
                    await send("tasks/update", update, tasks=True)
            poll = POLL if task.poll_interval_ms is None else task.poll_interval_ms / 1000
            await trio.sleep(min(max(poll, _SHORTEST), _LONGEST))
    except (trio.Cancelled, McpError):  # nobody waits for it any more, or can tell it what it asks
        await _cancel(id, send)
        raise


async def _cancel(id: str, send: Send) -> None:
    with trio.move_on_after(_LEAVE, shield=True):
        try:
            await send("tasks/cancel", {"taskId": id}, tasks=True)
        except ClientError:
            return  # the task has ended with its upstream
