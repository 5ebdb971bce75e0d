"""What operators are told of upstreams, against what clients have seen."""

from __future__ import annotations

import time

import pytest
import trio

from erlmcp_py.client import Client
from erlmcp_py.gateway import overview
from erlmcp_py.gateway.overview import UpstreamRow
from erlmcp_py.protocol.errors import McpError

from .upstreams import OLD, gateway, program, said


async def row(name: str) -> UpstreamRow:
    rows = await overview.rows((await overview.served()).values(), time.time())
    (found,) = [each for each in rows if each.name == name]
    return found


async def at_work(client: Client) -> None:
    with trio.CancelScope():
        await client.call_tool("never")


async def until(name: str, **wanted: int) -> UpstreamRow:
    with trio.fail_after(30):
        while True:
            found = await row(name)
            if all(getattr(found, key) == value for key, value in wanted.items()):
                return found
            await trio.sleep(0.01)


async def test_answers_refusals_and_what_is_lost_are_told_apart() -> None:
    config = program(OLD, timeout=0.5, ping_interval=3600.0)
    async with gateway({"one": config}) as node, node.at("one") as client:
        await client.call_tool("echo")
        found = await row("one")
        assert (found.requests, found.errors, found.lost) == (1, 0, 0)
        assert found.p50 is not None and 0 < found.p50 == found.p99
        with pytest.raises(McpError, match="no such tool"):
            await client.call_tool("nothing")
        found = await row("one")
        assert (found.requests, found.errors, found.lost) == (2, 1, 0)
        with pytest.raises(McpError, match=r"no answer within 0\.5 s"):
            await client.call_tool("never")
        found = await row("one")
        assert (found.requests, found.errors, found.lost) == (3, 2, 1)
        with pytest.raises(McpError, match="ended with status 7"):
            await client.call_tool("die")
        found = await row("one")
        assert (found.requests, found.errors, found.lost) == (4, 3, 2)


async def test_what_a_client_cancels_is_no_error() -> None:
    async with gateway({"one": program(OLD)}) as node, node.at("one") as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(at_work, client)
            while said(await client.call_tool("count")) != "1":
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        found = await until("one", in_flight=0)
        assert found.errors == 0


async def test_who_is_at_work_and_who_waits() -> None:
    upstreams = {"one": program(OLD, concurrency=1), "two": program(OLD)}
    async with gateway(upstreams) as node, node.at("one") as client:
        await until("one", in_flight=0)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(at_work, client)
            await until("one", in_flight=1, waiting=2)
            assert (await row("two")).waiting == 0
            nursery.cancel_scope.cancel()
        await until("one", in_flight=0, waiting=0)


async def test_the_order_is_that_of_the_configuration() -> None:
    async with gateway({name: program(OLD, on_demand=True) for name in ("b", "c", "a")}):
        assert list(await overview.served()) == ["b", "c", "a"]
