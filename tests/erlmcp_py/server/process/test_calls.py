"""The server process on the real kernel: slow calls, timeouts, threads that hang, cancellation."""

from typing import Any

import trio
import trio.testing
from trio.testing import MockClock

import supervisors
from erlmcp_py.server import Server
from erlmcp_py.server.at_work import MAX_THREADS
from erlmcp_py.server.process import Cancel

from ..conftest import Connect, Peer
from .conftest import Gate, call_tool, run_as_process


async def test_slow_calls_do_not_hold_up_others(
    autojump_clock: MockClock, server: Server, connect: Connect
) -> None:
    peer = await connect(server)
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(call_tool, peer, number, "slow_add", {"a": 1, "b": 1})
        await trio.sleep(0.5)
        assert (await peer.info())["in_flight"] == 20
        await peer.tool("add", a=1, b=1)
        assert trio.current_time() == started + 0.5
    assert trio.current_time() == started + 1
    assert (await peer.info())["in_flight"] == 0


async def test_a_timeout_does_not_wait_for_a_handler_that_resists(
    autojump_clock: MockClock, server: Server, connect: Connect
) -> None:
    peer = await connect(server)
    started = trio.current_time()
    assert await peer.failure("stubborn") == "Tool 'stubborn' timed out after 2.5 s"
    assert trio.current_time() == started + 2.5


async def test_a_thread_that_hangs_is_abandoned_and_told(
    autojump_clock: MockClock, server: Server, connect: Connect, gate: Gate
) -> None:
    peer = await connect(server)
    answer = await peer.result("tools/call", {"name": "wait_in_thread"}, token="t")
    assert answer["content"][0]["text"] == "Tool 'wait_in_thread' timed out after 5 s"
    gate.opened.set()
    await trio.to_thread.run_sync(gate.told.wait)
    assert peer.notifications == []


async def test_hanging_threads_do_not_take_the_threads_of_others(
    autojump_clock: MockClock, server: Server, connect: Connect, gate: Gate
) -> None:
    peer = await connect(server)
    async with trio.open_nursery() as nursery:
        for number in range(MAX_THREADS + 1):
            nursery.start_soon(call_tool, peer, number, "wait_in_thread", {})
    other = await connect(server)
    assert "ValueError" in await other.failure("crash_in_thread")
    gate.opened.set()


class TestCancellation:
    async def start(self, peer: Peer, name: str, id: int) -> supervisors.RequestId:
        request = supervisors.send_request(
            peer.pid, peer.dispatch("tools/call", {"name": name}, id=id)
        )
        await trio.testing.wait_all_tasks_blocked()
        return request

    async def test_it_kills_the_process_of_the_call(
        self, autojump_clock: MockClock, server: Server, connect: Connect
    ) -> None:
        peer = await connect(server)
        done: list[Any] = []

        async def client() -> None:
            one = await self.start(peer, "hang", 1)
            two = await self.start(peer, "hang", 2)
            calls = {
                pid
                for pid in supervisors.current_runtime().processes()
                if supervisors.process_info(pid).label == "test/tools/call:hang"
            }
            assert len(calls) == 2
            supervisors.cast(peer.pid, Cancel((peer.pid, 1), "changed my mind"))
            answer = await supervisors.receive()
            await trio.testing.wait_all_tasks_blocked()
            done.append((answer[:2], answer[2].error.message))
            assert answer[1] == one
            assert sum(map(supervisors.is_alive, calls)) == 1
            assert (await peer.info())["tools"]["hang"]["in_flight"] == 1
            supervisors.cast(peer.pid, Cancel((peer.pid, 1)))
            answer = await supervisors.receive()
            assert answer[1] == two
            done.append(answer[2].result.content[0].text)

        await run_as_process(client)
        assert done[0][1] == "The request was cancelled: changed my mind"
        assert done[1] == "Tool 'hang' timed out after 2.5 s"
        counters = (await peer.info())["tools"]["hang"]
        assert (counters["cancelled"], counters["timeouts"], counters["in_flight"]) == (1, 1, 0)

    async def test_an_unknown_key_is_nothing(self, server: Server, connect: Connect) -> None:
        peer = await connect(server)
        supervisors.cast(peer.pid, Cancel((peer.pid, 77)))
        assert await peer.tool("add", a=1, b=1)
