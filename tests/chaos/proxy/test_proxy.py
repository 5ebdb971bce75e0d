"""The proxy between real sockets, in virtual time: what passes, who is refused, when it stops."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from chaos import proxy
from chaos.proxy import ProxyError, ProxySettings
from erlmcp_py.transports.net.address import parse_address
from supervisors import WarningReport, current_runtime, spawn
from supervisors.testing import wait_all_blocked

from .world import World, gone, is_reset, read


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
