"""Tasks: tool calls that outlive their connection, as 2025-11-25 and the extension of 2026-07-28 have them.

A task is known by its id, which is a string that can be kept anywhere: `Tasks.resume` takes it up again, in
another program or on another day. Neither flavour promises that anybody is told of its end, so it is asked
for, as often as the server proposes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import trio

from erlmcp_py.client.calls import Call, OnProgress
from erlmcp_py.client.desk import Desk
from erlmcp_py.client.errors import NotConnected, TaskFailed
from erlmcp_py.client.requesting import ROUNDS, Requests
from erlmcp_py.protocol.errors import METHOD_NOT_FOUND, McpError
from erlmcp_py.protocol.extensions import tasks as extension
from erlmcp_py.protocol.input import InputRequests
from erlmcp_py.protocol.jsonrpc import ErrorObject, Response
from erlmcp_py.protocol.methods import find_request
from erlmcp_py.protocol.results import read_result, result_as
from erlmcp_py.protocol.tasks import CreateTaskResult, TaskStatus
from erlmcp_py.protocol.tools import CallToolResult
from erlmcp_py.protocol.versions import era_of

POLL: Final = 1.0
"""Seconds between two looks, where the server proposes nothing."""
_SHORTEST: Final = 0.05
_LONGEST: Final = 60.0
_FOREVER: Final = 2**62
"""Milliseconds: JSON's integers have no limit."""
_ENDED: Final = frozenset({"completed", "failed", "cancelled"})


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    """A task and where it stands, whatever the flavour.

    questions: what it waits for (2026-07-28; the older one asks while its result is waited for).
    result: of a completed one (2026-07-28; the older one has it for itself); error: of a failed one.
    poll: seconds until the next look makes sense. ttl: seconds it is kept, None: without limit.
    """

    id: str
    status: TaskStatus
    message: str | None
    created_at: str
    poll: float
    ttl: float | None
    questions: InputRequests | None = None
    result: CallToolResult | None = None
    error: ErrorObject | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in _ENDED


class RunningTask:
    """One task. id: None if the server answered at once, and there is no task."""

    def __init__(self, tasks: Tasks, id: str | None, result: CallToolResult | None = None) -> None:
        self.id = id
        self._tasks = tasks
        self._result = result

    async def status(self) -> TaskView:
        """Where it stands now. Raises McpError -32602 if the server does not know it (any more)."""
        return await self._tasks.look(self._known())

    async def result(self) -> CallToolResult:
        """Wait for its end; questions go to the client's handlers. Cancel scopes end the waiting, not
        the task. Raises McpError if it failed with an error, TaskFailed if it was cancelled.
        """
        if self._result is None:
            self._result = await self._tasks.wait(self._known())
        return self._result

    async def answer(self, responses: Mapping[str, Any]) -> None:
        """Answer some of its questions, by their keys (2026-07-28)."""
        await self._tasks.answer(self._known(), responses)

    async def cancel(self) -> None:
        """Ask for its end; it may have ended otherwise meanwhile."""
        await self._tasks.cancel(self._known())

    def _known(self) -> str:
        if self.id is None:
            raise ValueError("the server answered at once: there is no task")
        return self.id


