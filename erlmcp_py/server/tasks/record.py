"""What is known of a task, and how that changes: pure.

::

    working ⇄ input_required
       │            │
       └────┬───────┘
            ▼
    completed | failed | cancelled

A task that has ended never changes again; every function below hands such a record back as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from erlmcp_py.protocol import tasks as core
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.extensions import tasks as extension
from erlmcp_py.protocol.input import InputRequest
from erlmcp_py.protocol.jsonrpc import ErrorObject, raw
from erlmcp_py.protocol.shape import shape_result
from erlmcp_py.protocol.tasks import TaskStatus
from erlmcp_py.protocol.tools import CallToolResult
from erlmcp_py.protocol.versions import Era, era_of
from erlmcp_py.protocol.wire import Result

ENDED: Final = frozenset({"completed", "failed", "cancelled"})


class Owner(msgspec.Struct, frozen=True):
    """Whose task it is. principal: who authenticated, None where nobody does. client: the session or
    channel that made it; None in the era without them, where whoever knows the id may ask.
    """

    server: str
    principal: str | None = None
    client: str | None = None


class TaskRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task as it is kept; plain data with a JSON form, for a `TaskStore`.

    version: the revision it was made in, which all that is told of it follows. Times in seconds since
    1970, durations in seconds. questions: those without an answer. result: as the request would have
    got it; empty until then. error: in its place.
    """

    id: str
    owner: Owner
    tool: str
    version: str
    created_at: float
    updated_at: float
    ttl: float | None
    poll_interval: float
    status: TaskStatus = "working"
    message: str | None = None
    questions: dict[str, InputRequest] = {}
    result: Raw = Raw()
    error: ErrorObject | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ENDED

    @property
    def era(self) -> Era:
        """Of the revision it was made in."""
        return era_of(self.version)

    @property
    def expires(self) -> float | None:
        """When it is forgotten; None: never."""
        return None if self.ttl is None else self.created_at + self.ttl


# --- transitions ----------------------------------------------------------------------------


def said(record: TaskRecord, message: str, now: float) -> TaskRecord:
    """The task has told how far it is."""
    return record if record.ended else _updated(record, now, message=message)


def asked(record: TaskRecord, questions: Mapping[str, InputRequest], now: float) -> TaskRecord:
    """The task waits for more answers."""
    if record.ended or not questions:
        return record
    return _updated(
        record, now, status="input_required", questions={**record.questions, **questions}
    )


def answered(record: TaskRecord, keys: Iterable[str], now: float) -> TaskRecord:
    """These questions need no answer any more; with the last of them the task goes on."""
    gone = set(keys) & record.questions.keys()
    if not gone:
        return record
    left = {key: request for key, request in record.questions.items() if key not in gone}
    return _updated(record, now, status="input_required" if left else "working", questions=left)


def finished(record: TaskRecord, outcome: Result | McpError, now: float) -> TaskRecord:
    """The task has come to a result or an error.

    A tool that failed has a result that says so. 2025-11-25 calls its task failed, the extension
    completed: there a failed task is one that has no result. EncodeError if the result has no JSON.
    """
    if record.ended:
        return record
    if isinstance(outcome, McpError):
        data = None if outcome.data is None else raw(outcome.data)
        error = ErrorObject(outcome.code, outcome.message, data)
        return _updated(
            record, now, status="failed", questions={}, error=error, message=outcome.message
        )
    shaped = raw(shape_result(outcome, record.era, record.version))
    unhappy = isinstance(outcome, CallToolResult) and bool(outcome.is_error)
    status: TaskStatus = "failed" if unhappy and record.era == "legacy" else "completed"
    return _updated(record, now, status=status, questions={}, result=shaped)


def cancelled(record: TaskRecord, now: float) -> TaskRecord:
    """The client wants it no more."""
    if record.ended:
        return record
    return _updated(record, now, status="cancelled", questions={}, message="The task was cancelled")


def _updated(record: TaskRecord, now: float, **changes: Any) -> TaskRecord:
    return replace(record, updated_at=max(now, record.updated_at), **changes)


# --- as clients are told --------------------------------------------------------------------


def created(record: TaskRecord) -> Result:
    """In place of the result of the request that became this task."""
    if record.era == "modern":
        return extension.CreateTaskResult(
            **_common(record), ttl_ms=_ms(record.ttl), poll_interval_ms=_ms(record.poll_interval)
        )
    return core.CreateTaskResult(task=core.Task(**_core(record)))


def detailed(record: TaskRecord) -> extension.DetailedTask:
    """All there is to know, for the extension."""
    more: dict[str, Any] = {}
    if record.status == "input_required":
        more["input_requests"] = record.questions
    elif record.status == "completed":
        more["result"] = record.result
    elif record.status == "failed":
        more["error"] = record.error
    return extension.DetailedTask(
        **_common(record),
        **more,
        ttl_ms=_ms(record.ttl),
        poll_interval_ms=_ms(record.poll_interval),
    )


def listed(record: TaskRecord) -> core.Task:
    """For `tasks/list`."""
    return core.Task(**_core(record))


def told(record: TaskRecord) -> core.GetTaskResult:
    """For `tasks/get` of 2025-11-25."""
    return core.GetTaskResult(**_core(record))


def told_cancelled(record: TaskRecord) -> core.CancelTaskResult:
    """For `tasks/cancel` of 2025-11-25."""
    return core.CancelTaskResult(**_core(record))


def status_params(record: TaskRecord) -> core.TaskStatusParams:
    """For `notifications/tasks/status`."""
    return core.TaskStatusParams(**_core(record))


def _common(record: TaskRecord) -> dict[str, Any]:
    return {
        "task_id": record.id,
        "status": record.status,
        "created_at": _iso(record.created_at),
        "last_updated_at": _iso(record.updated_at),
        "status_message": record.message,
    }


def _core(record: TaskRecord) -> dict[str, Any]:
    return {
        **_common(record),
        "ttl": _ms(record.ttl),
        "poll_interval": _ms(record.poll_interval),
    }


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else max(round(seconds * 1000), 1)


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
