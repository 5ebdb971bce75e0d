"""Any process of a proxy may be killed: what comes back, who is disturbed, what stays open."""

from __future__ import annotations

import socket

import pytest
import trio
from trio.testing import MockClock

from chaos import proxy
from chaos.proxy import Latency
from supervisors import Pid, call, exit_signal, whereis, which_children
from supervisors.testing import end_of, wait_all_blocked

from .world import World, gone, read


async def killed(name: str) -> None:
    """Kill, and wait for the next of that name."""
    pid = whereis(name)
    assert pid is not None
    await end_of(pid, lambda: exit_signal(pid, "kill"))
    await restarted(name, pid)
    await wait_all_blocked()


async def restarted(name: str, pid: Pid) -> None:
    """Wait until another than `pid` has the name."""
    with trio.fail_after(30):
        while whereis(name) in (None, pid):
            await trio.sleep(0.01)


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
    await restarted("chaos_proxy_web_connections", pool)
