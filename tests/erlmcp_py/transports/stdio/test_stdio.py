"""A client on two pipes."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import trio
import trio.lowlevel

from erlmcp_py import registry
from erlmcp_py.server import Context
from erlmcp_py.transports.conversation import Limits
from erlmcp_py.transports.stdio import Channel, StdioOptions, child_spec
from erlmcp_py.transports.stdio.process import statistics
from supervisors import exit_signal, monitor, receive, spawn, whereis
from tests.erlmcp_py.transports.http.client import initialize, legacy_call, meta
from tests.erlmcp_py.transports.node import Probe, kill, make_server, node


class Pipes:
    """The client's ends."""

    def __init__(self, write: int, read: int) -> None:
        self.input = trio.lowlevel.FdStream(write)
        self.output = trio.lowlevel.FdStream(read)
        self.buffer = b""

    async def send(self, *messages: dict[str, Any] | bytes) -> None:
        data = b""
        for message in messages:
            data += message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        await self.input.send_all(data)

    async def receive(self) -> Any:
        """The next line, decoded; None at the end of the output."""
        with trio.fail_after(10):
            while b"\n" not in self.buffer:
                data = await self.output.receive_some(65536)
                if not data:
                    assert self.buffer == b""
                    return None
                self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    async def ask(self, message: dict[str, Any]) -> Any:
        await self.send(message)
        return await self.receive()


@contextlib.asynccontextmanager
async def client(
    probe: Probe | None = None,
    options: StdioOptions | None = None,
    line_limit: int = 1 << 20,
    strategy: str = "one_for_one",
) -> AsyncIterator[Pipes]:
    """A node whose stdio transport talks to the pipes; the server's ends are the caller's to close."""
    server_in, client_out = os.pipe()
    client_in, server_out = os.pipe()
    pipes = Pipes(client_out, client_in)
    try:
        channel = Channel(server_in, server_out, line_limit)
        spec = child_spec(options or StdioOptions(), channel)
        async with node({"probe": make_server(probe or Probe())}, spec, strategy=strategy):
            yield pipes
    finally:
        os.close(server_in)
        os.close(server_out)
        await pipes.input.aclose()
        await pipes.output.aclose()


def modern(tool: str, id: int | str = 1, **arguments: Any) -> dict[str, Any]:
    message = legacy_call(tool, id, **{k: v for k, v in arguments.items() if k != "meta"})
    message["params"]["_meta"] = meta(**arguments.get("meta", {}))
    return message


def text(message: Any) -> str:
    return str(message["result"]["content"][0]["text"])


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


# --- changes --------------------------------------------------------------------------------


def wish(id: int | str, **wanted: Any) -> dict[str, Any]:
    params = {"_meta": meta(), "notifications": wanted}
    return {"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params}


def late() -> str:
    """A tool that comes later."""
    return "late"


class Name(msgspec.Struct):
    """What is your name?"""

    name: str


async def ask_name(context: Context) -> str:
    """Ask the client."""
    return (await context.elicit(Name)).name


SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


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


# --- limits ---------------------------------------------------------------------------------


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
