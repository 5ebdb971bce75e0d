"""The official Python SDK's client against the examples: both eras, HTTP, HTTP+SSE and stdio."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import StdioServerParameters, stdio_client
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.shared.exceptions import MCPError

from .conftest import ROOT, Node

# On trio the official client leaves async generators of its HTTP library to the collector.
pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore:Async generator '(httpx2|mcp):ResourceWarning"),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <async_generator:pytest.PytestUnraisableExceptionWarning"
    ),
]

WAYS = [(t, m) for t in ("http", "sse", "stdio") for m in ("legacy", "auto")]


@pytest.fixture(params=WAYS, ids=lambda way: "-".join(way))
def connect(request: pytest.FixtureRequest, node: Node) -> Any:
    transport, mode = request.param

    @asynccontextmanager
    async def connected(server: str, **options: Any) -> AsyncIterator[Client]:
        if transport == "http":
            target: Any = node.url(server)
        elif transport == "sse":
            target = sse_client(node.url(f"{server}/sse"))
        else:
            target = stdio_client(
                StdioServerParameters(
                    command=sys.executable,
                    args=[
                        "-m",
                        "erlmcp_py",
                        "run",
                        "--stdio",
                        "--server",
                        f"examples.{server}:server",
                    ],
                    cwd=str(ROOT),
                    env=node.env,
                )
            )
        async with Client(target, mode=mode, **options) as client:
            assert client.protocol_version == ("2025-11-25" if mode == "legacy" else "2026-07-28")
            yield client

    return connected


def text_of(result: Any) -> str:
    return result.content[0].text


async def test_simple(connect: Any) -> None:
    async with connect("simple") as client:
        tools = {t.name: t for t in (await client.list_tools()).tools}
        assert {"echo", "crash", "hang", "block"} <= tools.keys()
        assert tools["echo"].input_schema["properties"]["text"]["type"] == "string"
        assert text_of(await client.call_tool("echo", {"text": "hi"})) == "hi"
        assert [str(r.uri) for r in (await client.list_resources()).resources]
        content = (await client.read_resource("simple://greeting")).contents[0]
        assert content.text.startswith("Hello")
        assert [p.name for p in (await client.list_prompts()).prompts] == ["introduce"]
        prompt = await client.get_prompt("introduce", {"name": "Ada"})
        assert "Ada" in prompt.messages[0].content.text


async def test_a_crash_is_an_error_for_its_caller_and_nobody_else(connect: Any) -> None:
    async with connect("simple") as client:
        result = await client.call_tool("crash", {"message": "boom"})
        assert result.is_error
        assert "boom" in text_of(result)
        assert text_of(await client.call_tool("echo", {"text": "still here"})) == "still here"


async def test_a_hanging_tool_times_out(connect: Any) -> None:
    async with connect("simple") as client:
        result = await client.call_tool("hang", {})
        assert result.is_error
        assert "timed out after 2" in text_of(result)
        assert text_of(await client.call_tool("echo", {"text": "next"})) == "next"


async def test_a_blocking_tool_blocks_nobody(connect: Any) -> None:
    import trio

    async with connect("simple") as client, trio.open_nursery() as nursery:
        order: list[str] = []

        async def call(name: str, arguments: dict[str, Any]) -> None:
            await client.call_tool(name, arguments)
            order.append(name)

        nursery.start_soon(call, "block", {"seconds": 1.0})
        await trio.sleep(0.2)  # the official client gives no sign that a request has left
        nursery.start_soon(call, "echo", {"text": "quick"})
    assert order == ["echo", "block"]


async def test_errors_of_a_call(connect: Any) -> None:
    async with connect("simple") as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("no_such_tool", {})
        assert caught.value.error.code == -32602
        assert "no_such_tool" in caught.value.error.message
        result = await client.call_tool("echo", {"text": 42})
        assert result.is_error
        assert "text" in text_of(result)
        result = await client.call_tool("echo", {})
        assert result.is_error
        with pytest.raises(MCPError):
            await client.read_resource("simple://nothing")
        with pytest.raises(MCPError):
            await client.get_prompt("nothing", {})


async def test_calculator(connect: Any) -> None:
    async with connect("calculator") as client:
        tools = (await client.list_tools()).tools
        assert tools
        for tool in tools:
            assert tool.description
            assert tool.input_schema["type"] == "object"
        assert (await client.list_prompts()).prompts


async def test_weather(connect: Any) -> None:
    progress: list[tuple[float, float | None, str | None]] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        progress.append((done, total, message))

    async with connect("weather") as client:
        templates = (await client.list_resource_templates()).resource_templates
        assert [t.uri_template for t in templates] == ["weather://{city}/current"]
        cities = (await client.read_resource("weather://cities")).contents[0]
        assert "[" in cities.text
        result = await client.call_tool(
            "forecast", {"city": "Lisbon", "days": 3}, progress_callback=on_progress
        )
        assert not result.is_error, text_of(result)
        assert [p[0] for p in progress] == [1, 2, 3]
        result = await client.call_tool("current_weather", {"city": "Lisbon"})
        assert result.structured_content["temperature_c"] is not None
        completed = await client.complete(
            ref={"type": "ref/prompt", "name": "plan_day"},
            argument={"name": "city", "value": "Li"},
        )
        assert "Lisbon" in completed.completion.values
