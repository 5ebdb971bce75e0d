"""Clients on TCP, in both framings: what they can do, and what they cannot do to others."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from erlmcp_py import registry, subscriptions
from erlmcp_py.server import Context
from erlmcp_py.transports.conversation import Limits
from erlmcp_py.transports.net.supervisor import connections
from supervisors import CrashReport, exit_signal, terminate_child
from tests.erlmcp_py.transports.http.client import initialize, legacy_call
from tests.erlmcp_py.transports.messages import (
    SUBSCRIPTION,
    ask_name,
    cancel,
    large,
    late,
    modern,
    text,
    wish,
)
from tests.erlmcp_py.transports.node import Probe, kill, open_descriptors, until
from tests.erlmcp_py.transports.tcp.client import Framing, TcpClient, listening


@pytest.fixture(params=["newline", "length"])
def framing(request: pytest.FixtureRequest) -> Framing:
    return request.param  # type: ignore[no-any-return]


# --- what a client can do -------------------------------------------------------------------


async def test_a_modern_client(framing: Framing) -> None:
    async with listening(framing=framing) as world, world.client() as client:
        answer = await client.ask(modern("echo", "a", text="hi"))
        assert (answer["id"], text(answer)) == ("a", "hi")
        assert answer["result"]["resultType"] == "complete"
        await client.send(modern("steps", 1, count=2, meta={"progressToken": "p"}))
        methods = [(await client.receive()).get("method") for _ in range(3)]
        assert methods == ["notifications/progress", "notifications/progress", None]


async def test_a_legacy_client_is_asked_and_told_of_changes(framing: Framing) -> None:
    async with listening(framing=framing) as world, world.client() as client:
        hello = initialize("2025-06-18")
        hello["params"]["capabilities"] = {"elicitation": {}}
        assert (await client.ask(hello))["result"]["protocolVersion"] == "2025-06-18"
        (await registry.servers())["probe"].server.tool()(ask_name)
        assert (await client.receive())["method"] == "notifications/tools/list_changed"
        question = await client.ask(legacy_call("ask_name", 7))
        assert question["method"] == "elicitation/create"
        content = {"action": "accept", "content": {"name": "Ada"}}
        answer = await client.ask({"jsonrpc": "2.0", "id": question["id"], "result": content})
        assert (answer["id"], text(answer)) == (7, "Ada")


async def test_subscriptions_and_cancellation(framing: Framing) -> None:
    probe = Probe()
    async with listening(probe, framing) as world, world.client() as client:
        acknowledged = await client.ask(wish("s", toolsListChanged=True))
        assert acknowledged["params"]["_meta"] == {SUBSCRIPTION: "s"}
        (await registry.servers())["probe"].server.tool()(late)
        told = await client.receive()
        assert told["method"] == "notifications/tools/list_changed"
        await client.send(modern("hang", 5))
        await probe.started.wait()
        await client.send(cancel(5), cancel("s"))
        with trio.fail_after(5):
            await probe.cancelled.wait()
        assert (await client.ask(modern("echo", 5, text="x")))["id"] == 5


async def test_a_subscription_ends_when_its_server_is_served_no_more(framing: Framing) -> None:
    async with listening(framing=framing) as world, world.client() as client:
        await client.ask(wish("s", toolsListChanged=True))
        subscriptions.end("probe")
        cancelled, result = await client.receive(), await client.receive()
        assert cancelled["params"] == {"requestId": "s", "reason": "the server is served no more"}
        assert (result["id"], result["result"]["_meta"]) == ("s", {SUBSCRIPTION: "s"})
        assert "result" in await client.ask(modern("echo", "s", text="the id is free again"))


async def test_many_pipelined_requests(framing: Framing) -> None:
    async with listening(framing=framing, limits=Limits(in_flight=7)) as world:
        async with world.client() as client, trio.open_nursery() as nursery:
            messages = [
                modern(("echo", "later")[n % 2], n, text=str(n) * (n % 900)) for n in range(500)
            ]
            nursery.start_soon(client.send, *messages)
            answers = [await client.receive() for _ in range(500)]
        assert {a["id"]: text(a) for a in answers} == {n: str(n) * (n % 900) for n in range(500)}
        assert (await world.numbers()).requests == 500


async def test_one_byte_at_a_time(framing: Framing) -> None:
    async with listening(framing=framing) as world, world.client() as client:
        for byte in client.frame(modern("echo", 1, text="ä")):
            await client.stream.send_all(bytes([byte]))
        assert text(await client.receive()) == "ä"


async def test_a_unix_socket(tmp_path: Any, framing: Framing) -> None:
    async with (
        listening(framing=framing, host=f"unix:{tmp_path}/mcp") as world,
        world.client() as client,
    ):
        assert text(await client.ask(modern("echo", 1, text="x"))) == "x"


async def test_a_listener_is_bound_to_a_server_as_every_transport_is() -> None:
    async with listening() as world, world.client() as client:
        await registry.bind("tcp", "nobody")
        error = (await client.ask(modern("echo", text="x")))["error"]
        assert error["code"] == -32603
        assert "'nobody', which is not there" in error["message"]
        await registry.bind("tcp", "probe")
        assert text(await client.ask(modern("echo", text="x"))) == "x"


async def test_half_closed_clients_get_the_answers_they_wait_for(framing: Framing) -> None:
    async with listening(framing=framing) as world, world.client() as client:
        await client.ask(wish("s", toolsListChanged=True))
        await client.send(modern("patient", 1, seconds=0.05), modern("echo", 2, text="x"))
        await client.stream.send_eof()
        ids = []
        while (message := await client.receive()) is not None:
            ids.append(message.get("id"))
        assert ids[:2] == [2, 1]
        assert ids[-1] == "s"


async def test_the_calls_of_a_client_that_resets_are_cancelled(framing: Framing) -> None:
    probe = Probe()
    async with listening(probe, framing) as world:
        async with world.client() as client:
            await client.send(modern("hang", 1))
            await probe.started.wait()
            await client.reset()
        with trio.fail_after(5):
            await probe.cancelled.wait()
            while (await world.numbers()).open:
                await trio.sleep(0.01)


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"{nonsense", -32700), (b"[]", -32600), (b'{"jsonrpc":"2.0","id":3}', -32600)],
)
async def test_what_is_no_message_is_answered_and_the_next_one_works(
    framing: Framing, data: bytes, code: int
) -> None:
    async with listening(framing=framing) as world, world.client() as client:
        await client.send(modern("echo", 1, text="x"))
        await client.receive()
        assert (await client.ask(data))["error"]["code"] == code
        await client.send(b"", b"  ")
        assert text(await client.ask(modern("echo", text="x"))) == "x"


async def test_a_message_that_is_too_long_is_refused_and_skipped(framing: Framing) -> None:
    async with listening(framing=framing, message_limit=1000) as world, world.client() as client:
        await client.send(b'"' + b"x" * 100_000 + b'"', modern("echo", 2, text="x"))
        refused = await client.receive()
        assert (refused["error"]["code"], refused["error"]["data"]["refusal"]) == (-32600, 1068)
        assert text(await client.receive()) == "x"


async def test_a_client_with_the_other_framing_is_told_so(framing: Framing) -> None:
    async with listening(framing=framing) as world, world.client() as client:
        other = TcpClient(client.stream, "length" if framing == "newline" else "newline")
        await other.send(modern("echo", 1, text="x"))
        refused = await client.receive()
        assert "this listener reads" in refused["error"]["message"]
        assert await client.receive() is None


async def test_one_connection_too_many_is_told_so_and_closed(framing: Framing) -> None:
    async with listening(framing=framing, max_connections=1) as world, world.client() as first:
        await first.ask(modern("echo", 1, text="x"))
        async with world.client() as second:
            refused = await second.receive()
            assert refused["error"]["data"]["refusal"] == 1089
            assert await second.receive() is None
        assert text(await first.ask(modern("echo", 2, text="x"))) == "x"
        assert (await world.numbers()).refused == 1


async def test_more_requests_than_may_be_at_work_or_wait_are_refused(framing: Framing) -> None:
    probe = Probe()
    limits = Limits(in_flight=1, waiting=0)
    async with listening(probe, framing, limits=limits) as world, world.client() as client:
        await client.send(modern("hang", 1))
        await probe.started.wait()
        refused = await client.ask(modern("echo", 2, text="x"))
        assert (refused["id"], refused["error"]["data"]["refusal"]) == (2, 1060)
        await client.send(cancel(1))
        assert text(await client.ask(modern("echo", 3, text="x"))) == "x"
        assert (await world.numbers()).unavailable == 1


# --- one client and the others --------------------------------------------------------------


async def test_a_connection_that_is_killed_takes_nobody_along() -> None:
    async with listening() as world, world.client() as victim, world.client() as other:
        for client in (victim, other):
            await client.ask(modern("echo", 1, text="x"))
        pids = [each.pid for each in sorted(await connections("tcp"), key=lambda c: c.opened_at)]
        await kill(pids[0])
        assert await victim.receive() is None
        assert text(await other.ask(modern("echo", 2, text="x"))) == "x"


async def test_a_client_that_reads_nothing_is_let_go_and_others_do_not_notice() -> None:
    async with listening(unread=1 << 20) as world:
        (await registry.servers())["probe"].server.tool()(large)
        async with world.client() as slow, world.client() as other:
            messages = [modern("large", n, size=16 << 20) for n in range(4)]
            await slow.send(*messages)
            for n in range(20):
                assert text(await other.ask(modern("echo", n, text="x"))) == "x"
            with trio.fail_after(10):
                while (await world.numbers()).open == 2:
                    await trio.sleep(0.01)
            assert text(await other.ask(modern("echo", 1, text="x"))) == "x"
        assert not [report for report in world.reports if isinstance(report, CrashReport)]


async def test_a_client_that_takes_nothing_for_too_long_is_let_go(
    autojump_clock: MockClock,
) -> None:
    async with listening(idle_timeout=60.0) as world, world.client() as slow:
        (await registry.servers())["probe"].server.tool()(large)
        await slow.send(*(modern("large", n, size=1 << 20) for n in range(20)))
        await trio.sleep(30.0)
        assert (await world.numbers()).open == 1
        await trio.sleep(60.0)
        numbers = await world.numbers()
        assert (numbers.open, numbers.reaped) == (0, 1)


async def test_a_client_that_reads_late_gets_every_answer_and_no_old_news() -> None:
    go = trio.Event()

    async def report(context: Context) -> str:
        """Report much, when told to."""
        await go.wait()
        for number in range(500):
            context.report_progress(number, 500)
        return "reported"

    async with listening() as world, world.client() as client:
        server = (await registry.servers())["probe"].server
        server.tool()(large)
        server.tool()(report)
        await client.ask(wish("s", toolsListChanged=True))
        await client.send(
            modern("report", 1, meta={"progressToken": "p"}), modern("large", 2, size=8 << 20)
        )
        await wait_all_tasks_blocked(0.05)
        go.set()
        for _ in range(10):
            server.tool()(late)
            server.remove_tool("late")
            await wait_all_tasks_blocked()
        await wait_all_tasks_blocked(0.05)
        await client.send(modern("echo", 3, text="x"))
        got = [await client.receive()]
        while not {m.get("id") for m in got} >= {1, 2, 3}:
            got.append(await client.receive())
        methods = [m["method"] for m in got if "method" in m]
        assert methods == ["notifications/tools/list_changed"]


async def test_a_flood_of_garbage_leaves_room_for_others() -> None:
    answered = 0
    passed = []

    async with listening() as world, world.client() as flood, world.client() as other:

        async def pour() -> None:
            while True:
                await flood.stream.send_all(b"x\n" * 30_000)

        async def swallow() -> None:
            nonlocal answered
            while True:
                answered += (await flood.stream.receive_some(1 << 20)).count(b"\n")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(pour)
            nursery.start_soon(swallow)
            for n in range(21):
                before = answered
                assert text(await other.ask(modern("echo", n, text="x"))) == "x"
                passed.append(answered - before)
            nursery.cancel_scope.cancel()
    # One read of the flood holds more than thirty thousand lines.
    assert answered > 500
    assert sorted(passed)[10] < 5000


async def test_nothing_is_left_of_clients_that_come_and_go(framing: Framing) -> None:
    async with listening(framing=framing) as world:
        async with world.client() as client:
            await client.ask(modern("echo", 1, text="x"))
        before = open_descriptors()
        for n in range(30):
            async with world.client() as client:
                await client.send(modern("hang", 1), wish("s", toolsListChanged=True))
                if n % 3 == 0:
                    await client.receive()
                if n % 3 == 1:
                    await client.reset()
        with trio.fail_after(5):
            while (await world.numbers()).open:
                for each in await connections("tcp"):
                    if each.pid is not None:
                        exit_signal(each.pid, "kill")
                await trio.sleep(0.01)
        await until(lambda: open_descriptors() <= before)


# --- time and endings -----------------------------------------------------------------------


async def test_an_idle_client_is_let_go_and_one_that_listens_is_not(
    autojump_clock: MockClock,
) -> None:
    async with (
        listening(idle_timeout=60.0) as world,
        world.client() as idle,
        world.client() as listener,
    ):
        await idle.ask(modern("echo", 1, text="x"))
        await listener.ask(wish("s", toolsListChanged=True))
        await trio.sleep(120.0)
        assert await idle.receive() is None
        (await registry.servers())["probe"].server.tool()(late)
        assert (await listener.receive())["method"] == "notifications/tools/list_changed"


async def test_streams_end_with_their_result_when_the_listener_is_stopped(
    framing: Framing,
) -> None:
    async with listening(framing=framing) as world, world.client() as client:
        await client.ask(wish("s", toolsListChanged=True))
        await terminate_child("node", "tcp")
        cancelled, result = await client.receive(), await client.receive()
        assert cancelled["params"]["requestId"] == "s"
        assert (result["id"], result["result"]["_meta"]) == ("s", {SUBSCRIPTION: "s"})
        assert await client.receive() is None
