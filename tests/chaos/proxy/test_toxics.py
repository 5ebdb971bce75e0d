"""What each toxic does to a connection, and toxics set, changed and removed while one is open."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from chaos import proxy
from chaos.proxy import (
    Bandwidth,
    HalfOpen,
    Latency,
    LimitData,
    ProxyError,
    Reset,
    Slicer,
    SlowClose,
)

from .world import World, gone, is_reset, read


async def test_latency_of_one_direction(autojump_clock: MockClock, world: World) -> None:
    await world.start(Latency(delay=2.0, direction="downstream"))
    client, server = await world.pair()
    async with client, server:
        began = trio.current_time()
        await client.send_all(b"ping")
        await read(server, 4)
        there = trio.current_time()
        await server.send_all(b"pong")
        await read(client, 4)
        back = trio.current_time()
    assert there - began < 0.5
    assert 2.0 <= back - there < 2.5


async def test_single_bytes_arrive_as_such(autojump_clock: MockClock, world: World) -> None:
    await world.start(Slicer())
    client, server = await world.pair()
    async with client, server:
        await client.send_all(b"abcdef")
        assert [await server.receive_some() for _ in range(6)] == [b"%c" % c for c in b"abcdef"]


async def test_a_slow_way_holds_the_sender_back(autojump_clock: MockClock, world: World) -> None:
    await world.start(Bandwidth(rate=1000, direction="upstream"))
    client, server = await world.pair()
    async with client, server:
        sent = 0
        with trio.move_on_after(5):
            while True:
                await client.send_all(bytes(10_000))
                sent += 10_000
        found = await proxy.statistics("web")
        assert 4000 <= found.bytes_upstream <= 5100
        assert found.held < 128 * 1024
        await proxy.remove_toxic("web")
        assert len(await read(server, sent)) == sent


@pytest.mark.parametrize("direction", ["upstream", "downstream"])
async def test_reset_reaches_both_sides(
    autojump_clock: MockClock, world: World, direction: Any
) -> None:
    await world.start(Reset(after=3, direction=direction))
    client, server = await world.pair()
    async with client, server:
        sender = client if direction == "upstream" else server
        await sender.send_all(b"abcdef")
        assert await is_reset(client)
        assert await is_reset(server)
    found = await gone()
    assert (found.resets, found.bytes_upstream + found.bytes_downstream) == (1, 3)


async def test_limit_data_is_an_orderly_end_for_both(
    autojump_clock: MockClock, world: World
) -> None:
    await world.start(LimitData(after=3, direction="downstream"))
    client, server = await world.pair()
    async with client, server:
        await server.send_all(b"abcdef")
        assert await read(client, 3) == b"abc"
        assert await client.receive_some() == b""
        assert await server.receive_some() == b""
    assert (await gone()).closes == 1


async def test_an_orderly_end_is_one_also_for_who_has_sent_what_nobody_read(
    autojump_clock: MockClock, world: World
) -> None:
    await world.start(HalfOpen(direction="upstream"), LimitData(after=3, direction="downstream"))
    client, server = await world.pair()
    async with client, server:
        await client.send_all(bytes(150_000))
        await server.send_all(b"abcdef")
        assert await read(client, 3) == b"abc"
        assert await client.receive_some() == b""
    await gone()


async def test_half_open_tells_nobody_anything_until_it_heals(
    autojump_clock: MockClock, world: World
) -> None:
    await world.start(HalfOpen(after=2))
    client, server = await world.pair()
    async with client, server:
        await client.send_all(b"abc")
        await client.send_eof()
        assert await read(server, 2) == b"ab"
        with trio.move_on_after(3600):
            raise AssertionError(await server.receive_some())
        await proxy.remove_toxic("web", "half_open")
        assert await read(server, 1) == b"c"
        assert await server.receive_some() == b""


async def test_a_half_open_connection_that_both_have_left_is_let_go(
    autojump_clock: MockClock, world: World
) -> None:
    await world.start(HalfOpen())
    client, server = await world.pair()
    other, other_server = await world.pair()
    for stream in (client, server):
        await stream.send_all(b"x" * 1000)
    await client.aclose()
    await trio.sleep(60)
    assert (await proxy.statistics("web")).open == 2
    await server.aclose()
    await gone(1)
    # So full that the end behind what is unread is not read.
    with trio.move_on_after(1):
        await other_server.send_all(bytes(150_000))
    await other_server.aclose()
    await other.aclose()
    await gone()


async def test_a_slow_close(autojump_clock: MockClock, world: World) -> None:
    await world.start(SlowClose(delay=7.0))
    client, server = await world.pair()
    async with client, server:
        began = trio.current_time()
        await client.send_eof()
        assert await server.receive_some() == b""
        assert 7.0 <= trio.current_time() - began < 8.0


async def test_a_toxic_hits_a_share_of_the_connections_the_same_ones_every_time(
    autojump_clock: MockClock,
    world: World,
) -> None:
    hit: list[set[int]] = []
    for toxicity in (0.0, 0.5, 0.5, 0.7, 1.0):
        await world.start(Reset(toxicity=toxicity), seed=11)
        hit.append(set())
        for number in range(30):
            client, server = await world.pair()
            async with client, server:
                await server.send_eof()
                if await is_reset(client):
                    hit[-1].add(number)
        await proxy.stop("web")
    none, half, again, more, all = hit
    assert none == set() and all == set(range(30))
    assert half == again and half < more
    assert 5 < len(half) < 25


async def test_a_toxic_is_set_changed_and_removed_while_connections_are_open(
    autojump_clock: MockClock, world: World
) -> None:
    await world.start()
    client, server = await world.pair()
    async with client, server:
        for delay in (5.0, 50.0):
            await proxy.set_toxic("web", Latency(delay=delay))
            began = trio.current_time()
            await client.send_all(b"x")
            await read(server, 1)
            assert delay <= trio.current_time() - began < delay + 1
        assert (await proxy.statistics("web")).toxics == {"latency": Latency(delay=50.0)}
        began = trio.current_time()
        await client.send_all(b"x")
        assert await proxy.remove_toxic("web", "latency") == 1
        await read(server, 1)
        assert trio.current_time() - began < 1
        await proxy.set_toxic("web", Latency(delay=1.0), "first")
        await proxy.set_toxic("web", Latency(delay=2.0), "second")
        began = trio.current_time()
        await client.send_all(b"x")
        await read(server, 1)
        assert 3.0 <= trio.current_time() - began < 3.5
        assert await proxy.remove_toxic("web") == 2


async def test_toxics_have_a_limit(autojump_clock: MockClock, world: World) -> None:
    await world.start()
    for number in range(32):
        await proxy.set_toxic("web", Latency(), f"{number}")
    with pytest.raises(ProxyError, match="remove one"):
        await proxy.set_toxic("web", Latency(), "32")
    await proxy.set_toxic("web", Latency(delay=2.0), "31")
