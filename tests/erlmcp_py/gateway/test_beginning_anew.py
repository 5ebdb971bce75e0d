"""A restart that an operator has asked for: nobody fails over it who need not."""

from __future__ import annotations

import pytest
import trio

from erlmcp_py.gateway import overview
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.protocol.errors import McpError

from .upstreams import OLD, gateway, program, said

LATER = OLD.replace('elif name == "slow":', 'elif name == "slow":\n            time.sleep(0.3)')
"""Its tool `slow` takes a while."""


async def one() -> Upstream:
    return (await overview.served())["one"]


async def renew(upstream: Upstream, grace: float) -> None:
    for instance in upstream.instances:
        try:
            assert await instance.begin_anew("somebody has said so", grace)
        finally:
            upstream.tell()


async def busy(upstream: Upstream) -> None:
    with trio.fail_after(30):
        while not upstream.instances[0].at_work:
            await trio.sleep(0.01)


async def test_what_has_begun_ends_and_what_comes_waits_for_the_new_program() -> None:
    pids = []
    async with gateway({"one": program(LATER)}) as node, node.at("one") as client:
        upstream = await one()
        before = said(await client.call_tool("pid"))

        async def slow() -> None:
            assert said(await client.call_tool("slow", on_progress=lambda _: None)) == "done"

        async def pid() -> None:
            pids.append(said(await client.call_tool("pid")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(slow)
            await busy(upstream)
            nursery.start_soon(renew, upstream, 30.0)
            with trio.fail_after(30):
                while not upstream.instances[0].rests:
                    await trio.lowlevel.checkpoint()
            nursery.start_soon(pid)
        assert len(pids) == 1
        assert pids != [before]
        assert upstream.meter.figures().errors == 0


async def test_what_takes_longer_than_its_time_is_told_why() -> None:
    async with gateway({"one": program(OLD)}) as node, node.at("one") as client:
        upstream = await one()

        async def never() -> None:
            with pytest.raises(McpError, match="somebody has said so"):
                await client.call_tool("never")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(never)
            await busy(upstream)
            await renew(upstream, 0.1)
        assert said(await client.call_tool("count")) == "0"


async def test_who_goes_away_while_it_rests_leaves_it_as_it_was() -> None:
    async with gateway({"one": program(OLD)}) as node, node.at("one") as client:
        upstream = await one()
        before = said(await client.call_tool("pid"))
        async with trio.open_nursery() as nursery:

            async def never() -> None:
                await client.call_tool("never")

            nursery.start_soon(never)
            await busy(upstream)
            with trio.move_on_after(0.1):
                await renew(upstream, 3600.0)
            with trio.fail_after(30):
                assert said(await client.call_tool("pid")) == before
            nursery.cancel_scope.cancel()


async def test_a_pool_goes_on_while_its_instances_take_turns() -> None:
    async with gateway({"one": program(OLD, pool=2)}) as node, node.at("one") as client:
        upstream = await one()
        with trio.fail_after(30):
            while not all(each.is_up for each in upstream.instances):
                await trio.sleep(0.01)
        before = {each.standing().pid for each in upstream.instances}
        over = trio.Event()

        async def call() -> None:
            while not over.is_set():
                await client.call_tool("echo")

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(call)
            await renew(upstream, 30.0)
            over.set()
        assert before.isdisjoint(each.standing().pid for each in upstream.instances)
        assert upstream.meter.figures().errors == 0
        assert not any(each.is_down for each in upstream.instances)
