"""Turns: how long whoever runs may go on before timers, sockets and others are looked at."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

import supervisors as otp
from supervisors import GenServer, call, cast
from supervisors._cell import BUDGET, FIRST, GRACE, TURN


class Counter(GenServer):
    """Counts into a list that the test can see."""

    def init(self, seen: list[int], number: int = 0) -> Any:
        return "ok", (seen, number)

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        seen, number = state
        seen[number] += 1
        return "reply", seen[number], state

    def handle_cast(self, request: Any, state: Any) -> Any:
        seen, number = state
        seen[number] += 1
        cast(otp.self(), request)
        return "noreply", state


class AsyncCounter(Counter):
    async def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return super().handle_call(request, from_, state)


class Heavy(Counter):
    """Every call takes half a turn."""

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, MockClock)
        clock.jump(TURN * 0.6)
        return super().handle_call(request, from_, state)


async def never_waits(server: otp.Pid) -> None:
    while True:
        await call(server, "count")


async def greedy(server: type[Counter], callers: int, seen: list[int]) -> None:
    for pid in [await server.start(seen, number) for number in range(callers)]:
        otp.spawn(never_waits, pid)


async def turns(seen: list[int], count: int) -> list[int]:
    """Reductions that were made in each of so many turns of the loop."""
    made = []
    for _ in range(count):
        before = sum(seen)
        await trio.lowlevel.checkpoint()
        made.append(sum(seen) - before)
    return made


@pytest.mark.parametrize("server", [Counter, AsyncCounter])
@pytest.mark.parametrize("callers", [1, 10, 1000])
def test_a_turn_has_one_budget_however_many_callers_never_wait(
    as_process: Any, server: type[Counter], callers: int
) -> None:
    async def main() -> None:
        seen = [0] * callers
        await greedy(server, callers, seen)
        first, *others = await turns(seen, 40)
        assert first <= BUDGET + BUDGET + callers * GRACE
        # Two turns may meet between two steps of ours, as trio's order has it.
        assert max(others[2:]) <= 2 * BUDGET + GRACE * 4
        assert sum(others) >= 10 * BUDGET

    as_process(main)


def test_everybody_in_line_gets_a_turn(as_process: Any) -> None:
    async def main() -> None:
        seen = [0] * 50
        await greedy(Counter, 50, seen)
        await turns(seen, 300)
        assert min(seen) >= BUDGET
        assert max(seen) <= 4 * min(seen)

    as_process(main)


def test_who_makes_a_few_calls_and_waits_again_is_not_put_off_however_many_there_are(
    as_process: Any,
) -> None:
    """Thousands of connections with a request each, in one turn of the loop."""
    many = 2 * BUDGET

    async def main() -> None:
        seen = [0]
        server = await Counter.start(seen)
        request, put_off = trio.Event(), []

        async def serves() -> None:
            for _ in range(3):
                await request.wait()
                _, pending = otp.call_or_send(server, "count")
                put_off.append(pending)

        for _ in range(many):
            otp.spawn(serves)
        for _ in range(3):
            await trio.testing.wait_all_tasks_blocked()
            request.set()
            request = trio.Event()
            await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()
        assert seen == [3 * many]
        assert put_off == [None] * (3 * many)

    as_process(main)


def test_servers_that_are_never_idle_and_callers_that_never_wait_share(as_process: Any) -> None:
    async def main() -> None:
        seen = [0] * 8
        for number in range(4):
            cast(await Counter.start(seen, number), "go on")
        for number in range(4, 8):
            otp.spawn(never_waits, await Counter.start(seen, number))
        made = await turns(seen, 200)
        assert max(made[2:]) <= 2 * BUDGET + GRACE * 8
        assert min(seen) >= sum(seen) / 100

    as_process(main)


def test_who_takes_a_message_and_waits_does_not_stand_in_line(as_process: Any) -> None:
    """A process that answers messages comes round in a few turns, past a hundred callers."""

    async def main() -> None:
        seen = [0] * 100
        await greedy(Counter, 100, seen)
        await turns(seen, 10)
        before = sum(seen)
        for _ in range(100):
            otp.send_after(0, otp.self(), "timer")
            assert await otp.receive() == "timer"
        assert (sum(seen) - before) / 100 <= 5 * BUDGET

    as_process(main)


def test_a_caller_of_heavy_callbacks_lets_others_run_by_the_clock(as_process: Any) -> None:
    async def main() -> None:
        seen = [0]
        await greedy(Heavy, 1, seen)
        await turns(seen, 5)
        made = await turns(seen, 50)
        assert 0 < max(made) <= 3 * FIRST
        assert sum(made) <= 50 * 2 * FIRST

    as_process(main)


def test_who_stands_in_line_can_be_cancelled(as_process: Any) -> None:
    async def main() -> None:
        seen = [0] * 3
        await greedy(Counter, 2, seen)
        mine = await Counter.start(seen, 2)
        with trio.move_on_after(0) as scope:
            await never_waits(mine)
        assert scope.cancelled_caught
        assert seen[2] <= 2 * BUDGET
        assert min(await turns(seen, 20)) >= 0
        assert await call(mine, "count") == seen[2]

    as_process(main)


def test_a_task_in_line_outlives_the_runtime() -> None:
    """It is no process, so the end of the runtime is not its end."""

    async def main() -> str:
        seen = [0] * 3
        outcome = ""

        async def stranger(server: otp.Pid) -> None:
            nonlocal outcome
            try:
                await never_waits(server)
            except otp.CallExit as exit_:
                outcome = str(exit_.cause)

        async with trio.open_nursery() as nursery, otp.Runtime():
            await greedy(Counter, 2, seen)
            nursery.start_soon(stranger, await Counter.start(seen, 2))
            await turns(seen, 20)
        assert seen[2] > 0
        return outcome

    assert trio.run(main) in ("noproc", "killed")


def test_the_last_thing_a_process_does_is_to_send_and_to_set_a_timer() -> None:
    """While the runtime closes: its own tasks are woken by their cancellation, and only once."""

    async def ends(server: otp.Pid) -> None:
        try:
            await trio.sleep_forever()
        finally:
            otp.send_after(1, server, "later")
            cast(server, "now")

    async def main() -> None:
        seen = [0]
        async with otp.Runtime():
            server = await Counter.start(seen)
            for _ in range(20):
                otp.spawn(ends, server)
            await trio.testing.wait_all_tasks_blocked()

    for _ in range(10):  # trio deals the order anew
        trio.run(main)
