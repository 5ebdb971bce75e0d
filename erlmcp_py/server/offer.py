"""What a running server offers: its definition, and what the node around it makes possible."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from erlmcp_py.protocol.extensions.skills import SKILLS
from erlmcp_py.protocol.extensions.tasks import TASKS
from erlmcp_py.protocol.lifecycle import ServerCapabilities
from erlmcp_py.protocol.tasks import ServerTaskRequests, ServerTasksCapability, TaskCall
from erlmcp_py.protocol.versions import Era
from erlmcp_py.server.host import Host
from erlmcp_py.server.tasks.visible import offers_tasks

_CORE_TASKS: Final = ServerTasksCapability(
    list={}, cancel={}, requests=ServerTaskRequests(tools=TaskCall(call={}))
)


def capabilities_of(host: Host, era: Era) -> ServerCapabilities:
    """Tasks are part of the core in 2025-11-25 and an extension in 2026-07-28; the other extensions
    are of the modern era only.
    """
    capabilities = host.server.capabilities()
    tasks = offers_tasks(host)
    if era == "legacy":
        return replace(capabilities, tasks=_CORE_TASKS) if tasks else capabilities
    extensions: dict[str, dict[str, Any]] = {}
    if tasks:
        extensions[TASKS] = {}
    if host.server.skill_directories:
        extensions[SKILLS] = {"directoryRead": True}
    return replace(capabilities, extensions=extensions or None)
