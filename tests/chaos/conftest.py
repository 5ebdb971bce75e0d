"""A small node that runs chaos, under a real console socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from chaos.application import ChaosSupervisor
from erlmcp_py.console.client import Client
from erlmcp_py.console.service import Console
from supervisors import (
    ChildSpec,
    GenServer,
    Runtime,
    Supervisor,
    SupFlags,
    spawn,
    start_child,
    stop,
    trap_exit,
)


class Worker(GenServer):
    def init(self, *args: Any) -> Any:
        return "ok", args

    def handle_cast(self, request: Any, state: Any) -> Any:
        return "noreply", state


class Trapper(GenServer):
    """Does not end by a signal it can trap."""

    def init(self) -> Any:
        trap_exit()
        return "ok", None

    def handle_info(self, message: Any, state: Any) -> Any:
        return "noreply", state


class OnceOnly(GenServer):
    """Starts the first time; later it asks to be left out, so its place stays empty."""

    def init(self, started: list[int]) -> Any:
        started.append(1)
        return ("ok", None) if len(started) == 1 else "ignore"


class Pool(Supervisor):
    def init(self, restart: str) -> Any:
        spec = ChildSpec("worker", (Worker.start_link, ()), restart=restart)  # type: ignore[arg-type]
        return SupFlags("simple_one_for_one", 5, 60), [spec]


class Group(Supervisor):
    """all three or none."""

    def init(self) -> Any:
        return SupFlags("one_for_all", 5, 60), [
            Worker.child_spec("a", name="a"),
            Worker.child_spec("b", name="b"),
            Worker.child_spec("c", name="c", restart="temporary"),
        ]


class Singles(Supervisor):
    def init(self) -> Any:
        return SupFlags("one_for_one", 5, 60), [
            Worker.child_spec(name="alone"),
            Trapper.child_spec(name="trapper"),
            OnceOnly.child_spec([], name="once"),
            Worker.child_spec(name="brief", restart="temporary"),
            Pool.child_spec("permanent", name="steady"),
            Pool.child_spec("temporary", name="passing"),
        ]


class Top(Supervisor):
    def init(self, *more: ChildSpec) -> Any:
        return SupFlags("one_for_one", 3, 60), [
            Group.child_spec(name="group"),
            Singles.child_spec(name="singles"),
            *more,
            ChaosSupervisor.child_spec(id="chaos", name="chaos"),
        ]


@dataclass
class Node:
    console: Console
    directory: Path
    runtime: Runtime

    async def ask(self, command: str, **args: Any) -> Any:
        def talk() -> Any:
            with Client.connect(self.console.name, self.directory) as client:
                return client.request(command, args)

        return await trio.to_thread.run_sync(talk)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with Runtime("demo") as runtime:
        with Console.open("demo", tmp_path / "run", stop=lambda: None) as console:
            started: list[Any] = []
            done = trio.Event()

            async def parent() -> None:
                trap_exit()
                started.append(await Top.start_link(console.child_spec(), name="node"))
                done.set()
                await trio.sleep_forever()

            spawn(parent)
            await done.wait()
            for pool in ("steady", "passing"):
                await start_child(pool, ["x"])
            yield Node(console, tmp_path / "run", runtime)
            await stop(started[0], "shutdown")
