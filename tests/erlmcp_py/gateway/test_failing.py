"""Upstreams that crash, hang, print garbage, eat memory, or never start, while others serve on."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from erlmcp_py.client import Client, ConnectError
from erlmcp_py.config import UpstreamConfig
from erlmcp_py.gateway import instance, upstream
from erlmcp_py.protocol.errors import McpError
from supervisors import Backoff

from .upstreams import EXITS, OLD, Gateway, gateway, program


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are started again without a pause worth waiting for."""
    monkeypatch.setattr(instance, "PAUSE", Backoff(first=0.01, factor=2.0, limit=0.1))


async def pid_of(client: Client) -> int:
    return int((await client.call_tool("pid")).content[0].text)


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def gone(pid: int) -> None:
    with trio.fail_after(15):
        while lives(pid):
            await trio.sleep(0.02)


async def pid_after(client: Client, before: int) -> int:
    with trio.fail_after(20):
        while True:
            try:
                found = await pid_of(client)
            except McpError:
                found = before
            if found != before:
                return found
            await trio.sleep(0.02)


@pytest.mark.parametrize(
    ("tool", "reason"),
    [
        ("die", "ended with status 7; it said: .*my last words"),
        ("garbage", "sends no messages but"),
    ],
)
async def test_a_call_that_kills_its_upstream_says_so_and_the_next_one_is_answered(
    tool: str, reason: str
) -> None:
    async with (
        gateway({"bad": program(OLD), "good": program(OLD)}) as node,
        node.at("bad") as bad,
        node.at("good") as good,
    ):
        other = await pid_of(good)
        before = await pid_of(bad)
        with pytest.raises(McpError, match=reason):
            await bad.call_tool(tool)
        await gone(before)
        assert await pid_of(bad) != before
        assert await pid_of(good) == other


async def test_killed_from_outside() -> None:
    async with gateway({"bad": program(OLD)}) as node, node.at("bad") as bad:
        before = await pid_of(bad)
        os.kill(before, signal.SIGKILL)
        await gone(before)
        assert await pid_of(bad) != before


async def test_one_that_hangs_is_found_by_its_pings_and_restarted() -> None:
    config = program(OLD, ping_interval=0.2, ping_timeout=0.3)
    async with gateway({"bad": config}) as node, node.at("bad") as bad:
        before = await pid_of(bad)
        with pytest.raises(McpError, match="upstream 'bad'"):
            await bad.call_tool("hang")
        assert await pid_after(bad, before) != before


async def test_a_call_without_an_answer_has_it_looked_at_at_once() -> None:
    config = program(OLD, timeout=0.3, ping_interval=3600.0, ping_timeout=0.3)
    async with gateway({"bad": config}) as node, node.at("bad") as bad:
        before = await pid_of(bad)
        with pytest.raises(McpError, match=r"no answer within 0\.3 s"):
            await bad.call_tool("hang")
        assert await pid_after(bad, before) != before


async def test_one_that_takes_too_much_memory_is_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlmcp_py.gateway.keeping.WEIGHING", 0.1)
    config = program(OLD, memory_limit=100 << 20)
    async with gateway({"bad": config}) as node, node.at("bad") as bad:
        before = await pid_of(bad)
        with suppress(McpError):  # it may be ended before it answers
            await bad.call_tool("eat")
        assert await pid_after(bad, before) != before


async def refusal_when_down(client: Client) -> str:
    """What a call is told once the upstream is down."""
    with trio.fail_after(20):
        while True:
            told = ""
            try:
                await client.call_tool("echo")
            except McpError as problem:
                told = str(problem)
            if "is down since 2" in told:
                return told
            await trio.sleep(0.02)


async def until_down(node: Gateway, name: str) -> str:
    """What a client is told that comes when the upstream is down."""
    with trio.fail_after(20):
        while True:
            told = ""
            try:
                async with node.at(name, mode="legacy"):
                    pass
            except ConnectError as problem:
                told = str(problem)
            if "is down since 2" in told:
                return told
            await trio.sleep(0.05)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (program(EXITS, restarts=2), "ended with status 4"),
        (UpstreamConfig(command="/nowhere/at-all", restarts=1), "was not found on the node"),
        (UpstreamConfig(url="http://127.0.0.1:9/mcp", restarts=1), "127.0.0.1"),
    ],
)
async def test_one_that_never_starts_is_down_and_says_why(
    config: UpstreamConfig, reason: str
) -> None:
    async with (
        gateway({"never": config, "good": program(OLD)}) as node,
        node.at("good") as good,
    ):
        assert reason in await until_down(node, "never")
        await good.call_tool("echo", {})


DIES_LATER = """
import os, sys
marker = sys.argv[1]
if os.path.exists(marker):
    print("no licence any more", file=sys.stderr)
    sys.exit(4)
"""


@pytest.mark.parametrize("mode", ["modern", "legacy"])
async def test_the_lists_of_one_that_is_down_are_kept_and_marked(tmp_path, mode: str) -> None:
    marker = tmp_path / "expired"
    command = (sys.executable, "-c", DIES_LATER + OLD, str(marker))
    config = UpstreamConfig(command=command, restarts=2)
    async with gateway({"bad": config}) as node, node.at("bad", mode=mode) as bad:
        before = await pid_of(bad)
        page, _ = await bad.forward("tools/list", {})
        assert b"erlmcp-py/upstreams" not in bytes(page.result)
        marker.touch()
        os.kill(before, signal.SIGKILL)
        assert "status 4" in await refusal_when_down(bad)
        page, _ = await bad.forward("tools/list", {})
        assert b'"name":"echo"' in bytes(page.result).replace(b" ", b"")
        assert b'"erlmcp-py/upstreams":{"bad":{"state":"down"' in bytes(page.result)
        assert b"status 4" in bytes(page.result)
        async with node.at("bad", mode=mode) as another:
            assert another.hello.instructions == "be kind"
        marker.unlink()
        assert await pid_after(bad, before)


async def test_no_program_outlives_its_node() -> None:
    async with gateway({"one": program(OLD)}) as node, node.at("one") as client:
        pid = await pid_of(client)
    assert not lives(pid)


async def test_together_one_that_comes_late_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "go"
    wait = f"import os, time\nwhile not os.path.exists({str(marker)!r}): time.sleep(0.02)\n"
    monkeypatch.setattr(upstream, "PATIENCE", 0.2)
    upstreams = {"late": program(wait + OLD), "good": program(OLD)}
    async with (
        gateway(upstreams) as node,
        node.at() as client,
        client.subscribe(tools=True) as changes,
    ):
        assert not any(one.name.startswith("late_") for one in await client.list_tools())
        marker.touch()
        with trio.fail_after(15):
            while not any(one.name == "late_echo" for one in await client.list_tools()):
                await anext(changes)


async def test_together_one_that_does_not_come_up_holds_up_no_call_to_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upstream, "PATIENCE", 3600.0)
    upstreams = {"slow": program("import time; time.sleep(3600)"), "good": program(OLD)}
    async with gateway(upstreams) as node, node.at("good") as good:
        await good.list_tools()
        monkeypatch.setattr(upstream, "PATIENCE", 0.2)
        async with node.at() as client:
            monkeypatch.setattr(upstream, "PATIENCE", 3600.0)
            with trio.fail_after(10):
                await client.call_tool("good_echo")
