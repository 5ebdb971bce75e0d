"""What clients of 2026-07-28 repeat in HTTP headers: compared here, and repeated to an upstream over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from erlmcp_py.config import UpstreamConfig
from tests.erlmcp_py.transports.http.client import connect, modern_call

from .upstreams import OLD, gateway, program, said

MIRRORED = OLD.replace('{"enum": ["a", 1, None]}', '{"type": "string", "x-mcp-header": "How"}')
BROKEN = OLD.replace('{"enum": ["a", 1, None]}', '{"type": "array", "x-mcp-header": "How"}')


async def answer_to(header: dict[str, str], **arguments: Any) -> Any:
    """The status and the answer of a call of `echo` with such a header."""
    call = modern_call("echo", path="/mcp/old", **arguments)
    async with connect() as client:
        answer = await client.ask(**{**call, "headers": {**call["headers"], **header}})
        return answer.status, answer


@pytest.mark.parametrize("mode", ["modern", "legacy"])
async def test_an_upstream_over_http_gets_the_headers_it_needs(mode: str, theirs: str) -> None:
    async with (
        gateway({"web": UpstreamConfig(url=theirs)}) as node,
        node.at("web", mode=mode) as client,
        node.at(mode=mode) as every,
    ):
        assert said(await client.call_tool("locate", {"region": "söuth"})) == "söuth"
        assert said(await every.call_tool("web_locate", {"region": "north"})) == "north"
        assert (await client.read_resource("theirs://of/x")).contents[0].text == "x"


@pytest.mark.parametrize(
    ("header", "arguments"),
    [
        ({}, {"how": "here"}),
        ({"Mcp-Param-How": "there"}, {"how": "here"}),
        ({"Mcp-Param-How": "here"}, {}),
        ({"Mcp-Param-How": "=?base64?%%%?="}, {"how": "here"}),
    ],
)
async def test_a_header_that_does_not_say_what_the_argument_says_is_refused(
    header: dict[str, str], arguments: dict[str, str]
) -> None:
    async with gateway({"old": program(MIRRORED)}) as node, node.at("old") as client:
        await client.list_tools()
        status, answer = await answer_to(header, **arguments)
        assert (status, answer.json["error"]["code"]) == (400, -32020)
        status, answer = await answer_to({"Mcp-Param-How": "here"}, how="here")
        assert (status, json.loads(answer.text)) == (200, {"how": "here"})
        assert json.loads(said(await client.call_tool("echo", {"how": "x"}))) == {"how": "x"}


async def test_what_cannot_be_repeated_is_not_compared() -> None:
    async with gateway({"old": program(BROKEN)}) as node, node.at("old") as client:
        await client.list_tools()
        status, answer = await answer_to({}, how=["here"])
        assert (status, json.loads(answer.text)) == (200, {"how": ["here"]})
