"""The Tasks extension of 2026-07-28 (SEP-2663): an answer that comes later, in a task that outlives
its connection.

A client that declares the extension may get a `CreateTaskResult` in place of a result, polls
`tasks/get`, answers the task's questions with `tasks/update` and stops it with `tasks/cancel`. There is
no `tasks/list` and no `tasks/result`: what a task came to is inside the answer to `tasks/get`. Times
are ISO 8601, durations milliseconds.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from erlmcp_py.protocol.errors import missing_capability
from erlmcp_py.protocol.input import InputRequests, InputResponses
from erlmcp_py.protocol.jsonrpc import ErrorObject
from erlmcp_py.protocol.lifecycle import ClientCapabilities
from erlmcp_py.protocol.tasks import TaskStatus
from erlmcp_py.protocol.wire import RequestParams, Result

TASKS: Final = "io.modelcontextprotocol/tasks"
"""The name of the extension; its settings are an empty object."""

RELATED_TASK_IDS: Final = "io.modelcontextprotocol/relatedTaskIds"
"""`_meta` of a request: ids of tasks that it has to do with, for a server that cares."""


class TaskState(Result, frozen=True, kw_only=True):
    """What is always said of a task. `ttl_ms` None, and null on the wire: kept without limit."""

    task_id: str
    status: TaskStatus
    created_at: str
    last_updated_at: str
    ttl_ms: int | None
    poll_interval_ms: int | None = None
    status_message: str | None = None


class CreateTaskResult(TaskState, frozen=True):
    """In place of the result of a request: it has become this task."""

    result_type: Literal["task"] = msgspec.field(default_factory=lambda: "task")


class DetailedTask(TaskState, frozen=True, kw_only=True):
    """A task with all there is to know: the answer to `tasks/get` and the parameters of
    `notifications/tasks` (which have no `result_type`).

    input_required has `input_requests`, completed has `result` (raw, of the request's own type;
    empty if absent), failed has `error`, and no other status has any of them.
    """

    input_requests: InputRequests | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: ErrorObject | None = None

    def __post_init__(self) -> None:
        has = {
            "input_required": self.input_requests is not None,
            "completed": bool(self.result),
            "failed": self.error is not None,
        }
        for status, present in has.items():
            if present is not (self.status == status):
                what = "lacks what" if not present else "has what only"
                raise ValueError(f"a task that is {self.status} {what} one that is {status} has")


class TaskParams(RequestParams, frozen=True):
    """The parameters of `tasks/get` and `tasks/cancel`."""

    task_id: str


class UpdateTaskParams(RequestParams, frozen=True):
    """The parameters of `tasks/update`: answers, raw (`input.read_input`), by the task's keys."""

    task_id: str
    input_responses: InputResponses


def declared(capabilities: ClientCapabilities | None) -> bool:
    """Whether a client can have tasks: it says so in each request."""
    return capabilities is not None and TASKS in (capabilities.extensions or {})


def require(capabilities: ClientCapabilities | None) -> None:
    """Raises McpError -32021 unless the client can have tasks."""
    if not declared(capabilities):
        raise missing_capability({"extensions": {TASKS: {}}})
