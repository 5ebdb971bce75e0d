"""Handlers that ask: the official client answers, in both eras, over HTTP and stdio, and over HTTP+SSE."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from mcp import StdioServerParameters, stdio_client, types
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.shared.exceptions import MCPError

from .conftest import ROOT, Node

pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore:Async generator '(httpx2|mcp):ResourceWarning"),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <async_generator:pytest.PytestUnraisableExceptionWarning"
    ),
]

SERVER = "tests.interop.servers.asking:server"
WAYS = [(t, m) for t in ("http", "stdio") for m in ("legacy", "auto")]
WAYS.append(("sse", "legacy"))


@pytest.fixture(scope="module")
def asking_node(tmp_path_factory: pytest.TempPathFactory) -> Any:
    running = Node(tmp_path_factory.mktemp("asking"), "--server", SERVER)
    yield running
    assert running.stop() == 0


class User:
    """Who answers; counts what was asked."""

    def __init__(self, action: str = "accept", delay: float = 0.0) -> None:
        self.action = action
        self.delay = delay
        self.asked: list[str] = []

    async def elicit(self, _context: Any, params: Any) -> types.ElicitResult:
        self.asked.append(params.message)
        await trio.sleep(self.delay)
        if self.action != "accept":
            return types.ElicitResult(action=self.action)  # type: ignore[arg-type]
        fields = params.requested_schema["properties"]
        content: dict[str, Any] = {"name": "Ada"} if "name" in fields else {"ok": True}
        return types.ElicitResult(action="accept", content=content)

    async def sample(self, _context: Any, _params: Any) -> types.CreateMessageResult:
        text = types.TextContent(type="text", text="Hi!")
        return types.CreateMessageResult(role="assistant", content=text, model="test")

    async def roots(self, _context: Any) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri="file:///tmp")])


@pytest.fixture(params=WAYS, ids=lambda way: "-".join(way))
def connect(request: pytest.FixtureRequest, asking_node: Node) -> Any:
    transport, mode = request.param

    @asynccontextmanager
    async def connected(user: User | None) -> AsyncIterator[Client]:
        target: Any = asking_node.url("asking")
        if transport == "sse":
            target = sse_client(asking_node.url("asking/sse"))
        elif transport == "stdio":
            arguments = ["-m", "erlmcp_py", "run", "--stdio", "--server", SERVER]
            target = stdio_client(
                StdioServerParameters(
                    command=sys.executable, args=arguments, cwd=str(ROOT), env=asking_node.env
                )
            )
        answers: dict[str, Any] = {}
        if user is not None:
            answers = {
                "elicitation_callback": user.elicit,
                "sampling_callback": user.sample,
                "list_roots_callback": user.roots,
            }
        async with Client(target, mode=mode, **answers) as client:
            yield client

    return connected


async def test_the_answer_goes_into_the_result(connect: Any) -> None:
    user = User()
    async with connect(user) as client:
        result = await client.call_tool("greet", {})
        assert result.content[0].text == "Hello, Ada!"
        assert user.asked == ["What is your name?"]


async def test_questions_one_after_the_other_and_a_step_between_them_that_happens_once(
    connect: Any,
) -> None:
    user = User()
    async with connect(user) as client:
        name, number, sure = (await client.call_tool("order", {})).content[0].text.split()
        assert (name, sure) == ("Ada", "True")
        assert user.asked == ["What is your name?", f"Book {number} for Ada?"]
        following = (await client.call_tool("order", {})).content[0].text.split()[1]
        assert int(following) == int(number) + 1


async def test_three_questions_at_once(connect: Any) -> None:
    async with connect(User()) as client:
        result = await client.call_tool("everything", {})
        assert result.content[0].text == "Ada, Hi! ['file:///tmp']"


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_refusal_is_the_handlers_to_take(connect: Any, action: str) -> None:
    user = User(action)
    async with connect(user) as client:
        assert (await client.call_tool("careful", {})).content[0].text == f"refused: {action}"
        assert len(user.asked) == 1
        result = await client.call_tool("greet", {})
        assert result.is_error
        assert "What is your name?" in result.content[0].text


async def test_prompts_and_resources_may_ask_too(connect: Any) -> None:
    async with connect(User()) as client:
        prompt = await client.get_prompt("letter")
        assert prompt.messages[0].content.text == "Write to Ada"
        contents = (await client.read_resource("asking://name")).contents
        assert contents[0].text == "Ada"


async def test_the_time_of_the_handler_does_not_run_while_the_user_thinks(connect: Any) -> None:
    async with connect(User(delay=1.0)) as client:
        assert (await client.call_tool("patient", {})).content[0].text == "Ada"


async def test_a_client_that_cannot_be_asked_is_told_what_it_lacks(connect: Any) -> None:
    async with connect(None) as client:
        if client.protocol_version == "2026-07-28":
            with pytest.raises(MCPError, match="elicitation") as caught:
                await client.call_tool("greet", {})
            assert caught.value.error.data["requiredCapabilities"] == {"elicitation": {}}
        else:
            result = await client.call_tool("greet", {})
            assert result.is_error
            assert "elicitation" in result.content[0].text