class Tasks:
    """``client.tasks``."""

    def __init__(self, requests: Requests, desk: Desk, handlers: Any, timeout: float) -> None:
        self._requests = requests
        self._desk = desk
        self._handlers = handlers
        self.timeout = timeout

    async def start(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        ttl: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> RunningTask:
        """Call a tool as a task, if the server does that: it decides (2026-07-28, which needs
        ``Client(…, tasks=True)``), or does what it is asked for (2025-11-25). ttl: seconds that a task
        of 2025-11-25 is to be kept.
        """
        params: dict[str, Any] = {"name": name, "arguments": arguments or {}}
        call = Call("tools/call", params, on_progress=on_progress)
        hello = await self._requests.hello(self.timeout)
        if hello.era == "modern":
            result, _ = await self._requests.result(call, self.timeout, tasks=True)
            if isinstance(result, extension.CreateTaskResult):
                return RunningTask(self, result.task_id)
            return RunningTask(self, None, result)
        if not self._has_legacy_tasks():
            result, _ = await self._requests.result(call, self.timeout)
            return RunningTask(self, None, result)
        params["task"] = {} if ttl is None else {"ttl": int(ttl * 1000)}
        response, _ = await self._requests.response(call, self.timeout)
        return RunningTask(self, result_as(response, CreateTaskResult, "tools/call").task.task_id)

    def resume(self, id: str) -> RunningTask:
        """A task that was started before, by this program or another."""
        return RunningTask(self, id)

    async def look(self, id: str) -> TaskView:
        """See `RunningTask.status`."""
        found = await self._ask("tasks/get", {"taskId": id})
        if not isinstance(found, extension.DetailedTask):
            return TaskView(
                id=id,
                status=found.status,
                message=found.status_message,
                created_at=found.created_at,
                poll=_seconds(found.poll_interval),
                ttl=None if found.ttl is None else min(found.ttl, _FOREVER) / 1000,
            )
        result = None
        if found.result:
            result = result_as(Response(id, found.result), CallToolResult, "tasks/get")
        return TaskView(
            id=id,
            status=found.status,
            message=found.status_message,
            created_at=found.created_at,
            poll=_seconds(found.poll_interval_ms),
            ttl=None if found.ttl_ms is None else min(found.ttl_ms, _FOREVER) / 1000,
            questions=found.input_requests,
            result=result,
            error=found.error,
        )

    async def wait(self, id: str) -> CallToolResult:
        """See `RunningTask.result`."""
        answered: set[str] = set()
        while True:
            view = await self.look(id)
            if self._era() == "legacy":
                if view.ended or view.status == "input_required":
                    return await self._fetch(id)
            elif view.ended:
                return _outcome(view)
            elif view.questions:
                await self._answer_new(view, answered)
            await trio.sleep(view.poll)

    async def _answer_new(self, view: TaskView, answered: set[str]) -> None:
        """Have the handlers answer what they have not answered yet."""
        new = {key: asked for key, asked in (view.questions or {}).items() if key not in answered}
        if not new:
            return
        if len(answered) + len(new) > 100 * ROUNDS:
            raise TaskFailed(f"task {view.id} has asked {len(answered)} questions and goes on")
        answers = await self._requests.answers(new, self._version())
        answered |= set(new)
        await self.answer(view.id, answers)

    async def _fetch(self, id: str) -> CallToolResult:
        """The result of a task of 2025-11-25, when there is one; its questions come meanwhile."""
        call = Call("tasks/result", {"taskId": id})
        response, _ = await self._requests.response(call, math.inf)
        return result_as(response, CallToolResult, "tasks/result")

    async def answer(self, id: str, responses: Mapping[str, Any]) -> None:
        """See `RunningTask.answer`."""
        await self._ask("tasks/update", {"taskId": id, "inputResponses": responses})

    async def cancel(self, id: str) -> None:
        """See `RunningTask.cancel`."""
        await self._ask("tasks/cancel", {"taskId": id})

    async def _ask(self, method: str, params: dict[str, Any]) -> Any:
        response, version = await self._requests.response(Call(method, params), self.timeout)
        known = find_request(method, version)
        if known is None:
            raise McpError(METHOD_NOT_FOUND, f"{method} does not exist in {version}")
        return read_result(response, known, version)

    def _version(self) -> str:
        hello = self._desk.hello
        if hello is None:
            raise NotConnected("the server has not been greeted yet")
        return hello.version

    def _era(self) -> str:
        return era_of(self._version())

    def _has_legacy_tasks(self) -> bool:
        hello = self._desk.hello
        assert hello is not None
        tasks = hello.capabilities.tasks
        calls = None if tasks is None or tasks.requests is None else tasks.requests.tools
        return calls is not None and calls.call is not None


def _outcome(view: TaskView) -> CallToolResult:
    if view.result is not None:
        return view.result
    if view.error is not None:
        raise McpError(view.error.code, view.error.message, view.error.data)
    said = f": {view.message}" if view.message else ""
    raise TaskFailed(f"task {view.id} is {view.status}{said}")


def _seconds(milliseconds: int | None) -> float:
    if milliseconds is None:
        return POLL
    return min(max(milliseconds, _SHORTEST * 1000), _LONGEST * 1000) / 1000
