"""Tasks of upstreams, for clients that speak the upstream's flavour of them: that of 2025-11-25, or the
extension of 2026-07-28.

All clients are one client to an upstream, so its ids are not given out. What a client gets is the id sealed,
together with the instance that has the task and what tells its program from the next one (which may give
the same ids to the tasks of others), for this caller (in the older era: this session) and this
server only, with the upstream's name in front. Nothing of it is kept here, so a task is found again whatever
process of the node has fallen. `tasks/list` is not offered, because an upstream lists the tasks of all.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec
from msgspec import Raw

from erlmcp_py.client import Hello
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import McpError, refused
from erlmcp_py.protocol.extensions.tasks import TASKS, declared
from erlmcp_py.protocol.jsonrpc import Notification, notification, raw
from erlmcp_py.protocol.lifecycle import ClientCapabilities
from erlmcp_py.protocol.meta import RELATED_TASK
from erlmcp_py.protocol.notifications import TASK_STATUS
from erlmcp_py.protocol.results import InvalidResult
from erlmcp_py.server.interaction.seal import StateSealer, bind
from erlmcp_py.server.scope import Scope
from supervisors import Pid, cast

CORE: Final = "2025-11-25"
"""The one revision that has tasks in its core."""
METHODS: Final = frozenset({"tasks/get", "tasks/result", "tasks/cancel", "tasks/update"})
LIMIT: Final = 1000
"""Tasks of one upstream whose changes are told; of more, the oldest are forgotten."""

_NULL: Final = Raw(b"null")
_EMPTY: Final = Raw(b"{}")
_ENDED: Final = frozenset({"completed", "failed", "cancelled"})
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


class _Meant(msgspec.Struct, frozen=True, array_like=True):
    id: str
    number: int
    program: str = ""


_meant = msgspec.json.Decoder(_Meant).decode


def has_tasks(hello: Hello | None, version: str) -> bool:
    """Whether tasks of such an upstream pass to clients of that revision."""
    if hello is None or hello.version != version:
        return False
    offered = hello.capabilities
    if hello.era == "modern":
        return TASKS in (offered.extensions or {})
    requests = None if offered.tasks is None else offered.tasks.requests
    calls = None if requests is None else requests.tools
    return version == CORE and calls is not None and calls.call is not None


def passed_capabilities(capabilities: ClientCapabilities, hello: Hello | None) -> dict[str, Any]:
    """The extensions that an upstream is told a client of its revision has."""
    if hello is not None and has_tasks(hello, hello.version) and declared(capabilities):
        return {TASKS: {}}
    return {}


class TaskNames:
    """What the tasks of one upstream are called by clients of one server."""

    def __init__(self, upstream: str, sealer: StateSealer, server: str, scope: Scope) -> None:
        self._upstream = upstream
        self._sealer = sealer
        self._server = server
        self._scope = scope

    @property
    def _binding(self) -> bytes:
        scope = self._scope
        return bind("task", self._upstream, self._server, scope.principal, scope.client)

    def shown(self, id: str, number: int, program: str = "") -> str:
        """What this client calls the task of that instance, whose program is this one."""
        sealed = self._sealer.seal(_encode(_Meant(id, number, program)), self._binding, math.inf)
        return f"{self._upstream}.{sealed}"

    def meant(self, shown: str) -> tuple[str, int, str]:
        """The upstream's own id, and which instance has it, with which program. Raises McpError -32602 for what is none of
        this client's.
        """
        try:
            meant = _meant(self._sealer.open(shown.partition(".")[2], self._binding, 0.0))
        except McpError:
            raise unknown_task(shown) from None
        return meant.id, meant.number, meant.program


def unknown_task(id: str) -> McpError:
    """What whoever asks for a task is told that is not there, or not theirs."""
    return refused(refusals.RESOURCE_NOT_FOUND, f"Unknown task: {id}", code=-32602)


def begun(
    result: Raw, names: TaskNames, number: int, program: str = ""
) -> tuple[Raw, str, str] | None:
    """The result of a call that has become a task, with the client's name for that; the upstream's id, and
    the client's. None if it has not.
    """
    if b'"taskId"' not in bytes(result):
        return None
    members = _members(result)
    place = None if members.get("resultType") == Raw(b'"task"') else "task"
    if place is not None and (place not in members or "content" in members):
        return None
    try:
        inside = members if place is None else _members(members[place])
        id = _text(inside.get("taskId", _NULL))
    except ValueError as problem:
        raise InvalidResult(f"tools/call: its task cannot be read: {problem}") from None
    shown = names.shown(id, number, program)
    inside = {**inside, "taskId": raw(shown)}
    return raw(inside if place is None else {**members, place: raw(inside)}), id, shown


def named(result: Raw, shown: str) -> Raw:
    """The answer to a request about a task, with the client's name for it."""
    members = _members(result)
    if "taskId" in members:
        members["taskId"] = raw(shown)
    return raw(related(members, shown))


def related(members: dict[str, Raw], shown: str | None) -> dict[str, Raw]:
    """The members of a result, with the client's name for the task that they say they belong to; None: it
    knows none.
    """
    try:
        meta = _members(members.get("_meta", _EMPTY))
    except ValueError:
        return members  # it is not ours to read
    if RELATED_TASK not in meta:
        return members
    del meta[RELATED_TASK]
    if shown is not None:
        meta[RELATED_TASK] = raw({"taskId": shown})
    return {**members, "_meta": raw(meta)}


class TaskNews:
    """Whom to tell when an upstream of 2025-11-25 says how a task is: by its id there."""

    def __init__(self) -> None:
        self._clients: dict[str, tuple[Pid, str]] = {}

    def __len__(self) -> int:
        return len(self._clients)

    def begun(self, id: str, shown: str, scope: Scope) -> None:
        """The task is of this client, which calls it so."""
        if scope.peer is not None:
            self._clients[id] = (scope.peer, shown)
            if len(self._clients) > LIMIT:
                del self._clients[next(iter(self._clients))]

    def forget(self) -> None:
        """There is another program, whose tasks may have the same ids."""
        self._clients.clear()

    def heard(self, message: Notification) -> None:
        """The upstream says how a task is."""
        members = {} if message.params is None else _members(message.params)
        id = _text(members.get("taskId", Raw(b'""')))
        client = self._clients.get(id)
        if client is None:
            return
        peer, shown = client
        if _text(members.get("status", Raw(b'""'))) in _ENDED:
            del self._clients[id]
        told = notification(TASK_STATUS, {**members, "taskId": raw(shown)})
        cast(peer, ("notify", told))
