"""What a server's handlers share for as long as it runs: a connection, a pool, a cache.

A lifespan is an async context manager, and runs in a process of its own: what it yields is the state
that handlers find as `Context.state`. If it fails, the supervisor begins it anew, and the server with
it, for nobody can say what a broken state is worth. The crash of a handler, or of the server process,
does not touch it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from supervisors import ChildSpec, Exit, Pid, proc_lib, receive, set_label, trap_exit

if TYPE_CHECKING:
    from erlmcp_py.server.definition import Server

Lifespan = Callable[["Server"], AbstractAsyncContextManager[Any]]
"""Called with the server; what its context manager yields is the state."""

States = dict["Server", Any]
"""The states there are at this moment; shared by a server process and those of its lifespans."""


def lifespan_spec(server: Server, states: States, id: str) -> ChildSpec:
    """The process of a lifespan, as the child of a supervisor."""
    return ChildSpec(id, (_start, (server, states)))


async def _start(server: Server, states: States) -> Pid:
    pid: Pid = await proc_lib.start(_live, server, states, link=True)
    return pid


async def _live(server: Server, states: States) -> None:
    trap_exit(True)
    set_label(f"lifespan of {server.name}")
    assert server.lifespan is not None, "only those that have one are started"
    async with server.lifespan(server) as state:
        states[server] = state
        try:
            proc_lib.init_ack()
            reason = await _told_to_end()
        finally:
            del states[server]
    raise Exit(reason)


async def _told_to_end() -> Any:
    while True:
        message = await receive()
        if isinstance(message, tuple) and message[:1] == ("EXIT",):
            return message[2]
