"""Progress and log messages, from every kind of handler, in every revision."""

import math
from typing import Any

import pytest
import trio

from erlmcp_py.protocol.versions import LATEST, SUPPORTED, era_of
from erlmcp_py.server import Context, Server

from .conftest import Connect

ALL_VERSIONS = pytest.mark.parametrize("version", SUPPORTED)
kept: list[Context] = []


@pytest.fixture
def server() -> Server:
    server = Server("test", version="1")

    def work(ctx: Context) -> str:
        for step in (0, 1.5, 3):
            ctx.report_progress(step, 3, f"step {step}")
        return str(ctx.request_id)

    server.tool("plain")(work)
    server.tool("thread", isolation="thread", timeout=math.inf)(work)

    @server.tool("async")
    async def later(ctx: Context) -> str:
        await trio.lowlevel.checkpoint()
        return work(ctx)

    @server.tool()
    async def in_own_thread(ctx: Context) -> str:
        return await trio.to_thread.run_sync(work, ctx)

    @server.tool()
    def chatty(ctx: Context) -> None:
        for level in ("debug", "info", "error"):
            ctx.log(level, {"level": level})
        ctx.log("emergency", None, logger="special")

    @server.tool()
    def backwards(ctx: Context) -> None:
        ctx.report_progress(2)
        ctx.report_progress(2)

    @server.tool()
    def endless(ctx: Context) -> None:
        ctx.report_progress(1, math.inf)

    @server.tool()
    def wrong_level(ctx: Context) -> None:
        ctx.log("loud", "x")  # type: ignore[arg-type]

    @server.tool()
    def through(ctx: Context) -> None:
        ctx.elicitation_complete("page-1")

    @server.tool()
    def who(ctx: Context) -> dict[str, Any]:
        return {"version": ctx.protocol_version, "principal": ctx.principal}

    @server.tool()
    def keep(ctx: Context) -> None:
        kept.append(ctx)

    @server.resource("x:{name}")
    def resource(name: str, ctx: Context) -> str:
        return work(ctx)

    @server.prompt()
    async def prompt(ctx: Context) -> str:
        return work(ctx)

    @server.completion("x:{name}", "name")
    def complete(ctx: Context, value: str) -> list[str]:
        return [work(ctx)]

    return server


def requests() -> list[tuple[str, dict[str, Any]]]:
    tools = ("plain", "thread", "async", "in_own_thread")
    reference = {"type": "ref/resource", "uri": "x:{name}"}
    return [
        *(("tools/call", {"name": name}) for name in tools),
        ("resources/read", {"uri": "x:a"}),
        ("prompts/get", {"name": "prompt"}),
        ("completion/complete", {"ref": reference, "argument": {"name": "name", "value": ""}}),
    ]


@ALL_VERSIONS
@pytest.mark.parametrize("token", ["t", 7])
async def test_progress(server: Server, connect: Connect, version: str, token: Any) -> None:
    peer = await connect(server, version)
    for method, params in requests():
        peer.notifications.clear()
        await peer.result(method, params, token=token, id="r")
        sent = [note["params"] for note in peer.notifications]
        assert [(note["progress"], note["total"]) for note in sent] == [(0, 3), (1.5, 3), (3, 3)]
        assert {note["progressToken"] for note in sent} == {token}
        assert ["message" in note for note in sent] == [version > "2024-11-05"] * 3


async def test_no_progress_without_a_token(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    for method, params in requests():
        await peer.result(method, params)
    assert peer.notifications == []


async def test_the_request_id(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    result = await peer.result("tools/call", {"name": "plain"}, id="abc")
    assert result["content"][0]["text"] == "abc"


async def test_progress_must_grow_and_be_finite(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    assert "progress must grow" in await peer.failure("backwards")
    assert "must be finite" in await peer.failure("endless")


async def test_what_it_knows_of_the_caller(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    result = await peer.tool("who")
    assert result["structuredContent"] == {"version": LATEST, "principal": None}


@ALL_VERSIONS
@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (None, ["info", "error", "emergency"]),
        ("debug", ["debug", "info", "error", "emergency"]),
        ("error", ["error", "emergency"]),
        ("emergency", ["emergency"]),
    ],
)
async def test_log_levels(
    server: Server, connect: Connect, version: str, level: Any, expected: list[str]
) -> None:
    peer = await connect(server, version, level)
    await peer.tool("chatty")
    if level is None and era_of(version) == "modern":
        expected = []
    sent = [note["params"] for note in peer.notifications]
    assert [note["level"] for note in sent] == expected
    for note in sent[:-1]:
        assert (note["data"], note["logger"]) == ({"level": note["level"]}, "test")
    for note in sent[-1:]:
        assert (note["data"], note["logger"]) == (None, "special")


async def test_an_unknown_level(server: Server, connect: Connect) -> None:
    text = await (await connect(server)).failure("wrong_level")
    assert "unknown log level 'loud'; use one of debug, info" in text


async def test_nothing_is_sent_after_the_end(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    await peer.result("tools/call", {"name": "keep"}, token="t")
    kept.pop().report_progress(1)
    assert peer.notifications == []


async def test_a_bad_token(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    error = await peer.error("tools/call", {"name": "plain"}, token=[1])
    assert error["code"] == -32602


@ALL_VERSIONS
async def test_only_one_revision_is_told_of_the_end_of_an_elicitation(
    connect: Connect, server: Server, version: str
) -> None:
    peer = await connect(server, version)
    await peer.tool("through")
    told = [
        {
            "jsonrpc": "2.0",
            "method": "notifications/elicitation/complete",
            "params": {"elicitationId": "page-1"},
        }
    ]
    assert peer.notifications == (told if version == "2025-11-25" else [])
