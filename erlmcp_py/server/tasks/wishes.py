"""Whether a tool call becomes a task: what its client can have, and what its author wants.

The server decides in 2026-07-28, for clients that declare the extension in the request. In 2025-11-25 the
client does, by a member `task`. The other revisions know no tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from erlmcp_py.protocol.errors import METHOD_NOT_FOUND, mismatch, params_entry, refused
from erlmcp_py.protocol.extensions import tasks as extension
from erlmcp_py.protocol.refusals import PROTOCOL_ERROR
from erlmcp_py.protocol.tasks import TaskMetadata
from erlmcp_py.server.host import Host
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.tasks.policy import TaskWish

if TYPE_CHECKING:
    from erlmcp_py.server.definition.entries import ToolDef

CORE_VERSION: Final = "2025-11-25"
"""The one revision that has tasks in its core."""


def task_wish(host: Host, scope: Scope, tool: ToolDef, task: msgspec.Raw) -> TaskWish | None:
    """None for a plain call. task: the member of that name, empty if there is none.

    Raises McpError if the tool and the client cannot agree.
    """
    policy = tool.task
    if scope.era == "modern":
        if policy is None:
            return None
        if policy.support == "required":
            extension.require(scope.client_capabilities)
        able = extension.declared(scope.client_capabilities) and host.tasks is not None
        return TaskWish(policy, told=policy.asks_first) if able else None
    wished = bool(task) and bytes(task) != b"null" and scope.version == CORE_VERSION
    if not wished or host.tasks is None:
        if policy is not None and policy.support == "required":
            text = f"Tool {tool.tool.name!r} runs as a task only (MCP {CORE_VERSION}: tasks)"
            raise refused(PROTOCOL_ERROR, text, code=METHOD_NOT_FOUND)
        return None
    if policy is None:
        text = f"Tool {tool.tool.name!r} does not run as a task"
        raise refused(PROTOCOL_ERROR, text, code=METHOD_NOT_FOUND)
    try:
        ttl = msgspec.json.decode(task, type=TaskMetadata).ttl
    except msgspec.MsgspecError as problem:
        raise refused(params_entry(problem), mismatch(problem, "params.task")) from None
    return TaskWish(policy, ttl=None if ttl is None else ttl / 1000)
