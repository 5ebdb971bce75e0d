"""An older upstream wants to ask what the client has not declared, and cannot go on without."""

from __future__ import annotations

from typing import Any

import pytest

from erlmcp_py.gateway import overview
from erlmcp_py.guards import breaker
from erlmcp_py.protocol.errors import McpError

from .upstreams import HEAD, gateway, program, said

ASKS = (
    HEAD
    + """
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("fails", "breaks", "manages")]
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
    "serverInfo": {"name": "asks", "version": "1"}}
for line in sys.stdin:
    heard = json.loads(line)
    if heard.get("id") == "q":
        name = asked["params"]["name"]
        if "result" in heard or name == "manages":
            answer(asked, text("went on"))
        elif name == "fails":
            answer(asked, {**text("cannot ask"), "isError": True})
        else:
            refuse(asked, -32603, "cannot ask")
    elif heard.get("method") == "initialize":
        answer(heard, HELLO)
    elif heard.get("method") == "tools/list":
        answer(heard, {"tools": TOOLS})
    elif heard.get("method") == "tools/call":
        asked = heard
        say({"jsonrpc": "2.0", "id": "q", "method": "sampling/createMessage", "params": {"maxTokens": 1,
            "messages": [{"role": "user", "content": {"type": "text", "text": "hi"}}]}})
    elif "id" in heard:
        refuse(heard, -32601)
"""
)


def elicit(_: Any) -> None:
    """Makes the client one that can be asked something, if not this."""


@pytest.mark.parametrize("options", [{}, {"elicit": elicit}])
@pytest.mark.parametrize("tool", ["fails", "breaks"])
async def test_a_client_of_2026_is_told_what_it_takes(tool: str, options: dict[str, Any]) -> None:
    async with gateway({"asks": program(ASKS)}) as node, node.at("asks", **options) as client:
        with pytest.raises(McpError) as refused:
            await client.call_tool(tool)
    assert refused.value.code == -32021
    assert refused.value.data["requiredCapabilities"] == {"sampling": {}}


@pytest.mark.parametrize("tool", ["fails", "breaks"])
async def test_and_to_the_breaker_its_upstream_has_answered(tool: str) -> None:
    async with gateway({"asks": program(ASKS)}) as node, node.at("asks") as client:
        guard = (await overview.served())["asks"].breaker
        for _ in range(4):
            breaker.Permit(guard, 0).failed("somebody has said so")
        with pytest.raises(McpError, match="sampling"):
            await client.call_tool(tool)
        (status,) = await breaker.statuses()
    assert (status.state, status.failures, status.in_a_row) == ("closed", 4, 0)


async def test_a_tool_that_does_without_is_not_held_up() -> None:
    async with gateway({"asks": program(ASKS)}) as node, node.at("asks") as client:
        assert said(await client.call_tool("manages")) == "went on"


async def test_an_older_client_gets_what_the_upstream_says() -> None:
    async with (
        gateway({"asks": program(ASKS)}) as node,
        node.at("asks", mode="legacy") as client,
    ):
        assert (await client.call_tool("fails")).is_error
        with pytest.raises(McpError, match="cannot ask") as refused:
            await client.call_tool("breaks")
        assert refused.value.code == -32603


async def test_with_what_it_takes_the_call_succeeds() -> None:
    def sample(_: Any) -> dict[str, Any]:
        return {"role": "assistant", "content": {"type": "text", "text": "ho"}, "model": "m"}

    async with (
        gateway({"asks": program(ASKS)}) as node,
        node.at("asks", sample=sample) as client,
    ):
        assert said(await client.call_tool("fails")) == "went on"
