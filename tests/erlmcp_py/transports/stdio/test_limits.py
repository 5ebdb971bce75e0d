"""What a client on two pipes may have at work and waiting, and what becomes of the rest."""

from __future__ import annotations

import json

import trio
import trio.lowlevel

from erlmcp_py import registry
from erlmcp_py.transports.conversation import Limits
from erlmcp_py.transports.stdio import StdioOptions
from erlmcp_py.transports.stdio.process import statistics
from supervisors import whereis
from tests.erlmcp_py.transports.http.client import initialize, legacy_call
from tests.erlmcp_py.transports.messages import (
    ask_name,
    modern,
    text,
)
from tests.erlmcp_py.transports.node import Probe, kill
from tests.erlmcp_py.transports.stdio.client import client


async def test_what_waits_for_the_client_is_answered_though_no_further_request_can_begin() -> None:
    probe = Probe()
    async with client(probe, StdioOptions(limits=Limits(in_flight=3))) as pipes:
        hello = initialize()
        hello["params"]["capabilities"] = {"elicitation": {}}
        await pipes.ask(hello)
        server = (await registry.servers())["probe"].server
        server.tool()(ask_name)
        assert (await pipes.receive())["method"] == "notifications/tools/list_changed"
        await pipes.send(*(legacy_call("ask_name", id) for id in (1, 2, 3)))
        asked = [(await pipes.receive())["id"] for _ in range(3)]
        await pipes.send(legacy_call("echo", 4, text="x"))
        content = {"action": "accept", "content": {"name": "Ada"}}
        await pipes.send(*({"jsonrpc": "2.0", "id": id, "result": content} for id in asked))
        answers = [await pipes.receive() for _ in range(4)]
        assert {answer["id"]: text(answer) for answer in answers} == {
            1: "Ada", 2: "Ada", 3: "Ada", 4: "x"
        }  # fmt: skip


async def test_a_cancellation_overtakes_requests_that_wait_and_reaches_them_too() -> None:
    probe = Probe()
    async with client(probe, StdioOptions(limits=Limits(in_flight=1))) as pipes:
        await pipes.send(modern("hang", 1), *(modern("echo", id, text="x") for id in (2, 3)))
        await probe.started.wait()
        for id in (2, 1):
            await pipes.send(
                {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}
            )
        assert (await pipes.receive())["id"] == 3
        with trio.fail_after(5):
            await probe.cancelled.wait()
        # Both ids are free again.
        assert (await pipes.ask(modern("echo", 2, text="y")))["id"] == 2
        assert (await pipes.ask(modern("echo", 1, text="y")))["id"] == 1


async def test_more_than_can_wait_is_refused() -> None:
    probe = Probe()
    limits = Limits(in_flight=1, waiting=2 * len(json.dumps(modern("echo", 2, text="x"))))
    async with client(probe, StdioOptions(limits=limits)) as pipes:
        await pipes.send(modern("hang", 1))
        await probe.started.wait()
        await pipes.send(*(modern("echo", id, text="x") for id in (2, 3, 4)))
        refused = await pipes.receive()
        assert (refused["id"], refused["error"]["data"]["refusal"]) == (4, 1060)
        assert (await pipes.ask(modern("echo", 2, text="x")))["error"]["data"]["refusal"] == 1052
        assert (await statistics()).overloaded == 1
        await pipes.send(
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        )
        assert [(await pipes.receive())["id"] for _ in range(2)] == [2, 3]


async def test_requests_that_wait_outlive_the_transport() -> None:
    probe = Probe()
    async with client(probe, StdioOptions(limits=Limits(in_flight=1))) as pipes:
        await pipes.send(modern("hang", 1), modern("echo", 2, text="x"))
        await probe.started.wait()
        await trio.testing.wait_all_tasks_blocked()
        await kill(whereis("stdio"))
        lost, answer = await pipes.receive(), await pipes.receive()
        assert (lost["id"], lost["error"]["code"]) == (1, -32603)
        assert (answer["id"], text(answer)) == (2, "x")
