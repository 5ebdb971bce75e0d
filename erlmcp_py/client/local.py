"""A server of this program, without a node: the part of a node's tree that it needs, in a runtime of its
own, served over a socket pair as a client on a TCP port is.

WHY a runtime of its own: the parts of a node are known by their names, of which a runtime has one each,
and the program may be a node itself, or have several such servers.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio
from trio.lowlevel import notify_closing

from erlmcp_py import registry, subscriptions
from erlmcp_py.client.channels import DescriptorChannel, reader
from erlmcp_py.client.duplex import DuplexLink
from erlmcp_py.client.errors import ConnectError
from erlmcp_py.client.identity import Identity
from erlmcp_py.client.inbox import Inbox
from erlmcp_py.server.tasks.book import TaskBook
from erlmcp_py.server.tasks.supervisor import SUPERVISOR as TASKS
from erlmcp_py.server.tasks.supervisor import TasksSupervisor
from erlmcp_py.transports.framing import Lines
from erlmcp_py.transports.net.wire import Wire
from erlmcp_py.transports.tcp.connection import TcpConnection
from erlmcp_py.transports.tcp.settings import TcpSettings
from erlmcp_py.tree import Children, server_spec
from supervisors import (
    ChildSpec,
    Exit,
    Pid,
    Runtime,
    current_runtime,
    format_reason,
    spawn,
    spawn_link,
    stop,
    trap_exit,
)

_LIMIT = 16 * 1024 * 1024
_RESTARTS = 3


@asynccontextmanager
async def open_local(server: Any, identity: Identity, inbox: Inbox) -> AsyncIterator[DuplexLink]:
    """Start the server for as long as the link is open, and stop it in order. Raises ConnectError."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    host = _Host(server, theirs)
    try:
        spawn(host.run, label=f"hosts {server.name}")
        try:
            await host.started()
            channel = DescriptorChannel(
                Lines(_LIMIT),
                read=reader(ours),
                writable=ours,
                send=ours.send,
                why=lambda: f"the server {server.name} has ended",
            )
            yield DuplexLink(channel, identity, inbox)
        finally:
            await host.end()
    finally:
        for end in (ours, theirs):
            if end.fileno() >= 0:
                notify_closing(end)
                end.close()


class _Host:
    """Has the inner runtime. WHY a process beside the connection's, which nobody can interrupt: a server
    is stopped in order, lifespan and all, also when the connection is killed.
    """

    def __init__(self, server: Any, end: socket.socket) -> None:
        self._server = server
        self._end = end
        self._begun = False
        self._over = trio.Event()
        self._unwanted = trio.Event()
        self._stopped = trio.Event()
        self._gone = trio.Event()
        self._problem: Exception | None = None

    async def started(self) -> None:
        """Wait until it is up. Raises ConnectError."""
        await self._over.wait()
        if self._problem is not None:
            reason = getattr(self._problem, "reason", self._problem)
            text = f"the server {self._server.name} did not start: {format_reason(reason)}"
            raise ConnectError(text)

    async def end(self) -> None:
        """Stop it, and wait until it is gone."""
        self._unwanted.set()
        if self._begun:
            with trio.CancelScope(shield=True):
                await self._gone.wait()

    async def run(self) -> None:
        """The process."""
        self._begun = True
        outer = current_runtime()
        with trio.CancelScope(shield=True):
            async with Runtime("local") as inner:
                inner.subscribe(outer.reports.emit)
                with inner.active():
                    spawn(self._run, label=f"serves {self._server.name}")
                await self._stopped.wait()
        self._gone.set()

    async def _run(self) -> None:
        """The first process of the inner runtime."""
        book = TaskBook()
        connection = TcpConnection(Wire(self._end), "here", TcpSettings())
        specs = (
            registry.Registry.child_spec(id=registry.NAME, name=registry.NAME),
            subscriptions.Subscriptions.child_spec(id=subscriptions.NAME, name=subscriptions.NAME),
            TasksSupervisor.child_spec(book, id=TASKS, name=TASKS),
            Children.child_spec(
                _RESTARTS, (server_spec(self._server.name, self._server, tasks=book),), id="servers"
            ),
            ChildSpec("connection", (_serve, (connection,)), restart="temporary"),
        )
        trap_exit(True)  # it is to outlive what it starts
        try:
            pid = await Children.start_link(_RESTARTS, specs)
        except Exception as error:
            self._problem = error
            raise
        else:
            self._over.set()
            await self._unwanted.wait()
            with suppress(Exit):  # it may have ended by itself
                await stop(pid, "shutdown")
        finally:
            self._over.set()
            self._stopped.set()


def _serve(connection: TcpConnection) -> Pid:
    return spawn_link(connection.run, label="connection here")
