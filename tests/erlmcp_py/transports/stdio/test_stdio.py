"""A client on two pipes: calls, bad input, crashes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
import trio.lowlevel

from erlmcp_py import registry
from erlmcp_py.transports.conversation import Limits
from erlmcp_py.transports.stdio import Channel, StdioOptions, child_spec
from erlmcp_py.transports.stdio.process import statistics
from supervisors import monitor, receive, spawn, whereis
from tests.erlmcp_py.transports.http.client import initialize, legacy_call
from tests.erlmcp_py.transports.messages import (
    modern,
    text,
)
from tests.erlmcp_py.transports.node import Probe, kill, make_server, node
from tests.erlmcp_py.transports.stdio.client import client


async def test_a_modern_client() -> None:
    async with client() as pipes:
        answer = await pipes.ask(modern("echo", "a", text="hi"))
        assert answer["id"] == "a"
        assert text(answer) == "hi"
        assert answer["result"]["resultType"] == "complete"


async def test_a_legacy_client() -> None:
    async with client() as pipes:
        ping = {"jsonrpc": "2.0", "id": 9, "method": "ping"}
        assert (await pipes.ask(ping))["result"] == {}
        answer = await pipes.ask(initialize("2025-06-18"))
        assert answer["result"]["protocolVersion"] == "2025-06-18"
        await pipes.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        answer = await pipes.ask(legacy_call("echo", text="hi"))
        assert text(answer) == "hi"
        assert "resultType" not in answer["result"]
        # The other era still works, request by request.
        assert (await pipes.ask(modern("echo", text="x")))["result"]["resultType"] == "complete"


async def test_a_client_that_says_neither_is_told() -> None:
    async with client() as pipes:
        answer = await pipes.ask(legacy_call("echo", text="hi"))
        assert answer["error"]["code"] == -32602
        assert "_meta" in answer["error"]["message"]


async def test_requests_run_concurrently_and_are_answered_as_they_are_ready() -> None:
    async with client() as pipes:
        await pipes.send(
            modern("patient", "slow", seconds=0.3), modern("later", "soon", text="x"),
            modern("echo", "now", text="y"),
        )  # fmt: skip
        assert [(await pipes.receive())["id"] for _ in range(3)] == ["now", "soon", "slow"]


async def test_many_pipelined_requests() -> None:
    async with client(options=StdioOptions(limits=Limits(in_flight=7))) as pipes:
        count = 500

        async def write() -> None:
            for number in range(0, count, 50):
                tools = ["echo", "later"]
                await pipes.send(
                    *(modern(tools[n % 2], n, text=str(n)) for n in range(number, number + 50))
                )

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            answers = [await pipes.receive() for _ in range(count)]
        assert {answer["id"]: text(answer) for answer in answers} == {
            n: str(n) for n in range(count)
        }


async def test_notifications_come_before_the_answer() -> None:
    async with client() as pipes:
        await pipes.send(modern("steps", 1, count=2, meta={"progressToken": "p"}))
        received = [await pipes.receive() for _ in range(3)]
        assert [message.get("method") for message in received] == [
            "notifications/progress",
            "notifications/progress",
            None,
        ]


async def test_the_log_level_of_a_legacy_client() -> None:
    async with client() as pipes:
        await pipes.ask(initialize())
        level = {"jsonrpc": "2.0", "id": 1, "method": "logging/setLevel"}
        assert (await pipes.ask(level | {"params": {"level": "critical"}}))["result"] == {}
        assert text(await pipes.ask(legacy_call("log_lines"))) == "logged"
        assert (await pipes.ask(level | {"params": {"level": "debug"}}))["result"] == {}
        first = await pipes.ask(legacy_call("log_lines"))
        assert first["method"] == "notifications/message"
        assert text(await pipes.receive()) == "logged"
        assert (await pipes.ask(level | {"params": {"level": "x"}}))["error"]["code"] == -32602


async def test_a_cancelled_call_is_stopped_and_not_answered() -> None:
    probe = Probe()
    async with client(probe) as pipes:
        await pipes.send(modern("hang", 5))
        await probe.started.wait()
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
        await pipes.send(
            cancelled | {"params": {"requestId": 6}},
            cancelled | {"params": {}},
            cancelled | {"params": {"requestId": 5, "reason": "enough"}},
        )
        with trio.fail_after(5):
            await probe.cancelled.wait()
        assert (await pipes.ask(modern("echo", 7, text="x")))["id"] == 7
        assert (await statistics()).in_flight == 0


@pytest.mark.parametrize(
    ("line", "code", "id"),
    [
        (b"{nonsense\n", -32700, None),
        (b"[]\n", -32600, None),
        (b'{"jsonrpc":"2.0","id":3}\n', -32600, None),
        (b'{"jsonrpc":"1.0","id":3,"method":"x"}\n', -32600, 3),
        (b'"' + b"x" * 2000 + b'"\n', -32600, None),
    ],
)
async def test_a_broken_line_is_answered_and_the_next_one_works(
    line: bytes, code: int, id: int | None
) -> None:
    async with client(line_limit=1000) as pipes:
        await pipes.send(line + b"\n  \n")
        answer = await pipes.receive()
        assert answer["error"]["code"] == code
        if id is not None:
            assert answer["id"] == id
        assert text(await pipes.ask(modern("echo", text="x"))) == "x"


async def test_an_id_in_use_is_refused() -> None:
    probe = Probe()
    async with client(probe) as pipes:
        await pipes.send(modern("hang", 5))
        await probe.started.wait()
        answer = await pipes.ask(modern("echo", 5, text="x"))
        assert answer["error"]["code"] == -32600
        assert not probe.cancelled.is_set()


async def test_at_the_end_of_input_what_is_at_work_is_still_answered() -> None:
    probe = Probe()
    async with client(probe) as pipes:
        pid = whereis("stdio")
        assert pid is not None
        reasons: list[object] = []

        async def witness() -> None:
            monitor(pid)
            reasons.append((await receive())[4])

        spawn(witness)
        await pipes.send(
            modern("patient", 1, seconds=0.05), json.dumps(modern("echo", 2, text="x")).encode()
        )
        await pipes.input.aclose()
        answers = [await pipes.receive(), await pipes.receive()]
        assert {answer["id"] for answer in answers} == {1, 2}
        while not reasons:
            await trio.testing.wait_all_tasks_blocked()
        assert reasons == ["normal"]
        assert whereis("stdio") is None
        assert await registry.transports() == {}


async def test_when_the_client_reads_no_more_its_calls_are_cancelled() -> None:
    probe = Probe()
    async with client(probe) as pipes:
        await pipes.send(modern("hang", 1))
        await probe.started.wait()
        await pipes.output.aclose()
        await pipes.send(modern("echo", 2, text="x"))
        with trio.fail_after(5):
            await probe.cancelled.wait()
        while whereis("stdio") is not None:
            await trio.testing.wait_all_tasks_blocked()


async def test_a_killed_transport_goes_on_with_the_same_client() -> None:
    probe = Probe()
    async with client(probe) as pipes:
        await pipes.ask(initialize("2025-06-18"))
        await pipes.send(legacy_call("hang", "lost"))
        await probe.started.wait()
        half = json.dumps(legacy_call("echo", 2, text="whole")).encode() + b"\n"
        await pipes.send(half[:20])
        await trio.testing.wait_all_tasks_blocked()
        old = whereis("stdio")
        await kill(old)
        lost = await pipes.receive()
        assert lost["id"] == "lost"
        assert "restarted" in lost["error"]["message"]
        with trio.fail_after(5):
            await probe.cancelled.wait()
        await pipes.send(half[20:])
        answer = await pipes.receive()
        assert (answer["id"], text(answer)) == (2, "whole")
        assert "resultType" not in answer["result"]
        new = whereis("stdio")
        assert new is not None
        assert new != old


async def test_a_killed_server_costs_the_calls_it_had_and_no_more() -> None:
    probe = Probe()
    async with client(probe) as pipes:
        await pipes.send(modern("hang", 1))
        await probe.started.wait()
        transport = whereis("stdio")
        await kill(await registry.lookup("probe"))
        lost = await pipes.receive()
        assert (lost["id"], lost["error"]["code"]) == (1, -32603)
        assert text(await pipes.ask(modern("echo", 2, text="x"))) == "x"
        assert whereis("stdio") == transport


async def test_a_client_outlives_the_registry_and_all_that_goes_down_with_it() -> None:
    probe = Probe()
    async with client(probe, strategy="one_for_all") as pipes:
        await pipes.ask(initialize("2025-06-18"))
        await pipes.send(legacy_call("hang", 1))
        await probe.started.wait()
        await kill(whereis("registry"))
        assert (await pipes.receive())["error"]["code"] == -32603
        assert text(await pipes.ask(legacy_call("echo", 2, text="x"))) == "x"


async def test_large_answers_cross_a_pipe_that_is_full() -> None:
    async with client(line_limit=8 << 20) as pipes:
        big = "x" * (1 << 20)
        await_answer = modern("echo", 1, text=big)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pipes.send, await_answer)
            answer = await pipes.receive()
        assert text(answer) == big


async def test_files_serve_as_input_and_output(tmp_path: Any) -> None:
    source, sink = tmp_path / "in", tmp_path / "out"
    source.write_text(json.dumps(modern("echo", 1, text="x")) + "\n")
    with source.open("rb") as reader, sink.open("wb") as writer:
        channel = Channel(reader.fileno(), writer.fileno())
        spec = child_spec(StdioOptions(), channel)
        async with node({"probe": make_server(Probe())}, spec):
            while whereis("stdio") is not None:
                await trio.lowlevel.checkpoint()
    assert text(json.loads(sink.read_text())) == "x"


async def test_a_node_without_the_server_says_so() -> None:
    async with client(options=StdioOptions(server="other")) as pipes:
        answer = await pipes.ask(modern("echo", text="x"))
        assert "no server 'other'" in answer["error"]["message"]
        assert whereis("stdio") is not None
