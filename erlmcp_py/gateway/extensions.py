"""What is declared of tasks and extensions: that of which the traffic passes through, and nothing else.

Other extensions are not declared in either direction, for nobody knows which of their messages belong to
whom. What of them lies in tools, resources and `_meta` passes all the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from erlmcp_py.client import Hello
from erlmcp_py.gateway.tasks import CORE, has_tasks
from erlmcp_py.protocol.extensions.skills import SKILLS
from erlmcp_py.protocol.extensions.tasks import TASKS
from erlmcp_py.protocol.tasks import ServerTaskRequests, ServerTasksCapability, TaskCall
from erlmcp_py.protocol.versions import LATEST
from erlmcp_py.protocol.wire import Json


def core_tasks(hellos: Iterable[Hello], version: str) -> ServerTasksCapability | None:
    """The tasks of such upstreams together, for clients of an older revision."""
    if version != CORE:
        return None
    offering = [hello.capabilities.tasks for hello in hellos if has_tasks(hello, version)]
    if not offering:
        return None
    cancel = any(tasks is not None and tasks.cancel is not None for tasks in offering)
    return ServerTasksCapability(
        cancel={} if cancel else None, requests=ServerTaskRequests(tools=TaskCall(call={}))
    )


def extensions(hellos: Iterable[Hello]) -> dict[str, Json] | None:
    """The extensions of such upstreams together, for clients of 2026-07-28."""
    found: dict[str, Json] = {}
    for hello in hellos:
        offered = hello.capabilities.extensions or {}
        if has_tasks(hello, LATEST):
            found[TASKS] = {}
        if hello.version == LATEST and SKILLS in offered:
            found[SKILLS] = {**offered[SKILLS], **found.get(SKILLS, {})}
    return found or None
