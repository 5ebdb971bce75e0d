"""Parameters of the notifications, and the names of those that have none of their own."""

from __future__ import annotations

from typing import Any, Final

from erlmcp_py.protocol.jsonrpc import RequestId
from erlmcp_py.protocol.lifecycle import LogLevel
from erlmcp_py.protocol.wire import NotificationParams

INITIALIZED: Final = "notifications/initialized"
CANCELLED: Final = "notifications/cancelled"
PROGRESS: Final = "notifications/progress"
MESSAGE: Final = "notifications/message"
TOOLS_CHANGED: Final = "notifications/tools/list_changed"
RESOURCES_CHANGED: Final = "notifications/resources/list_changed"
PROMPTS_CHANGED: Final = "notifications/prompts/list_changed"
ROOTS_CHANGED: Final = "notifications/roots/list_changed"
RESOURCE_UPDATED: Final = "notifications/resources/updated"
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
ELICITATION_COMPLETE: Final = "notifications/elicitation/complete"
TASK_STATUS: Final = "notifications/tasks/status"
"""Of 2025-11-25; the Tasks extension says TASK_CHANGED."""
TASK_CHANGED: Final = "notifications/tasks"

ProgressToken = str | int


class CancelledParams(NotificationParams, frozen=True):
    """The sender has no more use for the answer to `request_id`, a request of its own.

    Without an id it says nothing anybody could act on; 2025-11-25 allows that.
    """

    request_id: RequestId | None = None
    reason: str | None = None


class ProgressParams(NotificationParams, frozen=True):
    """How far a request is. `progress` grows with every notification; `total` only if known."""

    progress_token: ProgressToken
    progress: int | float
    total: int | float | None = None
    message: str | None = None


class LoggingMessageParams(NotificationParams, frozen=True):
    """A line of the server's log for the client; `data` is any JSON value, None among them."""

    level: LogLevel
    data: Any
    logger: str | None = None
