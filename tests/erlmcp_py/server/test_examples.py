"""The shipped examples do what their documentation says, in both eras."""

import inspect
from typing import Any

import pytest
from trio.testing import MockClock

import examples.calculator
import examples.ordering
import examples.simple
import examples.votes
import examples.weather
from erlmcp_py.protocol.versions import SUPPORTED

from .conftest import Connect

ALL_VERSIONS = pytest.mark.parametrize("version", SUPPORTED)
MODULES = [
    examples.simple,
    examples.calculator,
    examples.weather,
    examples.ordering,
    examples.votes,
]


@pytest.mark.parametrize("module", MODULES)
def test_they_fit_on_a_page(module: Any) -> None:
    assert len(inspect.getsource(module).splitlines()) < 100


@pytest.mark.parametrize("module", MODULES)
@ALL_VERSIONS
async def test_everything_is_described(connect: Connect, module: Any, version: str) -> None:
    peer = await connect(module.server, version)
    for tool in (await peer.result("tools/list"))["tools"]:
        assert tool["description"]
        for argument in tool["inputSchema"]["properties"].values():
            assert argument.get("description"), tool
    if not module.server.prompts:
        return
    for prompt in (await peer.result("prompts/list"))["prompts"]:
        assert prompt["description"]


@ALL_VERSIONS
async def test_simple(connect: Connect, version: str, autojump_clock: MockClock) -> None:
    peer = await connect(examples.simple.server, version)
    assert (await peer.tool("echo", text="hi"))["content"][0]["text"] == "hi"
    assert await peer.failure("crash") == "Tool 'crash' crashed: RuntimeError: as you wished"
    assert await peer.failure("refuse", wish="fly") == "I cannot fly; try echo instead"
    assert await peer.failure("hang") == "Tool 'hang' timed out after 2 s"
    contents = (await peer.result("resources/read", {"uri": "simple://greeting"}))["contents"]
    assert contents[0]["text"].startswith("Hello")
    params = {"name": "introduce", "arguments": {"name": "Ada"}}
    (message,) = (await peer.result("prompts/get", params))["messages"]
    assert message["content"]["text"] == "Introduce Ada in two sentences of English."


async def test_simple_block(connect: Connect) -> None:
    peer = await connect(examples.simple.server, log_level="info")
    result = await peer.tool("block", seconds=0.01)
    assert result["content"][0]["text"] == "blocked for 0.01 s"
    assert [note["params"]["level"] for note in peer.notifications] == ["info"]


@pytest.mark.parametrize(
    ("left", "operator", "right", "value"),
    [(1, "+", 2, 3), (1, "-", 2, -1), (3, "*", 2, 6), (1, "/", 2, 0.5), (2, "**", 10, 1024)],
)
async def test_calculate(
    connect: Connect, left: float, operator: str, right: float, value: float
) -> None:
    peer = await connect(examples.calculator.server)
    result = await peer.tool("calculate", left=left, operator=operator, right=right)
    assert result["structuredContent"]["value"] == value


@ALL_VERSIONS
async def test_calculator(connect: Connect, version: str) -> None:
    peer = await connect(examples.calculator.server, version)
    text = await peer.failure("calculate", left=1, operator="/", right=0)
    assert "has no value: " in text
    text = await peer.failure("calculate", left=2.0, operator="**", right=5000)
    assert "has no value: " in text
    text = await peer.failure("calculate", left="1", operator="%", right=0)
    assert "left: " in text
    assert "operator: " in text
    assert "numbers: " in await peer.failure("summarize", numbers=[])
    summary = (await peer.tool("summarize", numbers=[1, 2, 6]))["content"][0]["text"]
    assert summary == '{"count":3,"mean":3.0,"minimum":1.0,"maximum":6.0}'
    params = {"name": "factorial", "arguments": {"n": 100}}
    result = await peer.result("tools/call", params, token=1)
    assert result["content"][0]["text"].startswith("9332621544")
    assert [note["params"]["progress"] for note in peer.notifications] == [50, 100]
    error = await peer.error(
        "prompts/get", {"name": "explain", "arguments": {"expression": "1", "audience": "cat"}}
    )
    assert "audience" in error["message"]


@ALL_VERSIONS
async def test_weather(connect: Connect, version: str) -> None:
    peer = await connect(examples.weather.server, version)
    result = await peer.tool("current_weather", city="Oslo")
    assert '"temperature_c":' in result["content"][0]["text"]
    assert "known are Amsterdam" in await peer.failure("current_weather", city="Atlantis")
    params = {"name": "forecast", "arguments": {"city": "Oslo", "days": 2}}
    await peer.result("tools/call", params, token="t")
    assert [note["params"]["progress"] for note in peer.notifications] == [1, 2]
    uri = "weather://S%C3%A3o%20Paulo/current"
    (contents,) = (await peer.result("resources/read", {"uri": uri}))["contents"]
    assert (contents["uri"], contents["mimeType"]) == (uri, "application/json")
    error = await peer.error("resources/read", {"uri": "weather://Atlantis/current"})
    assert error["data"]["uri"] == "weather://Atlantis/current"
    for reference in (
        {"type": "ref/prompt", "name": "plan_day"},
        {"type": "ref/resource", "uri": "weather://{city}/current"},
    ):
        params = {"ref": reference, "argument": {"name": "city", "value": "l"}}
        completion = (await peer.result("completion/complete", params))["completion"]
        assert completion["values"] == ["Lagos", "Lisbon", "London"]
    params = {"name": "plan_day", "arguments": {"city": "Rome"}}
    (message,) = (await peer.result("prompts/get", params))["messages"]
    assert message["content"]["text"].startswith("Rome has ")
    error = await peer.error("prompts/get", {"name": "plan_day", "arguments": {"city": "Atlantis"}})
    assert "unknown city 'Atlantis'" in error["message"]
