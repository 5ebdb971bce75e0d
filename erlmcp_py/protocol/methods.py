"""Every method and notification: in which revisions, by whom, with which types.

For a client that has to read an answer, for a gateway that passes messages on, and for the tests that
check all that leaves the node. The `tasks/` methods are in two eras with different types, so a method is
looked up for a revision.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec

from erlmcp_py.protocol import notifications as names
from erlmcp_py.protocol import tasks
from erlmcp_py.protocol.completion import CompleteParams, CompleteResult
from erlmcp_py.protocol.elicitation import (
    ELICIT,
    ElicitationCompleteParams,
    ElicitParams,
    ElicitResult,
)
from erlmcp_py.protocol.extensions import skills
from erlmcp_py.protocol.extensions import tasks as task_extension
from erlmcp_py.protocol.lifecycle import (
    DiscoverResult,
    EmptyResult,
    InitializeParams,
    InitializeResult,
    SetLevelParams,
)
from erlmcp_py.protocol.prompts import GetPromptParams, GetPromptResult, ListPromptsResult
from erlmcp_py.protocol.resources import (
    ListResourcesResult,
    ListResourceTemplatesResult,
    ReadResourceParams,
    ReadResourceResult,
)
from erlmcp_py.protocol.roots import LIST_ROOTS, ListRootsResult
from erlmcp_py.protocol.sampling import CREATE_MESSAGE, CreateMessageParams, CreateMessageResult
from erlmcp_py.protocol.subscriptions import (
    LISTEN,
    ResourceUpdatedParams,
    SubscribeParams,
    SubscriptionsAcknowledgedParams,
    SubscriptionsListenParams,
    SubscriptionsListenResult,
)
from erlmcp_py.protocol.tools import CallToolParams, CallToolResult, ListToolsResult
from erlmcp_py.protocol.versions import LATEST, LEGACY
from erlmcp_py.protocol.wire import NotificationParams, PaginatedParams, RequestParams

Sender = Literal["client", "server", "both"]

_FIRST: Final = LEGACY[-1]
_LAST_LEGACY: Final = LEGACY[0]


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """A method: who sends it, what with, and what comes back.

    first, last: the revisions that have it. extension: the one it belongs to, None in the core.
    result: None for a notification.
    """

    name: str
    params: Any
    result: Any = None
    sender: Sender = "client"
    first: str = _FIRST
    last: str = LATEST
    extension: str | None = None

    def known_to(self, version: str) -> bool:
        """Whether that revision has it."""
        return self.first <= version <= self.last


def _client(name: str, params: Any, result: Any) -> Method:
    return Method(name=name, params=params, result=result)


def _legacy(
    name: str, params: Any, result: Any, sender: Sender = "client", first: str = _FIRST
) -> Method:
    return Method(
        name=name, params=params, result=result, sender=sender, first=first, last=_LAST_LEGACY
    )


def _task(name: str, params: Any, result: Any) -> Method:
    return _legacy(name, params, result, "both", _LAST_LEGACY)


def _modern(name: str, params: Any, result: Any, extension: str | None = None) -> Method:
    return Method(name=name, params=params, result=result, first=LATEST, extension=extension)


def _notification(
    name: str,
    params: Any = NotificationParams,
    sender: Sender = "server",
    first: str = _FIRST,
    last: str = LATEST,
    extension: str | None = None,
) -> Method:
    return Method(
        name=name, params=params, sender=sender, first=first, last=last, extension=extension
    )


REQUESTS: Final[tuple[Method, ...]] = (
    _client("tools/list", PaginatedParams, ListToolsResult),
    _client("tools/call", CallToolParams, CallToolResult),
    _client("resources/list", PaginatedParams, ListResourcesResult),
    _client("resources/templates/list", PaginatedParams, ListResourceTemplatesResult),
    _client("resources/read", ReadResourceParams, ReadResourceResult),
    _client("prompts/list", PaginatedParams, ListPromptsResult),
    _client("prompts/get", GetPromptParams, GetPromptResult),
    _client("completion/complete", CompleteParams, CompleteResult),
    _legacy("initialize", InitializeParams, InitializeResult),
    _legacy("ping", RequestParams, EmptyResult, "both"),
    _legacy("logging/setLevel", SetLevelParams, EmptyResult),
    _legacy("resources/subscribe", SubscribeParams, EmptyResult),
    _legacy("resources/unsubscribe", SubscribeParams, EmptyResult),
    _legacy(CREATE_MESSAGE, CreateMessageParams, CreateMessageResult, "server"),
    _legacy(LIST_ROOTS, RequestParams, ListRootsResult, "server"),
    _legacy(ELICIT, ElicitParams, ElicitResult, "server", "2025-06-18"),
    _task("tasks/get", tasks.TaskParams, tasks.GetTaskResult),
    _task("tasks/result", tasks.TaskParams, msgspec.Raw),
    _task("tasks/cancel", tasks.TaskParams, tasks.CancelTaskResult),
    _task("tasks/list", PaginatedParams, tasks.ListTasksResult),
    _modern("server/discover", RequestParams, DiscoverResult),
    _modern(LISTEN, SubscriptionsListenParams, SubscriptionsListenResult),
    _modern(
        "tasks/get", task_extension.TaskParams, task_extension.DetailedTask, task_extension.TASKS
    ),
    _modern("tasks/update", task_extension.UpdateTaskParams, EmptyResult, task_extension.TASKS),
    _modern("tasks/cancel", task_extension.TaskParams, EmptyResult, task_extension.TASKS),
    _modern("skills/list", PaginatedParams, skills.ListSkillsResult, skills.SKILLS),
    _modern("skills/get", skills.GetSkillParams, skills.GetSkillResult, skills.SKILLS),
    _modern(
        "resources/directory/read",
        skills.ReadDirectoryParams,
        skills.ReadDirectoryResult,
        skills.SKILLS,
    ),
)
"""All requests. In the modern era servers send none; what they would ask is in `protocol.input`."""

NOTIFICATIONS: Final[tuple[Method, ...]] = (
    _notification(names.CANCELLED, names.CancelledParams, "both"),
    _notification(names.PROGRESS, names.ProgressParams, "both", last=_LAST_LEGACY),
    _notification(names.PROGRESS, names.ProgressParams, first=LATEST),
    _notification(names.INITIALIZED, sender="client", last=_LAST_LEGACY),
    _notification(names.ROOTS_CHANGED, sender="client", last=_LAST_LEGACY),
    _notification(names.MESSAGE, names.LoggingMessageParams),
    _notification(names.TOOLS_CHANGED),
    _notification(names.RESOURCES_CHANGED),
    _notification(names.PROMPTS_CHANGED),
    _notification(names.RESOURCE_UPDATED, ResourceUpdatedParams),
    _notification(
        names.ELICITATION_COMPLETE,
        ElicitationCompleteParams,
        first=_LAST_LEGACY,
        last=_LAST_LEGACY,
    ),
    _notification(
        names.TASK_STATUS, tasks.TaskStatusParams, "both", first=_LAST_LEGACY, last=_LAST_LEGACY
    ),
    _notification(names.ACKNOWLEDGED, SubscriptionsAcknowledgedParams, first=LATEST),
    _notification(
        names.TASK_CHANGED,
        task_extension.DetailedTask,
        first=LATEST,
        extension=task_extension.TASKS,
    ),
)
"""All notifications."""


def find_request(name: str, version: str) -> Method | None:
    """The request of that name in that revision, None if it has none."""
    return _find(REQUESTS, name, version)


def find_notification(name: str, version: str) -> Method | None:
    """The notification of that name in that revision, None if it has none."""
    return _find(NOTIFICATIONS, name, version)


def _find(methods: Iterable[Method], name: str, version: str) -> Method | None:
    for method in methods:
        if method.name == name and method.known_to(version):
            return method
    return None
