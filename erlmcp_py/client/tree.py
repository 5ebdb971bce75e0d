"""The processes of a client.

::

    client (one_for_one)
    ├── connection       opens it, reads it, ends with it
    └── subscriptions    a process each, which begins it anew on every connection
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import trio

from erlmcp_py.client.connection import Connection
from supervisors import (
    CallExit,
    ChildSpec,
    DynamicSupervisor,
    Exit,
    Pid,
    StartError,
    Supervisor,
    SupervisorError,
    SupFlags,
    monitor,
    receive,
    restart_child,
    spawn,
    stop,
    terminate_child,
    which_child,
)

_INTENSITY: Final = 1000
"""Restarts within a second. Its children pause before theirs, so it gives up only if something is
thoroughly wrong."""


class ClientSupervisor(Supervisor):
    """Of one client."""

    def init(self, connection: Connection) -> tuple[SupFlags, list[ChildSpec]]:
        """Connection, subscriptions."""
        return SupFlags("one_for_one", _INTENSITY, 1), [
            connection.child_spec(),
            DynamicSupervisor.child_spec(id="subscriptions", intensity=_INTENSITY, period=1),
        ]


async def start_link(connection: Connection) -> Pid:
    """Start the tree, linked to the calling process."""
    return await ClientSupervisor.start_link(connection)


async def start(connection: Connection) -> Pid:
    """Start the tree for code that need not be a process. Raises StartError."""
    started = trio.Event()
    outcome: list[Pid | StartError] = []

    async def starter() -> None:
        try:
            outcome.append(await ClientSupervisor.start_link(connection))
        except StartError as error:
            outcome.append(error)
        started.set()
        if isinstance(outcome[0], Pid):
            monitor(outcome[0])
            await receive()

    spawn(starter, label="client")
    await started.wait()
    pid = outcome[0]
    if isinstance(pid, StartError):
        raise pid
    return pid


async def end(pid: Pid) -> None:
    """Stop the tree; that it is dead already, or dies of something else, is as good."""
    with suppress(Exit):
        await stop(pid, "shutdown")


async def renew(pid: Pid) -> None:
    """End the connection of the client, and start it anew without a pause.

    WHY shielded: whoever went in between would leave the client without one for good. What is suppressed:
    it runs already, or its supervisor has ended, and a new one starts it.
    """
    with trio.CancelScope(shield=True), suppress(SupervisorError, CallExit):
        await terminate_child(pid, "connection")
        await restart_child(pid, "connection")


async def subscriptions_of(pid: Pid) -> Pid:
    """The supervisor of a client's subscriptions."""
    found: Pid = (await which_child(pid, "subscriptions")).pid
    return found
