"""What every transport and both eras have in common, against our own servers."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from erlmcp_py.client import RequestTimeout
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.types import (
    AudioContent,
    CreateMessageParams,
    CreateMessageResult,
    ElicitParams,
    ElicitResult,
    LoggingMessageParams,
    PromptReference,
    ResourceTemplateReference,
    TextContent,
)
from erlmcp_py.server import Context, Server
from tests.erlmcp_py.client.serving import connected, everywhere
from tests.interop.servers.asking import server as asking
from tests.interop.servers.everything import server as everything


def text_of(result: Any) -> str:
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


@everywhere
async def test_lists_calls_reads(transport: str, mode: str) -> None:
    async with connected(everything, transport, mode) as client:
        hello = client.hello
        assert hello.version == ("2026-07-28" if mode == "auto" else "2025-11-25")
        assert hello.server_info is not None
        assert (hello.server_info.name, hello.instructions) == ("everything", "Try it.")
        assert client.status().state == "up"

        tools = [tool.name async for tool in client.tools()]  # pages of four
        assert len(tools) == len(set(tools)) == 16
        assert text_of(await client.call_tool("echo", {"text": "hä"})) == "hä"
        contents = (await client.call_tool("contents")).content
        assert isinstance(contents[2], AudioContent)
        assert (await client.call_tool("fail")).is_error
        report = await client.call_tool("report", {"city": "Oslo"})
        assert report.structured_content["degrees"] == 21.5
        with pytest.raises(McpError, match="nothing"):
            await client.call_tool("nothing")

        assert "everything://counter" in [one.uri for one in await client.list_resources()]
        assert [one.name for one in await client.list_resource_templates()] == ["card"]
        read = await client.read_resource("everything://cards/Ada")
        assert read.contents[0].text is not None
        with pytest.raises(McpError):
            await client.read_resource("everything://nothing")

        assert [one.name for one in await client.list_prompts()] == ["trip"]
        prompt = await client.get_prompt("trip", {"city": "Rome"})
        assert isinstance(prompt.messages[0].content, TextContent)
        completion = await client.complete(PromptReference("trip"), "city", "Li")
        assert completion.values == ["Lisbon", "Liverpool"]
        template = ResourceTemplateReference("everything://cards/{name}")
        assert (await client.complete(template, "name", "a", {"x": "y"})).values == ["a1", "a2"]
        await client.ping()
        assert client.status().in_flight == 0


@everywhere
async def test_progress_and_logging(transport: str, mode: str) -> None:
    lines: list[LoggingMessageParams] = []
    async with connected(
        everything, transport, mode, on_log=lines.append, log_level="warning"
    ) as client:
        progress: list[Any] = []
        result = await client.call_tool("steps", {"count": 3}, on_progress=progress.append)
        assert text_of(result) == "3 steps"
        assert [(one.progress, one.total) for one in progress] == [(1, 3), (2, 3), (3, 3)]
        await client.call_tool("talk")
        assert [line.level for line in lines] == ["warning", "error"]
        await client.set_log_level("error")
        await client.call_tool("talk")
        assert [line.level for line in lines] == ["warning", "error", "error"]


@everywhere
async def test_cancellation_reaches_the_server(transport: str, mode: str) -> None:
    async with connected(everything, transport, mode) as client:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.call_tool, "hang")
                await until_hanging(client, 1)
                scope.cancel()
        await until_hanging(client, 0)
        assert text_of(await client.call_tool("echo", {"text": "after"})) == "after"


@everywhere
async def test_a_request_has_its_time(transport: str, mode: str) -> None:
    async with connected(everything, transport, mode) as client:
        with pytest.raises(RequestTimeout, match=r"tools/call: no answer within 0\.2 s"):
            await client.call_tool("hang", timeout=0.2)
        await until_hanging(client, 0)


async def until_hanging(client: Any, wanted: int) -> None:
    with trio.fail_after(10):
        while True:
            found = (await client.call_tool("hung")).structured_content["hanging"]
            if found == wanted:
                return
            await trio.sleep(0.01)


# --- the server asks ------------------------------------------------------------------------


def elicited(params: ElicitParams) -> Any:
    if params.mode == "url":
        assert params.url == "https://example.org/sign"
        return {}
    assert params.requested_schema is not None
    known = {"name": "Ada", "ok": True}
    return {key: known[key] for key in params.requested_schema["properties"]}


async def sampled(params: CreateMessageParams) -> CreateMessageResult:
    await trio.lowlevel.checkpoint()
    return CreateMessageResult("assistant", TextContent("short"), "model-1")


ANSWERS = {
    "elicit": elicited,
    "sample": sampled,
    "roots": ["file:///home", "file:///tmp"],
}


@everywhere
async def test_questions_are_answered(transport: str, mode: str) -> None:
    async with connected(everything, transport, mode, **ANSWERS) as client:
        assert text_of(await client.call_tool("greet")) == "Hello, Ada!"
        assert text_of(await client.call_tool("visit")) == "signed"
        assert text_of(await client.call_tool("summarize", {"text": "long"})) == "short"
        places = await client.call_tool("places")
        assert places.structured_content in (
            {"result": ["file:///home", "file:///tmp"]},
            ["file:///home", "file:///tmp"],
        )


@everywhere
async def test_several_rounds_and_several_questions(transport: str, mode: str) -> None:
    async with connected(asking, transport, mode, **ANSWERS) as client:
        assert text_of(await client.call_tool("order")).startswith("Ada ")
        expected = "Ada, short ['file:///home', 'file:///tmp']"
        assert text_of(await client.call_tool("everything")) == expected


@everywhere
async def test_a_user_may_decline(transport: str, mode: str) -> None:
    async def declined(_params: ElicitParams) -> None:
        await trio.lowlevel.checkpoint()

    async with connected(asking, transport, mode, elicit=declined) as client:
        assert text_of(await client.call_tool("careful")) == "refused: decline"
    cancel = lambda _: ElicitResult(action="cancel")  # noqa: E731
    async with connected(asking, transport, mode, elicit=cancel) as client:
        assert text_of(await client.call_tool("careful")) == "refused: cancel"


# --- changes ----------------------------------------------------------------------------------


@everywhere
async def test_changes(transport: str, mode: str) -> None:
    async with (
        connected(everything, transport, mode) as client,
        client.subscribe(tools=True, uris=["everything://counter"]) as changes,
    ):
        assert changes.honoured is not None
        await client.call_tool("count")
        with trio.fail_after(10):
            change = await anext(changes)
        assert (change.kind, change.uri) == ("resource", "everything://counter")
        await client.call_tool("grow")
        with trio.fail_after(10):
            assert (await anext(changes)).kind == "tools"
        before = int((await client.read_resource("everything://counter")).contents[0].text or "")
        await client.call_tool("count")
        with trio.fail_after(10):
            assert (await anext(changes)).kind == "resource"
        after = int((await client.read_resource("everything://counter")).contents[0].text or "")
        assert after == before + 1


@everywhere
async def test_cancellation_of_a_call_that_has_begun_to_tell(transport: str, mode: str) -> None:
    if transport == "stdio":
        pytest.skip(
            "what the handler sees is in another program; the test above looks from outside"
        )
    server = Server("teller", version="1")
    cancelled = trio.Event()

    @server.tool(timeout=600.0)
    async def tell(ctx: Context) -> str:
        """Report, and wait for ever."""
        ctx.report_progress(1)
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()
        return "never"

    async with connected(server, transport, mode) as client:
        with trio.CancelScope() as scope:
            await client.call_tool("tell", on_progress=lambda _: scope.cancel())
        assert scope.cancelled_caught
        with trio.fail_after(10):
            await cancelled.wait()
        assert client.status().in_flight == 0
