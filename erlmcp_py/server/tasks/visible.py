"""Which tasks a client may know of: its own, and those only (MCP, tasks: security)."""

from __future__ import annotations

from msgspec.structs import replace

from erlmcp_py.protocol.subscriptions import SubscriptionFilter
from erlmcp_py.server.host import Host
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.tasks.beginning import owner_of
from erlmcp_py.server.tasks.record import Owner, TaskRecord


def offers_tasks(host: Host) -> bool:
    """Whether this server has tasks at all: a tool that may become one, or one from earlier."""
    return host.tasks is not None and (
        any(tool.task is not None for tool in host.server.tools.values()) or len(host.tasks) > 0
    )


def find_task(host: Host, scope: Scope, id: str) -> TaskRecord | None:
    """The task, if there is one of that id and it is this client's."""
    record = None if host.tasks is None else host.tasks.get(id)
    if record is None or record.owner != owner_of(host, scope) or record.era != scope.era:
        return None
    return record


def honoured_tasks(
    host: Host, granted: SubscriptionFilter, ids: list[str] | None, principal: str | None
) -> SubscriptionFilter:
    """What is granted, with the tasks among `ids` that this caller may know of."""
    if ids is None or host.tasks is None:
        return granted
    owner = Owner(host.name, principal)
    own = [id for id in ids if (task := host.tasks.get(id)) is not None and task.owner == owner]
    return replace(granted, task_ids=own)
