"""A server that can do everything, and whatever goes wrong."""

import math
import threading
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
import trio
import trio.testing
from msgspec import Meta, Struct

import supervisors
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.versions import SUPPORTED
from erlmcp_py.server import CallEnded, Context, ResourceNotFound, Server, ToolError, image

from ..conftest import Peer


class Sum(Struct):
    total: float


@dataclass
class Gate:
    """Lets a thread handler wait for the test."""

    opened: threading.Event
    told: threading.Event


@pytest.fixture
def gate() -> Any:
    gate = Gate(threading.Event(), threading.Event())
    yield gate
    gate.opened.set()


@pytest.fixture
def server(gate: Gate) -> Server:
    server = Server("test", version="1.2", title="Test", instructions="Try.", page_size=7)

    @server.tool()
    def add(a: float, b: float) -> Sum:
        return Sum(a + b)

    @server.tool()
    async def slow_add(a: float, b: float) -> Sum:
        await trio.sleep(1)
        return Sum(a + b)

    @server.tool(isolation="thread", timeout=5)
    def wait_in_thread(ctx: Context) -> str:
        gate.opened.wait()
        try:
            ctx.report_progress(1)
        except CallEnded:
            gate.told.set()
            raise
        return threading.current_thread().name

    @server.tool()
    def crash() -> None:
        raise ValueError("of no\nuse")

    @server.tool()
    async def crash_later() -> None:
        async with trio.open_nursery():
            raise ValueError("of no\nuse")

    @server.tool(isolation="thread", timeout=math.inf)
    def crash_in_thread() -> None:
        raise ValueError("of no\nuse")

    @server.tool()
    def leave() -> None:
        raise SystemExit(3)

    @server.tool()
    async def leave_later() -> None:
        raise SystemExit(3)

    @server.tool()
    async def exit_later() -> None:
        raise supervisors.Exit("kaput")

    @server.tool()
    def refuse(later: bool = False) -> None:
        raise ToolError("not today")

    @server.tool()
    async def refuse_later() -> None:
        raise ToolError("not today")

    @server.tool()
    def protocol_error() -> None:
        raise McpError(-31000, "special", {"why": "because"})

    @server.tool()
    def lie() -> int:
        return "no number"  # type: ignore[return-value]

    @server.tool(timeout=2.5)
    async def hang() -> None:
        await trio.sleep_forever()

    @server.tool(timeout=2.5)
    async def stubborn() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(100)

    @server.tool()
    def picture() -> list[Any]:
        return ["see", image(b"x")]

    @server.resource("test://text")
    def text() -> str:
        return "hello"

    @server.resource("test://binary", mime_type="image/png")
    async def binary() -> bytes:
        return b"\x89PNG"

    @server.resource("test://broken")
    def broken() -> str:
        raise ValueError("torn")

    @server.resource("test://slow", timeout=1)
    async def slow() -> str:
        await trio.sleep_forever()
        return ""

    @server.resource("test://items/{number}")
    def item(number: Annotated[int, Meta(ge=1)]) -> dict[str, int]:
        if number > 9:
            raise ResourceNotFound(str(number))
        return {"number": number}

    @server.prompt(description="Say hello.")
    def greet(name: str, times: int = 1) -> str:
        return f"Hello, {name}!" * times

    @server.prompt()
    async def broken_prompt() -> str:
        raise ValueError("torn")

    @server.completion("greet", "name")
    def names(value: str, arguments: dict[str, str]) -> list[str]:
        return [value + "a", *arguments]

    @server.completion("test://items/{number}", "number")
    async def numbers(value: str) -> list[str]:
        return [value + str(n) for n in range(200)]

    return server


ALL_VERSIONS = pytest.mark.parametrize("version", SUPPORTED)


async def call_tool(peer: Peer, id: int, name: str, arguments: dict[str, Any]) -> None:
    await peer.answer("tools/call", {"name": name, "arguments": arguments}, id=id)


async def run_as_process(function: Any) -> None:
    """Run `function` as a process; its crash fails the test."""
    reasons: list[Any] = []
    ended = trio.Event()

    async def watcher() -> None:
        _, ref = supervisors.spawn_monitor(function)
        message = await supervisors.receive(lambda m: m[0] == "DOWN" and m[1] == ref)
        reasons.append(message[4])
        ended.set()

    supervisors.spawn(watcher)
    await ended.wait()
    assert reasons == ["normal"], [str(part) for part in reasons[0]]
