"""`upstreams restart`, also while a reload is under way: it acts at once, or says what it waits for."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio

from erlmcp_py.client import Client
from erlmcp_py.config import UpstreamConfig
from erlmcp_py.console import upstreams as console
from erlmcp_py.console.command import CommandError, Context
from erlmcp_py.console.peer import Peer
from erlmcp_py.gateway import overview, reloading
from erlmcp_py.protocol.errors import McpError

from .test_reload import OTHER, Node, in_flight, reloadable
from .upstreams import OLD, program

SILENT = program("import time; time.sleep(3600)")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two readings of a configuration come one after the other."""
    monkeypatch.setattr(reloading, "PAUSE", 0.001)


async def restart(within: float = 30.0, grace: float = 0.0) -> overview.UpstreamRow:
    async def emit(_: Any) -> None:
        raise AssertionError("it tells nothing meanwhile")

    context = Context(None, Peer(1, "me", None), "", emit, lambda _: None)  # type: ignore[arg-type]
    args = {"upstream": "one", "within": within, "grace": grace}
    return await console.restart(context, args)


async def never(client: Client) -> None:
    with suppress(McpError):
        await client.call_tool("never")


async def replaced(node: Node, nursery: trio.Nursery, one: UpstreamConfig) -> None:
    """A reload is under way: others have taken the place of the instances there were."""
    before = (await overview.served())["one"].instances
    node.write({"one": one})
    nursery.start_soon(node.reload)
    while (await overview.served())["one"].instances == before:
        await trio.lowlevel.checkpoint()


async def test_a_restart_is_not_counted_among_the_failures() -> None:
    async with reloadable({"one": program(OLD)}) as node, node.at("one") as client:
        for _ in range(2):
            assert (await restart()).failures == 0
        await client.list_tools()


@pytest.mark.parametrize("pool", [1, 2])
async def test_while_a_reload_waits_for_old_requests_it_acts_at_once(pool: int) -> None:
    async with (
        reloadable({"one": program(OLD, pool=pool)}) as node,
        node.at("one") as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(never, client)
        await in_flight({"one": 1})
        await replaced(node, nursery, program(OTHER, pool=pool))
        for _ in range(2):  # before the new ones have been started, and afterwards
            row = await restart()
            assert [each.state for each in row.instances] == ["up"] * pool
        assert (await overview.served())["one"].meter.figures().lost == 0
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("pool", [1, 2])
async def test_one_that_a_reload_replaces_meanwhile_is_restarted_by_that(pool: int) -> None:
    async with (
        reloadable({"one": program(OLD, pool=pool)}) as node,
        node.at("one") as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(never, client)
        await in_flight({"one": 1})
        before = (await overview.served())["one"].instances
        rows = []

        async def restarts() -> None:
            rows.append(await restart(grace=3600.0))

        async with trio.open_nursery() as restarting:
            restarting.start_soon(restarts)
            while not any(each.rests for each in before):
                await trio.lowlevel.checkpoint()
            await replaced(node, nursery, program(OTHER, pool=pool))
        assert {each.number for each in rows[0].instances}.isdisjoint(
            each.number for each in before
        )
        assert rows[0].state == "up"
        nursery.cancel_scope.cancel()


async def test_one_that_a_reload_removes_meanwhile_is_told() -> None:
    async with (
        reloadable({"one": program(OLD), "two": program(OLD)}) as node,
        node.at("one") as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(never, client)
        await in_flight({"one": 1})
        upstream = (await overview.served())["one"]

        async def restarts() -> None:
            with pytest.raises(CommandError, match="'one' was removed from the configuration"):
                await restart(grace=3600.0)

        async with trio.open_nursery() as restarting:
            restarting.start_soon(restarts)
            while not upstream.instances[0].rests:
                await trio.lowlevel.checkpoint()
            node.write({"two": program(OLD)})
            nursery.start_soon(node.reload)
        nursery.cancel_scope.cancel()


async def test_what_it_waited_for_in_vain_is_said() -> None:
    async with (
        reloadable({"one": program(OLD)}) as node,
        node.at("one") as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(never, client)
        await in_flight({"one": 1})
        with pytest.raises(
            CommandError, match=r"'one' is not restarted: 1 request that .* --grace"
        ):
            await restart(within=0.1, grace=3600.0)
        before = dict.fromkeys((await overview.served())["one"].instances, 1)
        await replaced(node, nursery, SILENT)
        upstream = (await overview.served())["one"]
        told = console.late(upstream, before, 0.1)  # of a restart that the reload came into
        assert "it has not answered yet; a reload has started it anew (waited for 0.1 s)" in told
        silent = r"starting since .*: it has not answered yet \(waited for 0\.1 s\)"
        with pytest.raises(CommandError, match=silent):
            await restart(within=0.1)
        nursery.cancel_scope.cancel()
