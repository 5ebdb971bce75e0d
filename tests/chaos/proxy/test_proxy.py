"""The proxy between real sockets, in virtual time."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
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
    ProxySettings,
    Reset,
    Slicer,
    SlowClose,
    Toxic,
)
from chaos.proxy.pool import ProxyStatistics
from erlmcp_py.transports.net.address import parse_address
from supervisors import (
    CrashReport,
    Report,
    Runtime,
    WarningReport,
    call,
    current_runtime,
    exit_signal,
    monitor,
    receive,
    spawn,
    whereis,
    which_children,
)
from supervisors.testing import wait_all_blocked


class World:
    """A proxy called "web", and the server that it forwards to."""

    def __init__(self, listener: trio.SocketListener, reports: list[Report]) -> None:
        self.listener = listener
        self.reports = reports

    @property
    def upstream(self) -> tuple[str, int]:
        host, port = self.listener.socket.getsockname()
        return host, port

    async def start(self, *toxics: Toxic, **more: Any) -> ProxyStatistics:
        return await proxy.start(
            ProxySettings(
                name="web",
                upstream=self.upstream,
                toxics={each.kind: each for each in toxics},
                **more,
            )
        )

    async def dial(self) -> trio.SocketStream:
        found = await proxy.statistics("web")
        return await trio.open_tcp_stream(*parse_address(found.listen))

    async def pair(self) -> tuple[trio.SocketStream, trio.SocketStream]:
        """The client's and the server's end of a connection."""
        client = await self.dial()
        return client, await self.listener.accept()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    before = descriptors()
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    reports: list[Report] = []
    async with listener, Runtime() as runtime:
        runtime.subscribe(reports.append)
        started = trio.Event()

        async def top() -> None:
            await proxy.Proxies.start_link(name=proxy.PROXIES)
            started.set()
            await trio.sleep_forever()

        spawn(top)
        await started.wait()
        yield World(listener, reports)
    assert descriptors() <= before
    assert not [each for each in reports if isinstance(each, CrashReport) and each.kind != "exit"]


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- a count of names


async def read(stream: trio.SocketStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = await stream.receive_some(count - len(data))
        assert more, f"ended after {data!r}"
        data += more
    return data


async def is_reset(stream: trio.SocketStream) -> bool:
    try:
        while await stream.receive_some():
            pass
    except trio.BrokenResourceError:
        return True
    return False


async def killed(name: str) -> None:
    """Kill, and wait for the next of that name."""
    gone, pid = trio.Event(), whereis(name)
    assert pid is not None

    async def witness() -> None:
        monitor(pid)
        exit_signal(pid, "kill")
        await receive()
        gone.set()

    spawn(witness)
    await gone.wait()
    while whereis(name) in (None, pid):
        await trio.sleep(0.01)
    await wait_all_blocked()


async def gone(count: int = 0) -> ProxyStatistics:
    """Wait until so many connections are open."""
    with trio.fail_after(30):
        while (found := await proxy.statistics("web")).open != count:
            await trio.sleep(0.01)
    return found


async def test_what_passes_is_not_changed_and_either_side_may_finish_first(
    autojump_clock: MockClock, world: World
) -> None:
    await world.start()
    client, server = await world.pair()
    data = os.urandom(300_000)
    async with client, server, trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, data)
        assert await read(server, len(data)) == data
        await client.send_eof()
        assert await server.receive_some() == b""
        nursery.start_soon(server.send_all, data[::-1])
        assert await read(client, len(data)) == data[::-1]
    found = await gone()
    assert (found.accepted, found.bytes_upstream, found.bytes_downstream) == (1, 300_000, 300_000)
    assert found.held == found.resets == 0


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


async def test_a_reset_is_passed_on(autojump_clock: MockClock, world: World) -> None:
    await world.start()
    client, server = await world.pair()
    async with client, server:
        await server.send_all(b"unread")
        await client.wait_send_all_might_not_block()
        await wait_all_blocked()
        await client.aclose()  # with unread bytes, so the system resets
        assert await is_reset(server)
    await gone()


async def test_a_receiver_that_is_gone_is_a_reset_for_its_sender(
    autojump_clock: MockClock, world: World
) -> None:
    await world.start()
    client, server = await world.pair()
    async with client:
        await server.send_eof()
        assert await client.receive_some() == b""
        await server.aclose()
        with pytest.raises(trio.BrokenResourceError):
            for _ in range(100):
                await client.send_all(b"too late")
                await trio.sleep(0.1)
    await gone()


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


async def test_without_upstream_the_client_is_reset_and_somebody_told(
    autojump_clock: MockClock, world: World
) -> None:
    await world.start()
    await world.listener.aclose()
    client = await world.dial()
    async with client:
        assert await is_reset(client)
    assert (await gone()).unreachable == 1
    warnings = [each for each in world.reports if isinstance(each, WarningReport)]
    assert "cannot reach its upstream" in str(warnings[0])


async def test_one_connection_too_many_is_reset(autojump_clock: MockClock, world: World) -> None:
    await world.start(connections=1)
    client, server = await world.pair()
    async with client, server:
        try:
            second = await world.dial()
        except OSError:
            pass  # so soon that there is no connection at all
        else:
            async with second:
                assert await is_reset(second)
        await client.send_all(b"x")
        await read(server, 1)
    assert (await gone()).refused == 1


async def test_upstream_may_be_a_socket_in_the_file_system(
    autojump_clock: MockClock, world: World, tmp_path: Path
) -> None:
    sock = trio.socket.socket(trio.socket.AF_UNIX)
    await sock.bind(str(tmp_path / "socket"))
    sock.listen()
    async with trio.SocketListener(sock) as listener:
        await proxy.start(ProxySettings(name="web", upstream=(f"unix:{tmp_path}/socket", 0)))
        async with await world.dial() as client, await listener.accept() as server:
            await client.send_all(b"x")
            assert await read(server, 1) == b"x"


async def test_stop_closes_everything(autojump_clock: MockClock, world: World) -> None:
    await world.start()
    client, server = await world.pair()
    async with client, server:
        address = (await proxy.statistics("web")).listen
        await proxy.stop("web")
        assert await client.receive_some() == b""
        assert await server.receive_some() == b""
    with pytest.raises(OSError, match=r"."):
        await trio.open_tcp_stream(*parse_address(address))
    with pytest.raises(ProxyError, match="no proxy 'web'; there are none"):
        await proxy.stop("web")


@pytest.mark.parametrize("victim", ["chaos_proxy_web", "chaos_proxy_web_connections"])
async def test_a_killed_proxy_comes_back_at_its_address_with_its_toxics(
    autojump_clock: MockClock, world: World, victim: str
) -> None:
    before = await world.start(Latency(delay=3.0))
    client, server = await world.pair()
    await killed(victim)
    async with client, server:
        assert await client.receive_some() == b""
        assert await server.receive_some() == b""
    after = await proxy.statistics("web")
    assert (after.listen, after.toxics) == (before.listen, before.toxics)
    client, server = await world.pair()
    async with client, server:
        began = trio.current_time()
        await client.send_all(b"x")
        await read(server, 1)
        assert trio.current_time() - began >= 3.0


async def test_a_killed_acceptor_disturbs_nobody(autojump_clock: MockClock, world: World) -> None:
    await world.start()
    client, server = await world.pair()
    top = whereis("chaos_proxy_web")
    assert top is not None
    (acceptor,) = [each.pid for each in await which_children(top) if each.id == "acceptor"]
    exit_signal(acceptor, "kill")
    async with client, server:
        await client.send_all(b"x")
        await read(server, 1)
        second, second_server = await world.pair()
        await second.aclose()
        await second_server.aclose()


async def test_a_killed_connection_takes_nobody_along(
    autojump_clock: MockClock, world: World
) -> None:
    await world.start()
    client, server = await world.pair()
    other, other_server = await world.pair()
    first = (await call("chaos_proxy_web_connections", "which_children"))[1][0].pid
    exit_signal(first, "kill")
    async with client, server, other, other_server:
        assert await client.receive_some() == b""
        await other.send_all(b"x")
        await read(other_server, 1)
    await gone()


async def test_a_connection_that_was_killed_before_it_began_leaves_no_socket_open(
    autojump_clock: MockClock, world: World
) -> None:
    await world.start()
    pool = whereis("chaos_proxy_web_connections")
    assert pool is not None
    for victim in ("connection", "pool"):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        started = await call(pool, ("start", theirs, "somebody"))
        exit_signal(started if victim == "connection" else pool, "kill")
        async with trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as client:
            assert await client.receive_some() == b""
        del theirs
    while whereis("chaos_proxy_web_connections") in (None, pool):
        await trio.sleep(0.01)


async def test_what_makes_no_proxy(autojump_clock: MockClock, world: World) -> None:
    await world.start()
    taken = parse_address((await proxy.statistics("web")).listen)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"name": "web"}, "already"),
        ({"name": "A proxy"}, "at most 40"),
        ({"name": "b", "listen": taken}, "in use"),
        ({"name": "b", "listen": ("192.0.2.1", 0)}, "no address of this machine"),
        ({"name": "b", "listen": ("127.0.0.1", 1), "upstream": ("127.0.0.1", 1)}, "itself|may not"),
    ]
    for more, text in cases:
        with pytest.raises(ProxyError, match=text):
            await proxy.start(ProxySettings(**{"upstream": world.upstream, **more}))
    assert await proxy.names() == ["web"]


async def test_in_a_tree_of_ones_own(autojump_clock: MockClock, world: World) -> None:
    started = trio.Event()

    async def top() -> None:
        spec = proxy.child_spec(ProxySettings(name="own", upstream=world.upstream))
        function, args = spec.start
        await function(*args)
        started.set()
        await trio.sleep_forever()

    spawn(top)
    await started.wait()
    assert (await proxy.statistics("own")).open == 0
    assert len(current_runtime().processes()) > 3
