"""What a client on two pipes is told of changes, and how that ends when the transport is stopped in order."""

from __future__ import annotations

from typing import Any

import trio
import trio.lowlevel

from erlmcp_py import registry
from supervisors import exit_signal, monitor, receive, spawn, whereis
from tests.erlmcp_py.transports.http.client import initialize, legacy_call
from tests.erlmcp_py.transports.messages import (
    SUBSCRIPTION,
    late,
    modern,
    text,
    wish,
)
from tests.erlmcp_py.transports.node import kill
from tests.erlmcp_py.transports.stdio.client import client


async def test_a_modern_client_has_several_subscriptions_each_with_its_id() -> None:
    async with client() as pipes:
        server = (await registry.servers())["probe"].server
        for id in (1, "two"):
            acknowledged = await pipes.ask(wish(id, toolsListChanged=True))
            assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
            assert acknowledged["params"] == {
                "_meta": {SUBSCRIPTION: id},
                "notifications": {"toolsListChanged": True},
            }
        server.tool()(late)
        told = [(await pipes.receive())["params"]["_meta"][SUBSCRIPTION] for _ in range(2)]
        assert told == [1, "two"]
        cancelled = {"requestId": 1, "reason": "enough"}
        await pipes.send(
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled}
        )
        assert text(await pipes.ask(modern("echo", 5, text="hi"))) == "hi"
        server.remove_tool("late")
        assert (await pipes.receive())["params"]["_meta"][SUBSCRIPTION] == "two"
        # The id of a subscription is taken as long as it is open, and no longer.
        assert (await pipes.ask(wish("two")))["error"]["code"] == -32600
        assert (await pipes.ask(wish(1)))["params"]["_meta"] == {SUBSCRIPTION: 1}


async def test_a_legacy_client_is_told_of_lists_from_the_handshake_on() -> None:
    async with client() as pipes:
        server = (await registry.servers())["probe"].server
        await pipes.ask(initialize())
        server.tool()(late)
        assert await pipes.receive() == {
            "jsonrpc": "2.0",
            "method": "notifications/tools/list_changed",
        }


async def test_a_restarted_transport_goes_on_telling() -> None:
    async with client() as pipes:
        server = (await registry.servers())["probe"].server
        await pipes.ask(initialize())
        first = whereis("stdio")
        await kill(first)
        assert text(await pipes.ask(legacy_call("echo", 4, text="hi"))) == "hi"
        server.tool()(late)
        assert (await pipes.receive())["method"] == "notifications/tools/list_changed"


async def test_a_killed_transport_answers_the_request_of_a_subscription_that_is_lost() -> None:
    async with client() as pipes:
        await pipes.ask(wish(1, toolsListChanged=True))
        await kill(whereis("stdio"))
        answer = await pipes.receive()
        assert (answer["id"], answer["error"]["code"]) == (1, -32603)


# --- an orderly stop ------------------------------------------------------------------------


async def stop(pid: Any) -> object:
    """Stop a process as a supervisor does; its exit reason."""
    reasons: list[object] = []
    gone = trio.Event()

    async def supervise() -> None:
        monitor(pid)
        exit_signal(pid, "shutdown")
        reasons.append((await receive())[4])
        gone.set()

    spawn(supervise)
    with trio.fail_after(5):
        await gone.wait()
    return reasons[0]


async def test_streams_end_with_their_result_when_the_transport_is_stopped() -> None:
    async with client() as pipes:
        await pipes.ask(wish("s", toolsListChanged=True))
        assert await stop(whereis("stdio")) == "shutdown"
        cancelled, result = await pipes.receive(), await pipes.receive()
        assert cancelled["params"]["requestId"] == "s"
        assert (result["id"], result["result"]["_meta"]) == ("s", {SUBSCRIPTION: "s"})


async def test_a_client_that_does_not_read_does_not_hold_up_a_stop(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with client(line_limit=8 << 20) as pipes:
        await pipes.ask(wish("s", toolsListChanged=True))
        await pipes.send(modern("echo", 1, text="x" * (1 << 20)))
        await trio.testing.wait_all_tasks_blocked(0.01)
        begun = trio.current_time()
        assert await stop(whereis("stdio")) == "shutdown"
        assert trio.current_time() - begun <= 1.0
