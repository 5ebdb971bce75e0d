"""`max_concurrency`: so many run, so many wait in order, the others are refused."""

import math
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

import supervisors
from erlmcp_py.server import Server
from erlmcp_py.server.process import Cancel

from .conftest import Connect, Peer


class Door:
    """Handlers wait here; the test sees who is in and lets them go."""

    def __init__(self) -> None:
        self.entered: list[int] = []
        self.inside: set[int] = set()
        self.open = trio.Event()

    def server(self, **options: Any) -> Server:
        server = Server("limited", version="1.0")

        @server.tool(**options)
        async def enter(number: int) -> int:
            self.entered.append(number)
            self.inside.add(number)
            try:
                await self.open.wait()
            finally:
                self.inside.discard(number)
            return number

        return server


async def call(peer: Peer, number: int, answers: dict[int, str]) -> None:
    params = {"name": "enter", "arguments": {"number": number}}
    result = await peer.result("tools/call", params, id=number)
    answers[number] = result["content"][0]["text"]


async def test_calls_wait_in_order_and_are_refused_beyond(
    connect: Connect, autojump_clock: MockClock
) -> None:
    door = Door()
    peer = await connect(door.server(max_concurrency=2, max_waiting=3))
    answers: dict[int, str] = {}
    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(call, peer, number, answers)
            await trio.testing.wait_all_tasks_blocked()
        assert door.entered == [0, 1]
        assert answers == {5: "Tool 'enter' is busy: 2 calls run and 3 wait; try again later"}
        door.open.set()
    assert (set(door.entered[2:4]), door.entered[4:]) == ({2, 3}, [4])
    assert {number: answers[number] for number in range(5)} == {n: str(n) for n in range(5)}
    counters = (await peer.info())["tools"]["enter"]
    assert (counters["calls"], counters["errors"], counters["in_flight"]) == (6, 1, 0)
    again: dict[int, str] = {}
    await call(peer, 9, again)
    assert again == {9: "9"}


async def test_one_that_waits_can_be_cancelled_or_run_out_of_time(
    connect: Connect, autojump_clock: MockClock
) -> None:
    door = Door()
    peer = await connect(door.server(max_concurrency=1, max_waiting=2, timeout=5))
    answers: dict[int, str] = {}

    async def cancelled() -> None:
        error = await peer.error("tools/call", {"name": "enter", "arguments": {"number": 1}}, id=1)
        answers[1] = error["message"]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call, peer, 0, answers)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(cancelled)
        nursery.start_soon(call, peer, 2, answers)
        await trio.testing.wait_all_tasks_blocked()
        supervisors.cast(peer.pid, Cancel((peer.pid, 1)))
        await trio.testing.wait_all_tasks_blocked()
        # A place is free again.
        nursery.start_soon(call, peer, 3, answers)
        await trio.testing.wait_all_tasks_blocked()
        assert door.entered == [0]
        assert "cancelled" in answers[1]
    # All of them ran out of time, those that waited too.
    assert set(answers) == {0, 1, 2, 3}
    assert all("timed out" in answers[number] for number in (0, 2, 3))
    assert door.inside == set()
    door.open.set()
    await call(peer, 4, answers)
    assert answers[4] == "4"


async def test_tools_do_not_wait_for_one_another(
    connect: Connect, autojump_clock: MockClock
) -> None:
    door = Door()
    server = door.server(max_concurrency=1)
    server.tool("other", max_concurrency=1, timeout=math.inf)(say)
    peer = await connect(server)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call, peer, 0, {})
        await trio.testing.wait_all_tasks_blocked()
        assert (await peer.tool("other"))["content"][0]["text"] == "x"
        door.open.set()


async def test_other_handlers_say_it_in_their_way(
    connect: Connect, autojump_clock: MockClock
) -> None:
    door = trio.Event()
    server = Server("limited", version="1.0")

    @server.resource("x:a", max_concurrency=1, max_waiting=0)
    async def wait() -> str:
        await door.wait()
        return "a"

    peer = await connect(server)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.result, "resources/read", {"uri": "x:a"})
        await trio.testing.wait_all_tasks_blocked()
        error = await peer.error("resources/read", {"uri": "x:a"}, id=2)
        assert error["code"] == -32603
        assert "is busy: 1 calls run and 0 wait" in error["message"]
        door.set()


async def say() -> str:
    return "x"


def plain() -> str:
    return "x"


@pytest.mark.parametrize(
    ("function", "options", "error", "words"),
    [
        (say, {"max_concurrency": 0}, ValueError, "1 or more, not 0"),
        (say, {"max_concurrency": True}, ValueError, "1 or more"),
        (say, {"max_waiting": -1}, ValueError, "0 or more, not -1"),
        (plain, {"max_concurrency": 1}, TypeError, "always runs alone"),
        (say, {"isolation": "process"}, TypeError, "make it plain"),
    ],
)
def test_limits_that_are_refused(
    function: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=r"test_gate\.py:\d+: .*" + words):
        Server("s", version="1").tool(**options)(function)
