"""Tool calls that become tasks, in both flavours."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio

from erlmcp_py.client import TaskFailed
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.types import TextContent
from erlmcp_py.server import Context, Server, TaskPolicy, ToolError
from tests.erlmcp_py.client.serving import connected

both = pytest.mark.parametrize("mode", ["auto", "legacy"])
transports = pytest.mark.parametrize("transport", ["http", "in_process"])


class Sure(msgspec.Struct):
    """Are you sure?"""

    ok: bool


def make_server() -> Server:
    server = Server("slow", version="1")

    @server.tool(task=TaskPolicy("optional", poll_interval=0.05))
    async def work(text: str, seconds: float = 0.05) -> str:
        """Take a while."""
        await trio.sleep(seconds)
        return text

    @server.tool(task=TaskPolicy("optional", poll_interval=0.05))
    async def fails() -> str:
        """Fail."""
        await trio.lowlevel.checkpoint()
        raise ToolError("it did not work")

    @server.tool(task=TaskPolicy("optional", poll_interval=0.05))
    async def asks(ctx: Context) -> str:
        """Ask first."""
        sure = await ctx.elicit(Sure)
        return f"sure: {sure.ok}"

    return server


def text_of(result: Any) -> str:
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


@both
@transports
async def test_a_task_to_its_end(transport: str, mode: str) -> None:
    async with connected(make_server(), transport, mode, tasks=True) as client:
        task = await client.tasks.start("work", {"text": "done"})
        assert task.id is not None
        assert (await task.status()).status in ("working", "completed")
        assert text_of(await task.result()) == "done"
        assert (await task.status()).status == "completed"
        failing = await client.tasks.start("fails")
        assert (await failing.result()).is_error


@both
@transports
async def test_a_task_that_asks(transport: str, mode: str) -> None:
    async with connected(
        make_server(), transport, mode, tasks=True, elicit=lambda _: {"ok": True}
    ) as client:
        task = await client.tasks.start("asks")
        assert text_of(await task.result()) == "sure: True"


@both
@transports
async def test_a_task_can_be_cancelled(transport: str, mode: str) -> None:
    async with connected(make_server(), transport, mode, tasks=True) as client:
        task = await client.tasks.start("work", {"text": "x", "seconds": 60})
        await task.cancel()
        assert (await task.status()).ended
        with pytest.raises((TaskFailed, McpError)):
            await task.result()
        with pytest.raises(McpError):
            await client.tasks.resume("no such task").status()


@transports
async def test_a_call_waits_for_what_has_become_a_task(transport: str) -> None:
    async with connected(make_server(), transport, tasks=True) as client:
        assert text_of(await client.call_tool("work", {"text": "done"})) == "done"


async def test_a_task_is_taken_up_by_another_client() -> None:
    from erlmcp_py.client import Client
    from tests.erlmcp_py.client.serving import http_node

    async with http_node(make_server()) as url:
        async with Client(url, tasks=True) as first:
            id = (await first.tasks.start("work", {"text": "later"})).id
        assert id is not None
        async with Client(url, tasks=True) as second:
            assert text_of(await second.tasks.resume(id).result()) == "later"


async def test_without_the_extension_the_answer_comes_at_once() -> None:
    async with connected(make_server(), "in_process") as client:
        task = await client.tasks.start("work", {"text": "done"})
        assert task.id is None
        assert text_of(await task.result()) == "done"
