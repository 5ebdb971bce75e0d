"""The functions through which the node creates, finds and ends sessions.

They run in the caller's process: what has to be waited for (a process being started) is
waited for here, not in the manager that everybody needs.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import trio

from erlmcp_py.protocol.lifecycle import InitializeParams
from erlmcp_py.sessions.manager import NAME, SessionsStatistics, at_hand
from erlmcp_py.sessions.record import SessionRecord, SessionView
from erlmcp_py.sessions.supervisor import POOL
from supervisors import CallExit, Pid, StartError, SupervisorError, call, start_child

_ATTEMPTS: Final = 40
_PAUSE: Final = 0.05


class SessionLimit(Exception):
    """There are as many sessions as this node allows (HTTP 503)."""


class SessionUnavailable(Exception):
    """The session exists, but its process did not come up in time (HTTP 503)."""


async def create(
    server: str | None, params: InitializeParams, version: str, subject: str | None = None
) -> tuple[SessionRecord, Pid]:
    """Open a session and start its process. Raises SessionLimit, SessionUnavailable.

    subject: the name under which the server's changes are published, None to hear of none.
    """
    record = await _ask(("create", server, params, version, subject))
    if record == "full":
        raise SessionLimit("as many sessions are open as this node allows")
    assert isinstance(record, SessionRecord)
    try:
        return record, await _start(record)
    except SessionUnavailable:
        await _ask(("delete", record.id))
        raise


async def find(id: str) -> Pid | None:
    """The process of a session; None if there is no such session.

    A process that was killed a moment ago is waited for; one that nobody restarts is started
    again. Counts as a use of the session. Raises SessionUnavailable.
    """
    found = await _ask(("lookup", id))
    if found is None or isinstance(found, Pid):
        return found
    if found == "unavailable":
        raise SessionUnavailable(f"session {id} is being restarted")
    assert isinstance(found, tuple)
    return await _start(found[1])


async def view(id: str) -> tuple[Pid, SessionView] | None:
    """As `find`, and what the session is."""
    for _ in range(_ATTEMPTS):
        found = at_hand(id)
        if found is not None:
            return found
        pid = await find(id)
        if pid is None:
            return None
        with suppress(CallExit):  # it died since it was found: look again
            await call(pid, ("view",))  # once it answers, it has shown itself
    raise SessionUnavailable(f"session {id} ends as soon as it is there")


async def delete(id: str) -> bool:
    """End a session and the calls it has in flight; False if there is none."""
    return bool(await _ask(("delete", id)))


async def delete_of(server: str | None) -> int:
    """End the sessions that were opened on this server, which is served no more; how many. None: on the
    default one.
    """
    count = await _ask(("delete_of", server))
    assert isinstance(count, int)
    return count


async def statistics() -> SessionsStatistics:
    """Counts of the manager."""
    numbers = await _ask(("statistics",))
    assert isinstance(numbers, SessionsStatistics)
    return numbers


async def _start(record: SessionRecord) -> Pid:
    try:
        pid = await start_child(POOL, [record])
    except (SupervisorError, StartError, CallExit) as problem:
        await _ask(("failed", record.id))
        raise SessionUnavailable(f"session {record.id} cannot be started: {problem}") from None
    assert isinstance(pid, Pid)
    return pid


async def _ask(request: object) -> object:
    """Ask the manager, over a restart of it if need be."""
    for _ in range(_ATTEMPTS):
        try:
            answer: object = await call(NAME, request)
            return answer
        except CallExit as problem:
            if problem.cause == "timeout":
                raise SessionUnavailable("the session manager does not answer") from None
            if problem.cause == "mailbox_full":
                raise SessionUnavailable("the session manager has too much to do") from None
            await trio.sleep(_PAUSE)
    raise SessionUnavailable("there is no session manager")
