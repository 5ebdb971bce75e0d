"""Several instances of an upstream, its places, and who waits for one."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from erlmcp_py.client import Client
from erlmcp_py.config import UpstreamConfig
from erlmcp_py.gateway import instance, marks
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.jsonrpc import raw
from supervisors import Backoff, call
from tests import schema_gate

from .upstreams import EXITS, OLD, gateway, program, said

ROOT = Path(__file__).parents[3]


async def pid_of(client: Client) -> int:
    return int(said(await client.call_tool("pid")))


async def state_of(name: str) -> dict[str, Any]:
    info: dict[str, Any] = await call(f"server_{name}", ("info",))
    return dict(info["upstreams"][name])


async def all_up(name: str, count: int) -> list[int]:
    """The pids of its programs, once all are up."""
    with trio.fail_after(20):
        while True:
            instances = (await state_of(name))["instances"]
            if [each["state"] for each in instances] == ["up"] * count:
                return [each["pid"] for each in instances]
            await trio.sleep(0.02)


async def test_each_has_its_turn_and_work_goes_to_who_has_the_least() -> None:
    async with gateway({"old": program(OLD, pool=3)}) as node, node.at("old") as client:
        pids = await all_up("old", 3)
        assert len(set(pids)) == 3
        assert {await pid_of(client) for _ in range(3)} == set(pids)
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(client.call_tool, "never")
            with trio.fail_after(15):
                while (await state_of("old"))["in_flight"] < 2:
                    await trio.sleep(0.01)
            assert len({await pid_of(client) for _ in range(6)}) == 1
            nursery.cancel_scope.cancel()


async def test_a_session_stays_with_its_instance_until_that_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(instance, "PAUSE", Backoff(first=0.01, factor=2.0, limit=0.1))
    async with (
        gateway({"old": program(OLD, pool=2)}) as node,
        node.at("old", mode="legacy") as one,
        node.at("old", mode="legacy") as other,
    ):
        pids = set(await all_up("old", 2))
        first, second = await pid_of(one), await pid_of(other)
        assert {first, second} == pids
        for _ in range(3):
            assert (await pid_of(one), await pid_of(other)) == (first, second)
        os.kill(first, signal.SIGKILL)
        with trio.fail_after(15):
            while (await state_of("old"))["failures"] == 0:
                await trio.sleep(0.01)
        assert (await state_of("old"))["state"] == "up"
        after = await pid_of(one)
        assert after != first
        assert await pid_of(one) == after
        assert await pid_of(other) == second


async def test_one_of_them_that_hangs_is_found_by_its_own_pings() -> None:
    config = program(OLD, pool=2, ping_interval=0.2, ping_timeout=3.0)
    async with gateway({"old": config}) as node, node.at("old", mode="legacy") as client:
        await all_up("old", 2)
        serving = await pid_of(client)
        (stopped,) = [pid for pid in await all_up("old", 2) if pid != serving]
        os.kill(stopped, signal.SIGSTOP)
        with trio.fail_after(30):
            while stopped in {each["pid"] for each in (await state_of("old"))["instances"]}:
                assert await pid_of(client) == serving
                await trio.sleep(0.05)
        assert stopped not in await all_up("old", 2)
        assert await pid_of(client) == serving


async def test_one_of_them_that_is_down_is_no_matter_all_of_them_are(tmp_path: Path) -> None:
    marker = tmp_path / "taken"
    once = f"import os, sys\ntry: os.mkdir({str(marker)!r})\nexcept FileExistsError: sys.exit(4)\n"
    config = program(once + OLD, pool=2, restarts=0)
    async with gateway({"old": config}) as node, node.at("old") as client:
        with trio.fail_after(20):
            while {each["state"] for each in (await state_of("old"))["instances"]} != {
                "up",
                "down",
            }:
                await trio.sleep(0.02)
        assert (await state_of("old"))["state"] == "up"
        survivor = {await pid_of(client) for _ in range(4)}
        assert len(survivor) == 1
        os.kill(survivor.pop(), signal.SIGKILL)
        with trio.fail_after(20):
            while (await state_of("old"))["state"] != "down":
                await trio.sleep(0.02)
        with pytest.raises(McpError, match="the upstream 'old' is down since 2"):
            await client.call_tool("pid")


async def test_none_of_them_starts() -> None:
    config = program(EXITS, pool=2, restarts=0)
    async with gateway({"bad": config}):
        with trio.fail_after(20):
            while (await state_of("bad"))["state"] != "down":
                await trio.sleep(0.02)
        assert "status 4" in (await state_of("bad"))["reason"]


async def test_what_asks_gets_the_answer_itself() -> None:
    """States are sealed with a key of each program, so the wrong one could not open it."""
    command = [sys.executable, "-m", "erlmcp_py", "run", "--stdio"]
    command += ["--server", "tests.erlmcp_py.gateway.theirs:server"]
    env = {"ERLMCP__CONTROL__ENABLED": "false", "ERLMCP__HTTP__ENABLED": "false"}
    env["PYTHONPATH"] = schema_gate.PYTHONPATH
    config = UpstreamConfig(command=tuple(command), cwd=str(ROOT), env=env, pool=2)
    async with (
        gateway({"web": config}) as node,
        node.at("web", mode="modern", elicit=lambda _: {"n": "Ada"}) as client,
    ):
        await all_up("web", 2)
        for _ in range(4):
            assert said(await client.call_tool("greet")) == "hello Ada"


async def test_what_is_too_much_waits_in_order_and_more_is_refused() -> None:
    config = program(OLD, concurrency=1, queue=1)
    async with gateway({"old": config}) as node, node.at("old") as client:
        answered: list[int] = []

        async def ask() -> None:
            answered.append(await pid_of(client))

        async with trio.open_nursery() as nursery:
            blocked = trio.CancelScope()

            async def block() -> None:
                with blocked:
                    await client.call_tool("never")

            nursery.start_soon(block)
            with trio.fail_after(15):
                while (await state_of("old"))["in_flight"] < 1:
                    await trio.sleep(0.01)
            nursery.start_soon(ask)
            with trio.fail_after(15):
                while (await state_of("old"))["waiting"] < 1:
                    await trio.sleep(0.01)
            with pytest.raises(McpError, match="'old' has too much to do: 1 requests are") as error:
                await client.call_tool("pid")
            assert error.value.data["refusal"] == 1001
            assert not answered
            blocked.cancel()
        assert len(answered) == 1


def test_marks() -> None:
    state = raw({"resultType": "input_required", "requestState": "a:b\n"})
    marked = marks.mark(state, 12)
    assert b'"requestState":"erlmcp-py:12:a:b\\n"' in bytes(marked)
    assert marks.read({"requestState": "erlmcp-py:12:a:b\n"}) == (12, {"requestState": "a:b\n"})
    assert marks.read({"requestState": raw("erlmcp-py:12:")}) == (12, {"requestState": ""})
    for other in (
        {},
        {"requestState": "a"},
        {"requestState": "erlmcp-py:0:a"},
        {"requestState": 5},
    ):
        assert marks.read(other) == (None, other)
    text = raw({"content": [{"type": "text", "text": '"requestState"'}]})
    assert bytes(marks.mark(text, 1)) == bytes(text)
