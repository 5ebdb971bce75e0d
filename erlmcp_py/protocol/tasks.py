"""Tasks as 2025-11-25 has them: in the core, experimental, and gone after that revision.

A request with `task` is answered with a `CreateTaskResult`; the asker polls `tasks/get` and fetches the
real result with `tasks/result`. Both sides may be asked. The tasks of 2026-07-28 are an extension with
other shapes: `protocol.extensions.tasks`. Times are ISO 8601, durations milliseconds.
"""

from __future__ import annotations

from typing import Literal

from erlmcp_py.protocol.wire import Json, PaginatedResult, RequestParams, Result, Wire

TaskStatus = Literal["working", "input_required", "completed", "failed", "cancelled"]


class TaskMetadata(Wire, frozen=True):
    """The wish to have a request run as a task, kept for `ttl` milliseconds from its creation."""

    ttl: int | None = None


class Task(Wire, frozen=True, kw_only=True):
    """A task and where it stands. `ttl` None, and null on the wire: it is kept without limit."""

    task_id: str
    status: TaskStatus
    created_at: str
    last_updated_at: str
    ttl: int | None
    poll_interval: int | None = None
    status_message: str | None = None


class RelatedTaskMetadata(Wire, frozen=True):
    """The value of `meta.RELATED_TASK`: the task a message belongs to."""

    task_id: str


class CreateTaskResult(Result, frozen=True):
    """The answer to a request that runs as a task now."""

    task: Task


class TaskParams(RequestParams, frozen=True):
    """The parameters of `tasks/get`, `tasks/result` and `tasks/cancel`."""

    task_id: str


class GetTaskResult(Result, frozen=True, kw_only=True):
    """The answer to `tasks/get`: the members of `Task`, flat."""

    task_id: str
    status: TaskStatus
    created_at: str
    last_updated_at: str
    ttl: int | None
    poll_interval: int | None = None
    status_message: str | None = None


class CancelTaskResult(GetTaskResult, frozen=True):
    """The answer to `tasks/cancel`: the task as it is now."""


class TaskStatusParams(GetTaskResult, frozen=True):
    """The parameters of `notifications/tasks/status`: the task as it is now."""


class ListTasksResult(PaginatedResult, frozen=True):
    """The answer to `tasks/list`."""

    tasks: list[Task]


class TaskCall(Wire, frozen=True):
    """Of a server: tools may be called as tasks, if `call` is there."""

    call: Json | None = None


class ServerTaskRequests(Wire, frozen=True):
    """The requests a server runs as tasks."""

    tools: TaskCall | None = None


class ServerTasksCapability(Wire, frozen=True):
    """What a server can do about tasks; `{}` in a member says "yes"."""

    list: Json | None = None
    cancel: Json | None = None
    requests: ServerTaskRequests | None = None


class TaskSampling(Wire, frozen=True):
    """Of a client: sampling as a task, if `create_message` is there."""

    create_message: Json | None = None


class TaskElicitation(Wire, frozen=True):
    """Of a client: elicitation as a task, if `create` is there."""

    create: Json | None = None


class ClientTaskRequests(Wire, frozen=True):
    """The requests a client runs as tasks."""

    sampling: TaskSampling | None = None
    elicitation: TaskElicitation | None = None


class ClientTasksCapability(Wire, frozen=True):
    """What a client can do about tasks."""

    list: Json | None = None
    cancel: Json | None = None
    requests: ClientTaskRequests | None = None
