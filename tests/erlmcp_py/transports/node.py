"""A node small enough for a transport's tests: registry, sessions, servers, one listener."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import trio

from erlmcp_py.registry import Registry
from erlmcp_py.server import Context, Server
from erlmcp_py.server.tasks.book import TaskBook
from erlmcp_py.server.tasks.supervisor import TasksSupervisor
from erlmcp_py.sessions import SessionLimits, SessionsSupervisor, SessionStore
from erlmcp_py.subscriptions import NAME as SUBSCRIPTIONS
from erlmcp_py.subscriptions import Subscriptions
from erlmcp_py.tree import server_spec
from supervisors import (
    ChildSpec,
    Pid,
    Report,
    Runtime,
    Supervisor,
    SupFlags,
    exit_signal,
    monitor,
    receive,
    spawn,
)


class Probe:
    """What the test server's handlers did."""

    def __init__(self) -> None:
        self.started = trio.Event()
        self.finished = 0
        self.cancelled = trio.Event()


def make_server(probe: Probe) -> Server:
    """Tools of every kind a transport has to treat differently."""
    server = Server("probe", version="1.0")

    @server.tool()
    def echo(text: str) -> str:
        """Say it back."""
        return text

    @server.tool()
    def crash() -> str:
        """Fail."""
        raise RuntimeError("boom")

    @server.tool()
    async def later(text: str, seconds: float = 0.0) -> str:
        """Say it back, after a while."""
        await trio.sleep(seconds)
        return text

    @server.tool(timeout=3600.0)
    async def hang() -> str:
        """Wait to be cancelled."""
        probe.started.set()
        try:
            await trio.sleep_forever()
        finally:
            probe.cancelled.set()
        return "never"

    @server.tool()
    async def patient(seconds: float = 0.2) -> str:
        """Finish, whoever listens."""
        probe.started.set()
        await trio.sleep(seconds)
        probe.finished += 1
        return "done"

    @server.tool()
    async def steps(context: Context, count: int) -> str:
        """Report progress."""
        for number in range(count):
            context.report_progress(number, count)
        return f"{count} steps"

    @server.tool()
    async def log_lines(context: Context) -> str:
        """Log a line."""
        context.log("error", "a line")
        return "logged"

    return server


class Servers(Supervisor):
    """The servers with their company, as the node has them; each registers when it starts."""

    def init(self, servers: dict[str, Server], tasks: TaskBook) -> tuple[SupFlags, list[ChildSpec]]:
        specs = [server_spec(name, server, tasks=tasks) for name, server in servers.items()]
        return SupFlags("one_for_one", intensity=100, period=5), specs


class Node(Supervisor):
    """The children in the order of the real tree."""

    def init(self, strategy: Any, specs: list[ChildSpec]) -> tuple[SupFlags, list[ChildSpec]]:
        return SupFlags(strategy, intensity=100, period=5), specs


@contextlib.asynccontextmanager
async def node(
    servers: dict[str, Server],
    *transports: ChildSpec,
    limits: SessionLimits | None = None,
    strategy: str = "one_for_one",
    tasks: TaskBook | None = None,
) -> AsyncIterator[list[Report]]:
    """Everything up; yields the reports that arrive.

    strategy: the real core is one_for_all, so that a killed registry restarts everything.
    """
    book = TaskBook() if tasks is None else tasks
    specs = [
        Registry.child_spec(name="registry"),
        Subscriptions.child_spec(id=SUBSCRIPTIONS, name=SUBSCRIPTIONS),
        SessionsSupervisor.child_spec(
            SessionStore(), limits or SessionLimits(), name="sessions_sup"
        ),
        TasksSupervisor.child_spec(book, name="tasks_sup"),
        Servers.child_spec(servers, book, name="servers"),
        *transports,
    ]
    async with Runtime() as runtime:
        reports: list[Report] = []
        runtime.subscribe(reports.append)
        started = trio.Event()
        failed: list[Exception] = []

        async def top() -> None:
            try:
                await Node.start_link(strategy, specs, name="node")
            except Exception as error:
                failed.append(error)
            started.set()
            await trio.sleep_forever()

        spawn(top)
        await started.wait()
        if failed:
            raise failed[0]
        yield reports


async def kill(pid: Pid | None) -> None:
    """Kill a process and wait until it is gone."""
    assert pid is not None
    gone = trio.Event()

    async def witness() -> None:
        monitor(pid)
        exit_signal(pid, "kill")
        await receive()
        gone.set()

    spawn(witness)
    await gone.wait()


async def until(condition: Callable[[], object]) -> None:
    """Look again and again, for five seconds at most, at what only a socket's other end decides."""
    with trio.fail_after(5):
        while not condition():
            await trio.sleep(0.005)


def open_descriptors() -> int:
    """How many file descriptors this process has open, garbage aside."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- a count of names
