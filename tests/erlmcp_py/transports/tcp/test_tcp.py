"""Clients on TCP, in both framings: what is not so on every transport (`test_two_way.py` has that)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from erlmcp_py import registry, subscriptions
from erlmcp_py.transports.net.supervisor import connections
from supervisors import exit_signal
from tests.erlmcp_py.transports.messages import (
    SUBSCRIPTION,
    late,
    modern,
    text,
    wish,
)
from tests.erlmcp_py.transports.node import Probe, open_descriptors, until
from tests.erlmcp_py.transports.tcp.client import Framing, TcpClient, listening


@pytest.fixture(params=["newline", "length"])
def framing(request: pytest.FixtureRequest) -> Framing:
    return request.param  # type: ignore[no-any-return]


# --- what a client can do -------------------------------------------------------------------


async def test_a_subscription_ends_when_its_server_is_served_no_more(framing: Framing) -> None:
    async with listening(framing=framing) as world, world.client() as client:
        await client.query(wish("s", toolsListChanged=True))
        subscriptions.end("probe")
        cancelled, result = await client.receive(), await client.receive()
        assert cancelled["params"] == {"requestId": "s", "reason": "the server is served no more"}
        assert (result["id"], result["result"]["_meta"]) == ("s", {SUBSCRIPTION: "s"})
        assert "result" in await client.query(modern("echo", "s", text="the id is free again"))


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
        assert text(await client.query(modern("echo", 1, text="x"))) == "x"


async def test_a_listener_is_bound_to_a_server_as_every_transport_is() -> None:
    async with listening() as world, world.client() as client:
        await registry.bind("tcp", "nobody")
        error = (await client.query(modern("echo", text="x")))["error"]
        assert error["code"] == -32603
        assert "'nobody', which is not there" in error["message"]
        await registry.bind("tcp", "probe")
        assert text(await client.query(modern("echo", text="x"))) == "x"


async def test_half_closed_clients_get_the_answers_they_wait_for(framing: Framing) -> None:
    async with listening(framing=framing) as world, world.client() as client:
        await client.query(wish("s", toolsListChanged=True))
        await client.say(modern("patient", 1, seconds=0.05), modern("echo", 2, text="x"))
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
            await client.say(modern("hang", 1))
            await probe.started.wait()
            await client.reset()
        with trio.fail_after(5):
            await probe.cancelled.wait()
            while (await world.numbers()).open:
                await trio.sleep(0.01)


# --- what is refused ------------------------------------------------------------------------


async def test_a_message_that_is_too_long_is_refused_and_skipped(framing: Framing) -> None:
    async with listening(framing=framing, message_limit=1000) as world, world.client() as client:
        await client.say(b'"' + b"x" * 100_000 + b'"', modern("echo", 2, text="x"))
        refused = await client.receive()
        assert (refused["error"]["code"], refused["error"]["data"]["refusal"]) == (-32600, 1068)
        assert text(await client.receive()) == "x"


async def test_a_client_with_the_other_framing_is_told_so(framing: Framing) -> None:
    async with listening(framing=framing) as world, world.client() as client:
        other = TcpClient(client.stream, "length" if framing == "newline" else "newline")
        await other.say(modern("echo", 1, text="x"))
        refused = await client.receive()
        assert "this listener reads" in refused["error"]["message"]
        assert await client.receive() is None


async def test_one_connection_too_many_is_told_so_and_closed(framing: Framing) -> None:
    async with listening(framing=framing, max_connections=1) as world, world.client() as first:
        await first.query(modern("echo", 1, text="x"))
        async with world.client() as second:
            refused = await second.receive()
            assert refused["error"]["data"]["refusal"] == 1089
            assert await second.receive() is None
        assert text(await first.query(modern("echo", 2, text="x"))) == "x"
        assert (await world.numbers()).refused == 1


# --- one client and the others --------------------------------------------------------------


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
                assert text(await other.query(modern("echo", n, text="x"))) == "x"
                passed.append(answered - before)
            nursery.cancel_scope.cancel()
    # One read of the flood holds more than thirty thousand lines.
    assert answered > 500
    assert sorted(passed)[10] < 5000


async def test_nothing_is_left_of_clients_that_come_and_go(framing: Framing) -> None:
    async with listening(framing=framing) as world:
        async with world.client() as client:
            await client.query(modern("echo", 1, text="x"))
        before = open_descriptors()
        for n in range(30):
            async with world.client() as client:
                await client.say(modern("hang", 1), wish("s", toolsListChanged=True))
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
        await idle.query(modern("echo", 1, text="x"))
        await listener.query(wish("s", toolsListChanged=True))
        await trio.sleep(120.0)
        assert await idle.receive() is None
        (await registry.servers())["probe"].server.tool()(late)
        assert (await listener.receive())["method"] == "notifications/tools/list_changed"
