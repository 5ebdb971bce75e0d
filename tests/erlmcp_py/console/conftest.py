"""A small real node: a supervision tree with a console on a real Unix socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from erlmcp_py.console.client import Client
from erlmcp_py.console.service import Console
from supervisors import (
    ChildSpec,
    GenServer,
    Pid,
    Runtime,
    Supervisor,
    SupFlags,
    receive,
    set_label,
    spawn,
    spawn_link,
    stop,
    trap_exit,
)


class Box(GenServer):
    """Holds a value."""

    def init(self, value: Any = None, label: str | None = None) -> Any:
        if label is not None:
            set_label(label)
        return "ok", value

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return "reply", state, state

    def handle_cast(self, request: Any, state: Any) -> Any:
        return "noreply", request

    def handle_info(self, message: Any, state: Any) -> Any:
        return "noreply", message


class Secret(GenServer):
    """Does not show what it holds."""

    def init(self) -> Any:
        return "ok", "hunter2"

    def format_status(self, status: Any) -> Any:
        return {**status, "state": "(hidden)"}


class Core(Supervisor):
    def init(self) -> Any:
        return SupFlags("one_for_all", 5, 60), [
            Box.child_spec({"rows": [1, 2, 3]}, name="registry"),
            Box.child_spec(name="second"),
            Pool.child_spec(name="pool"),
        ]


class Pool(Supervisor):
    def init(self) -> Any:
        return SupFlags("simple_one_for_one", 5, 60), [
            ChildSpec("box", (Box.start_link, ()), restart="temporary")
        ]


async def idle() -> None:
    while True:
        await receive()


async def start_idle() -> Pid:
    return spawn_link(idle, label="idler")


class Top(Supervisor):
    def init(self, *more: ChildSpec) -> Any:
        return SupFlags("one_for_one", 5, 60), [
            Core.child_spec(name="core"),
            Secret.child_spec(name="secret"),
            ChildSpec("task", (start_idle, ())),
            *more,
        ]


@dataclass
class Node:
    """A running node; `ask` sends one command over the socket, from a thread."""

    console: Console
    directory: Path
    runtime: Runtime
    stopped: trio.Event

    def connect(self, session: str = "") -> Client:
        return Client.connect(self.console.name, self.directory, session)

    async def ask(
        self,
        command: str,
        on_event: Callable[[Any], None] | None = None,
        session: str = "",
        **args: Any,
    ) -> Any:
        def talk() -> Any:
            with self.connect(session) as client:
                return client.request(command, args, on_event)

        return await trio.to_thread.run_sync(talk)

    async def until(self, true: Callable[[], object]) -> None:
        """Wait for what other threads and processes bring about, at most ten seconds."""
        with trio.fail_after(10):
            while not true():
                await trio.sleep(0.001)


async def start_tree(*children: ChildSpec) -> Pid:
    """Start the tree below a process of its own: a supervisor needs a parent that stays."""
    started: list[Pid] = []
    done = trio.Event()

    async def parent() -> None:
        trap_exit()
        started.append(await Top.start_link(*children, name="node"))
        done.set()
        await trio.sleep_forever()

    spawn(parent, label="parent")
    await done.wait()
    return started[0]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    directory = tmp_path / "run"
    async with Runtime("demo") as runtime:
        stopped = trio.Event()
        with Console.open("demo", directory, stop=stopped.set) as console:
            top = await start_tree(console.child_spec())
            yield Node(console, directory, runtime, stopped)
            await stop(top, "shutdown")
