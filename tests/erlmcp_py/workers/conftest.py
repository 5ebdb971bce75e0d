"""A real node with several workers, and what its console says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from erlmcp_py.console.client import Client as Console
from tests.erlmcp_py.transports.http.client import Client
from tests.programs import Program

SERVER = """
import os
import trio
from erlmcp_py.server import Server

server = Server("where", version="1")

if os.path.exists("broken"):
    raise RuntimeError("it is broken")


@server.tool()
def who() -> str:
    "The process that answers."
    return str(os.getpid())


@server.tool()
async def later(seconds: float) -> str:
    "Take a while."
    await trio.sleep(seconds)
    return str(os.getpid())


@server.tool(task="optional")
async def errand() -> str:
    "Take as long as it takes."
    return str(os.getpid())


@server.tool()
def chatter() -> str:
    "Print something."
    print("somebody prints")
    return "done"
"""


class Node(Program):
    """`erlmcp-node run --workers N`, its console and its clients."""

    def __init__(self, directory: Path, *options: str) -> None:
        (directory / "serving.py").write_text(SERVER)
        super().__init__(directory, "run", "--server", "serving:server", *options)
        self.streams: list[Any] = []

    async def ask(self, command: str, name: str = "erlmcp", **args: Any) -> Any:
        """What the console says."""

        def work() -> Any:
            with Console.connect(name, self.control) as console:
                return console.request(command, args)

        return await trio.to_thread.run_sync(work)

    async def workers(self) -> list[dict[str, Any]]:
        return (await self.ask("status"))["workers"]

    async def pids(self) -> list[int]:
        return [worker["os_pid"] for worker in await self.workers()]

    async def until_healthy(self) -> list[dict[str, Any]]:
        with trio.fail_after(30):
            while True:
                workers = await self.workers()
                if {worker["health"] for worker in workers} == {"healthy"}:
                    return workers
                await trio.sleep(0.02)

    async def connect(self) -> Client:
        """A connection, closed with the node at the latest."""
        self.streams.append(await trio.open_tcp_stream("127.0.0.1", self.port))
        return Client(self.streams[-1])

    async def hang_up(self) -> None:
        """Close what its clients have left open."""
        while self.streams:
            await self.streams.pop().aclose()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    """``start(*options)``: a node; it is stopped in the end."""
    nodes: list[Node] = []

    def run(*options: str) -> Node:
        nodes.append(Node(tmp_path, "--http", "127.0.0.1:0", *options))
        return nodes[-1]

    yield run
    for node in nodes:
        node.close()


@pytest.fixture
async def lone(start: Any) -> AsyncIterator[Node]:
    """With two workers, up; nobody else's."""
    node: Node = start("--workers", "2")
    await trio.to_thread.run_sync(node.up)
    yield node
    await node.hang_up()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    node = Node(tmp_path_factory.mktemp("shared"), "--http", "127.0.0.1:0", "--workers", "2")
    try:
        node.up()
        yield node
    finally:
        node.close()


@pytest.fixture
async def node(shared: Node) -> AsyncIterator[Node]:
    """The same for all tests of a module, with two healthy workers at the beginning of each."""
    await shared.until_healthy()
    yield shared
    await shared.hang_up()


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
