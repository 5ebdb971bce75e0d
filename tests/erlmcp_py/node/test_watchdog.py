"""A tool that holds the loop: seen, and past `max_run` ended, while its neighbours live."""

from __future__ import annotations

import time
from typing import Any

import trio

from erlmcp_py.config import WatchdogConfig
from erlmcp_py.server import Server
from supervisors import LongSchedule, whereis
from supervisors.testing import events


def make_server() -> Server:
    server = Server("main", version="1")

    @server.tool()
    def hold(seconds: float) -> str:
        """Hold the loop."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)
        return "done"

    @server.tool()
    def echo(text: str) -> str:
        """Say it back."""
        return text

    return server


async def test_a_tool_that_holds_the_loop_is_reported_with_its_process_and_stack(
    running: Any,
) -> None:
    watchdog = WatchdogConfig(long_schedule=0.05)
    async with running({"main": make_server()}, watchdog=watchdog) as client:
        server = whereis("server_main")
        with events() as seen:
            answer = await client.call("hold", seconds=0.4)
            report = await seen.wait(LongSchedule, lambda report: report.pid is server, within=5)
    assert answer.status == 200
    assert answer.body["result"]["content"][0]["text"] == "done"
    assert report.seconds >= 0.05
    assert not report.raised
    assert "in hold" in report.stack


async def test_past_max_run_the_call_fails_and_the_server_and_its_neighbours_live(
    running: Any,
) -> None:
    watchdog = WatchdogConfig(long_schedule=0.05, max_run=0.2)
    servers = {"main": make_server(), "other": make_server()}
    async with running(servers, watchdog=watchdog) as client:
        before = whereis("server_main"), whereis("server_other")
        with events() as seen, trio.fail_after(30):
            answer = await client.call("hold", seconds=3600)
            report = await seen.wait(LongSchedule, lambda report: report.raised, within=5)
        assert answer.status == 200
        assert answer.body["result"]["isError"] is True
        assert "max_run" in answer.body["result"]["content"][0]["text"]
        assert report.pid is before[0]
        assert (whereis("server_main"), whereis("server_other")) == before
        for server in servers:
            assert (await client.call("echo", server, text="x")).status == 200
