"""Clients on TCP, in both framings, and on WebSocket: what all of them can do, and what none can do to others."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from erlmcp_py import registry
from erlmcp_py.server import Context
from erlmcp_py.transports.conversation import Limits
from erlmcp_py.transports.net.supervisor import connections
from supervisors import CrashReport, terminate_child
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
from tests.erlmcp_py.transports.node import Probe, kill
from tests.erlmcp_py.transports.two_way import Way, listening, transport


@pytest.fixture(params=["newline", "length", "websocket"])
def way(request: pytest.FixtureRequest) -> Way:
    return request.param  # type: ignore[no-any-return]


# --- what a client can do -------------------------------------------------------------------


async def test_a_modern_client(way: Way) -> None:
    async with listening(way) as world, world.client() as client:
        answer = await client.query(modern("echo", "a", text="hällo 🎉"))
        assert (answer["id"], text(answer)) == ("a", "hällo 🎉")
        assert answer["result"]["resultType"] == "complete"
        await client.say(modern("steps", 1, count=2, meta={"progressToken": "p"}))
        methods = [(await client.receive()).get("method") for _ in range(3)]
        assert methods == ["notifications/progress", "notifications/progress", None]


async def test_a_legacy_client_is_asked_and_told_of_changes(way: Way) -> None:
    async with listening(way) as world, world.client() as client:
        hello = initialize("2025-06-18")
        hello["params"]["capabilities"] = {"elicitation": {}}
        assert (await client.query(hello))["result"]["protocolVersion"] == "2025-06-18"
        (await registry.servers())["probe"].server.tool()(ask_name)
        assert (await client.receive())["method"] == "notifications/tools/list_changed"
        question = await client.query(legacy_call("ask_name", 7))
        assert question["method"] == "elicitation/create"
        content = {"action": "accept", "content": {"name": "Ada"}}
        answer = await client.query({"jsonrpc": "2.0", "id": question["id"], "result": content})
        assert (answer["id"], text(answer)) == (7, "Ada")


async def test_subscriptions_and_cancellation(way: Way) -> None:
    probe = Probe()
    async with listening(way, probe) as world, world.client() as client:
        acknowledged = await client.query(wish("s", toolsListChanged=True))
        assert acknowledged["params"]["_meta"] == {SUBSCRIPTION: "s"}
        (await registry.servers())["probe"].server.tool()(late)
        assert (await client.receive())["method"] == "notifications/tools/list_changed"
        await client.say(modern("hang", 5))
        await probe.started.wait()
        await client.say(cancel(5), cancel("s"))
        with trio.fail_after(5):
            await probe.cancelled.wait()
        assert (await client.query(modern("echo", 5, text="x")))["id"] == 5


async def test_many_pipelined_requests(way: Way) -> None:
    async with listening(way, limits=Limits(in_flight=7)) as world:
        async with world.client() as client, trio.open_nursery() as nursery:
            messages = [
                modern(("echo", "later")[n % 2], n, text=str(n) * (n % 900)) for n in range(500)
            ]
            nursery.start_soon(client.say, *messages)
            answers = [await client.receive() for _ in range(500)]
        assert {a["id"]: text(a) for a in answers} == {n: str(n) * (n % 900) for n in range(500)}
        handshakes = 1 if way == "websocket" else 0
        assert (await world.numbers()).requests == 500 + handshakes


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"{nonsense", -32700), (b"[]", -32600), (b'{"jsonrpc":"2.0","id":3}', -32600)],
)
async def test_what_is_no_message_is_answered_and_the_next_one_works(
    way: Way, data: bytes, code: int
) -> None:
    async with listening(way) as world, world.client() as client:
        for _ in range(2):  # as the first message, and behind a good one
            assert (await client.query(data))["error"]["code"] == code
            await client.say(b"", b"  ")
            assert text(await client.query(modern("echo", text="x"))) == "x"


async def test_more_requests_than_may_be_at_work_or_wait_are_refused(way: Way) -> None:
    probe = Probe()
    limits = Limits(in_flight=1, waiting=0)
    async with listening(way, probe, limits=limits) as world, world.client() as client:
        await client.say(modern("hang", 1))
        await probe.started.wait()
        refused = await client.query(modern("echo", 2, text="x"))
        assert (refused["id"], refused["error"]["data"]["refusal"]) == (2, 1060)
        await client.say(cancel(1))
        assert text(await client.query(modern("echo", 3, text="x"))) == "x"
        assert (await world.numbers()).unavailable == 1


# --- one client and the others --------------------------------------------------------------


async def test_a_connection_that_is_killed_takes_nobody_along(way: Way) -> None:
    async with listening(way) as world, world.client() as victim, world.client() as other:
        for client in (victim, other):
            await client.query(modern("echo", 1, text="x"))
        opened = sorted(await connections(transport(way)), key=lambda each: each.opened_at)
        await kill(opened[0].pid)
        assert await victim.receive() is None
        assert text(await other.query(modern("echo", 2, text="x"))) == "x"


async def test_a_client_that_reads_nothing_is_let_go_and_others_do_not_notice(way: Way) -> None:
    async with listening(way, unread=1 << 20) as world:
        (await registry.servers())["probe"].server.tool()(large)
        async with world.client() as slow, world.client() as other:
            await slow.say(*(modern("large", n, size=16 << 20) for n in range(4)))
            for n in range(20):
                assert text(await other.query(modern("echo", n, text="x"))) == "x"
            with trio.fail_after(10):
                while (await world.numbers()).open == 2:
                    await trio.sleep(0.01)
            assert text(await other.query(modern("echo", 1, text="x"))) == "x"
        assert not [report for report in world.reports if isinstance(report, CrashReport)]


async def test_a_client_that_takes_nothing_for_too_long_is_let_go(
    way: Way, autojump_clock: MockClock
) -> None:
    async with listening(way, idle_timeout=60.0) as world, world.client() as slow:
        (await registry.servers())["probe"].server.tool()(large)
        await slow.say(*(modern("large", n, size=1 << 20) for n in range(20)))
        await trio.sleep(30.0)
        assert (await world.numbers()).open == 1
        await trio.sleep(60.0)
        numbers = await world.numbers()
        assert (numbers.open, numbers.reaped) == (0, 1)


async def test_a_client_that_reads_late_gets_every_answer_and_no_old_news(way: Way) -> None:
    go = trio.Event()

    async def report(context: Context) -> str:
        """Report much, when told to."""
        await go.wait()
        for number in range(500):
            context.report_progress(number, 500)
        return "reported"

    async with listening(way) as world, world.client() as client:
        server = (await registry.servers())["probe"].server
        server.tool()(large)
        server.tool()(report)
        await client.query(wish("s", toolsListChanged=True))
        await client.say(
            modern("report", 1, meta={"progressToken": "p"}), modern("large", 2, size=8 << 20)
        )
        await wait_all_tasks_blocked(0.05)
        go.set()
        for _ in range(10):
            server.tool()(late)
            server.remove_tool("late")
            await wait_all_tasks_blocked()
        await wait_all_tasks_blocked(0.05)
        await client.say(modern("echo", 3, text="x"))
        got = [await client.receive()]
        while not {m.get("id") for m in got} >= {1, 2, 3}:
            got.append(await client.receive())
        methods = [m["method"] for m in got if "method" in m]
        assert methods == ["notifications/tools/list_changed"]


# --- endings --------------------------------------------------------------------------------


async def test_streams_end_with_their_result_when_the_listener_is_stopped(way: Way) -> None:
    async with listening(way) as world, world.client() as client:
        await client.query(wish("s", toolsListChanged=True))
        await terminate_child("node", transport(way))
        cancelled, result = await client.receive(), await client.receive()
        assert cancelled["params"]["requestId"] == "s"
        assert (result["id"], result["result"]["_meta"]) == ("s", {SUBSCRIPTION: "s"})
        if way == "websocket":
            assert await client.code() == 1001
        else:
            assert await client.receive() is None
