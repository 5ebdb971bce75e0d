"""Upstreams that are started when they are needed, and stopped when not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from erlmcp_py.client import Client
from erlmcp_py.config import UpstreamConfig
from erlmcp_py.gateway import following, steward
from erlmcp_py.protocol.errors import McpError
from supervisors import call, which_child

from .upstreams import EXITS, OLD, gateway, program, said


async def state_of(name: str) -> dict[str, Any]:
    info: dict[str, Any] = await call(f"server_{name}", ("info",))
    return dict(info["upstreams"][name])


async def until(name: str, state: str) -> None:
    with trio.fail_after(20):
        while (await state_of(name))["state"] != state:
            await trio.sleep(0.02)


async def pid_of(client: Client) -> int:
    return int(said(await client.call_tool("pid")))


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def gone(pid: int) -> None:
    with trio.fail_after(15):
        while lives(pid):
            await trio.sleep(0.02)


def marked(page: Any) -> bool:
    return b"erlmcp-py/upstreams" in bytes(page.result)


async def test_on_demand_nothing_runs_before_it_is_used() -> None:
    config = program(OLD, on_demand=True)
    async with gateway({"lazy": config, "other": program(OLD)}) as node:
        async with node.at("other") as other:
            await pid_of(other)
        state = await state_of("lazy")
        assert (state["state"], state["pid"], state["reason"]) == ("asleep", None, None)
        assert (await which_child("upstream_lazy", "instances")).pid is None
        async with node.at("lazy") as lazy:
            page, _ = await lazy.forward("tools/list", {})
            assert b'"echo"' in bytes(page.result)
            assert not marked(page)
            assert await pid_of(lazy) == (await state_of("lazy"))["pid"]
        assert (await state_of("lazy"))["state"] == "up"


@pytest.mark.parametrize("mode", ["modern", "legacy"])
async def test_all_together_on_demand_is_started_to_be_known(mode: str) -> None:
    config = program(OLD, on_demand=True)
    async with (
        gateway({"one": config, "two": config}) as node,
        node.at(mode=mode) as client,
    ):
        names = [tool.name for tool in await client.list_tools()]
        assert {"one_echo", "two_echo"} <= set(names)


async def test_unused_it_is_stopped_its_lists_are_kept_and_the_next_call_starts_it() -> None:
    config = program(OLD, idle_timeout=0.2)
    async with gateway({"old": config}) as node, node.at("old") as client:
        before = await pid_of(client)
        await until("old", "asleep")
        await gone(before)
        page, _ = await client.forward("tools/list", {})
        assert b'"echo"' in bytes(page.result)
        assert not marked(page)
        assert (await state_of("old"))["state"] == "asleep"
        after = await pid_of(client)
        assert after != before
        state = await state_of("old")
        assert (state["failures"], state["restarts"]) == (0, 0)


async def test_an_upstream_over_http_that_slept_gets_the_headers_it_needs(theirs: str) -> None:
    config = UpstreamConfig(url=theirs, idle_timeout=0.1, pool=2)
    async with gateway({"web": config}) as node, node.at("web") as client:
        for _ in range(3):
            assert said(await client.call_tool("locate", {"region": "söuth"})) == "söuth"
            await until("web", "asleep")


async def test_at_work_it_is_not_stopped() -> None:
    config = program(OLD, idle_timeout=0.05)
    async with gateway({"old": config}) as node, node.at("old") as client:
        before = await pid_of(client)
        await until("old", "asleep")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call_tool, "never")
            with trio.fail_after(15):
                while said(await client.call_tool("count")) != "1":
                    await trio.sleep(0.02)
            working = await pid_of(client)
            await trio.sleep(0.3)  # longer than it may be idle
            assert await pid_of(client) == working != before
            nursery.cancel_scope.cancel()


async def test_one_whose_resource_is_watched_is_not_stopped() -> None:
    config = program(OLD, idle_timeout=0.05)
    async with (
        gateway({"old": config}) as node,
        node.at("old") as client,
        client.subscribe(uris=["mem://one"]),
    ):
        before = await pid_of(client)
        await trio.sleep(0.3)  # longer than it may be idle
        assert await pid_of(client) == before


@pytest.mark.parametrize("mode", ["modern", "legacy"])
async def test_one_that_sleeps_is_started_by_who_watches_a_resource(mode: str) -> None:
    config = program(OLD, idle_timeout=0.05)
    async with gateway({"old": config}) as node, node.at("old", mode=mode) as client:
        await until("old", "asleep")
        async with client.subscribe(uris=["mem://one"]):
            await until("old", "up")
            assert (await state_of("old"))["restarts"] == 0


@pytest.mark.parametrize("mode", ["modern", "legacy"])
async def test_a_resource_that_nobody_watches_any_more_keeps_nobody_awake(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "GRACE", 0.0)
    monkeypatch.setattr(steward, "TWICE", 0.05)
    config = program(OLD, idle_timeout=0.2)
    async with gateway({"old": config}) as node, node.at("old", mode=mode) as client:
        async with client.subscribe(uris=["mem://one"]) as changes:
            before = await pid_of(client)
            with trio.fail_after(15):
                while True:  # the upstream is asked to tell of it in its own time
                    await client.call_tool("touch")
                    with trio.move_on_after(0.2):
                        if (await anext(changes)).uri == "mem://one":
                            break
        await until("old", "asleep")
        assert await pid_of(client) != before


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_one_that_has_a_task_is_not_stopped_before_its_result_is_fetched(
    era: Any, upstream: Callable[[Any], UpstreamConfig]
) -> None:
    config = msgspec.structs.replace(upstream(era), idle_timeout=0.1)
    async with (
        gateway({"web": config}) as node,
        node.at("web", mode=era, tasks=True) as client,
    ):
        task = await client.tasks.start("work", {"text": "done", "seconds": 0.2})
        await trio.sleep(0.8)  # longer than it may be idle, and than the task takes
        assert (await state_of("web"))["state"] == "up"
        assert said(await task.result()) == "done"
        await until("web", "asleep")


async def test_asleep_and_then_broken_it_says_so(tmp_path: Path) -> None:
    marker = tmp_path / "broken"
    code = f"import os, sys\nif os.path.exists({str(marker)!r}): sys.exit(4)\n"
    config = program(code + OLD, idle_timeout=0.1, restarts=1)
    async with gateway({"old": config}) as node, node.at("old") as client:
        before = await pid_of(client)
        await until("old", "asleep")
        marker.touch()
        with pytest.raises(McpError, match=r"is down since 2.*status 4"):
            await client.call_tool("pid")
        marker.unlink()
        await until("old", "asleep")  # nobody uses it, so nobody tries it
        assert await pid_of(client) != before


async def test_on_demand_and_never_there() -> None:
    config = program(EXITS, restarts=1, on_demand=True)
    async with gateway({"bad": config, "good": program(OLD)}) as node, node.at() as client:
        names = [tool.name for tool in await client.list_tools()]
        assert "good_echo" in names
        with pytest.raises(McpError, match="the upstream 'bad' is down since 2"):
            await client.call_tool("bad_anything")
