"""An upstream that does not answer is left alone, and one that was started anew is not."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any

import pytest
import trio

from erlmcp_py import registry
from erlmcp_py.client import (
    BadAnswer,
    Client,
    ClientError,
    ConnectError,
    ConnectionLost,
    HttpStatus,
    NotAuthorized,
    NotConnected,
    RequestTimeout,
    SessionLost,
)
from erlmcp_py.config import BreakerConfig
from erlmcp_py.gateway import overview
from erlmcp_py.gateway.errors import blame
from erlmcp_py.guards import breaker
from erlmcp_py.guards.breaker import Breaker, BreakerStatus, Permit
from erlmcp_py.protocol.errors import McpError

from .upstreams import OLD, gateway, program, said

SOON = {"timeout": 0.1, "ping_interval": 3600.0, "ping_timeout": 30.0}
"""A call without an answer is over at once, and has nothing restarted."""


async def refusal(client: Client, tool: str) -> McpError:
    with pytest.raises(McpError) as refused:
        await client.call_tool(tool, {})
    return refused.value


async def status(name: str) -> BreakerStatus:
    (found,) = [each for each in await breaker.statuses() if each.name == name]
    return found


async def opened(client: Client, name: str) -> None:
    for _ in range(5):
        assert "no answer within" in str(await refusal(client, "never"))
    assert (await status(name)).state == "open"


async def test_one_that_does_not_answer_is_left_alone_and_nobody_else_is() -> None:
    bad = program(OLD, **SOON, breaker=BreakerConfig(timeout=3600.0))
    async with (
        gateway({"bad": bad, "good": program(OLD)}) as node,
        node.at("bad") as client,
        node.at() as every,
    ):
        await opened(client, "bad")
        for at, tool in ((client, "echo"), (every, "bad_echo")):
            told = await refusal(at, tool)
            assert told.data["refusal"] == 1086
            assert "the breaker of 'bad' is open: 5 failures in a row" in str(told)
        assert said(await every.call_tool("good_echo", {})) == "{}"
        assert "echo" in [tool.name for tool in await client.list_tools()]
        assert (await status("bad")).refused == 2
        assert (await status("good")).state == "closed"


async def test_after_a_while_it_is_tried_and_answers_close_it() -> None:
    bad = program(OLD, **SOON, breaker=BreakerConfig(timeout=0.2))
    async with gateway({"bad": bad}) as node, node.at("bad") as client:
        await opened(client, "bad")
        with trio.fail_after(20):
            while (await status("bad")).state == "open":
                await trio.sleep(0.01)
        for _ in range(2):
            await client.call_tool("echo", {})
        now = await status("bad")
        assert (now.state, now.changes["open"], now.changes["half_open"]) == ("closed", 1, 1)


@pytest.mark.parametrize("mode", ["modern", "legacy"])
async def test_a_probe_that_its_client_cancels_lets_the_next_one_try_at_once(mode: Any) -> None:
    only_one = BreakerConfig(failure_threshold=1, success_threshold=1, timeout=3600.0)
    bad = program(OLD, breaker=only_one, ping_interval=3600.0)
    async with gateway({"bad": bad}) as node, node.at("bad", mode=mode) as client:
        with pytest.raises(McpError):
            await client.call_tool("die")
        assert (await status("bad")).state == "open"
        assert (await breaker.reset_breaker("bad")).state == "half_open"
        upstream = (await overview.served())["bad"]
        sent, cut_off = upstream.meter.figures().requests, trio.CancelScope()

        async def tries() -> None:
            with cut_off:
                await client.call_tool("never")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(tries)
            with trio.fail_after(20):
                while upstream.meter.figures().requests == sent:
                    await trio.sleep(0.01)
            assert "being tried just now" in str(await refusal(client, "echo"))
            cut_off.cancel()
            with trio.fail_after(20):
                while True:
                    with suppress(McpError):
                        await client.call_tool("echo", {})
                        break
                    await trio.sleep(0.01)
        assert (await status("bad")).state == "closed"


@pytest.mark.parametrize("mode", ["modern", "legacy"])
async def test_a_probe_that_asks_its_client_is_answered_enough(mode: Any) -> None:
    asked = trio.Event()

    async def elicit(_: Any) -> dict[str, Any]:
        asked.set()
        await trio.sleep_forever()
        raise AssertionError

    only_one = BreakerConfig(failure_threshold=1, success_threshold=1, timeout=3600.0)
    bad = program(OLD, breaker=only_one, ping_interval=3600.0)
    async with (
        gateway({"bad": bad}) as node,
        node.at("bad", mode=mode, elicit=elicit) as client,
        trio.open_nursery() as nursery,
    ):
        with pytest.raises(McpError):
            await client.call_tool("die")
        assert (await breaker.reset_breaker("bad")).state == "half_open"
        nursery.start_soon(client.call_tool, "ask")
        await asked.wait()
        assert said(await client.call_tool("echo", {})) == "{}"
        assert (await status("bad")).state == "closed"
        nursery.cancel_scope.cancel()


async def test_an_answer_is_no_failure_whatever_it_says() -> None:
    async with gateway({"one": program(OLD)}) as node, node.at("one") as client:
        for _ in range(20):
            assert "no such tool" in str(await refusal(client, "nothing"))
        assert (await status("one")).failures == 0


async def test_a_crash_with_many_calls_under_way_keeps_nobody_out() -> None:
    async with gateway({"bad": program(OLD)}) as node, node.at("bad") as client:
        pid = int(said(await client.call_tool("pid")))
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(refusal, client, "never")
            with trio.fail_after(20):
                while said(await client.call_tool("count")) != "10":
                    await trio.sleep(0.01)
            os.kill(pid, signal.SIGKILL)
        now = await status("bad")
        assert (now.state, now.in_a_row) == ("closed", 1)
        assert said(await client.call_tool("echo", {})) == "{}"


async def test_one_that_was_started_anew_is_tried_at_once() -> None:
    bad = program(OLD, **SOON, breaker=BreakerConfig(timeout=3600.0))
    async with gateway({"bad": bad}) as node, node.at("bad") as client:
        pid = int(said(await client.call_tool("pid")))
        await opened(client, "bad")
        os.kill(pid, signal.SIGKILL)
        with trio.fail_after(30):
            while True:
                try:
                    await client.call_tool("echo", {})
                    break
                except McpError:
                    await trio.sleep(0.01)


async def test_off_means_that_only_an_operator_opens_it() -> None:
    bad = program(OLD, **SOON, breaker="off")
    async with gateway({"bad": bad}) as node, node.at("bad") as client:
        for _ in range(7):
            await refusal(client, "never")
        await client.call_tool("echo", {})
        await breaker.open_breaker("bad", "maintenance until noon")
        assert "maintenance until noon" in str(await refusal(client, "echo"))
        await breaker.close_breaker("bad")
        await client.call_tool("echo", {})


async def test_other_numbers_count_at_once() -> None:
    bad = program(OLD, **SOON)
    async with gateway({"bad": bad}) as node, node.at("bad") as client:
        await refusal(client, "never")
        face = (await registry.servers())["bad"].server
        stricter = BreakerConfig(failure_threshold=1)
        face.upstreams[0].adjust(program(OLD, **SOON, breaker=stricter))
        assert (await status("bad")).failures == 0
        await refusal(client, "never")
        assert (await status("bad")).state == "open"


class Heard(Permit):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(Breaker("x", None), 0)
        self.told: list[tuple[str, bool]] = []

    def failed(self, why: str, *, lost: bool = False) -> None:
        self.told.append((why, lost))


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (RequestTimeout("late"), [("late", False)]),
        (ConnectionLost("lost"), [("lost", True)]),
        (ConnectError("nobody"), [("nobody", False)]),
        (BadAnswer("html"), [("html", False)]),
        (HttpStatus("http://h/mcp", 503), [("http://h/mcp: HTTP 503", False)]),
        (HttpStatus("http://h/mcp", 429), []),
        (SessionLost("gone"), []),
        (NotConnected("not sent"), []),
        (NotAuthorized("no token"), []),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_its_fault(problem: ClientError, told: list[Any]) -> None:
    permit = Heard()
    blame(permit, problem)
    assert permit.told == told
