"""A thousand callers that never wait, and a timer: how much they get done before it fires.

Counted in reductions, not in seconds: the clock is virtual and is moved past the deadline
from inside a callback, at any point of a turn. From there to the moment the timer is heard
of is its delay, and K11 says what may fit in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import supervisors as otp
from supervisors import GenServer, call, cast
from supervisors._cell import BUDGET, GRACE

CALLERS = 1000
ROUNDS = 20


class Work:
    """What is done by all, and when the clock is to jump: at the reduction `due`."""

    def __init__(self) -> None:
        self.done = 0
        self.due = -1

    def reduction(self) -> None:
        self.done += 1
        if self.done == self.due:
            clock = trio.lowlevel.current_clock()
            assert isinstance(clock, MockClock)
            clock.jump(0.001)


class Counter(GenServer):
    def init(self, work: Work) -> Any:
        return "ok", work

    def handle_call(self, request: Any, from_: Any, work: Work) -> Any:
        work.reduction()
        return "reply", None, work

    def handle_cast(self, request: Any, work: Work) -> Any:
        work.reduction()
        cast(otp.self(), request)
        return "noreply", work


class AsyncCounter(Counter):
    async def handle_call(self, request: Any, from_: Any, work: Work) -> Any:
        return super().handle_call(request, from_, work)


async def calls(server: otp.Pid) -> None:
    while True:
        await call(server, "count")


async def one_each(work: Work, server: type[Counter]) -> None:
    for pid in [await server.start(work) for _ in range(CALLERS)]:
        otp.spawn(calls, pid)


async def one_for_all(work: Work, server: type[Counter]) -> None:
    shared = await server.start(work)
    for _ in range(CALLERS):
        otp.spawn(calls, shared)


async def with_busy_servers(work: Work, server: type[Counter]) -> None:
    servers = [await server.start(work) for _ in range(CALLERS)]
    for pid in servers[::2]:
        otp.spawn(calls, pid)
    for pid in servers[1::2]:
        cast(pid, "go on")


async def busy_servers(work: Work, server: type[Counter]) -> None:
    for pid in [await server.start(work) for _ in range(CALLERS)]:
        cast(pid, "go on")


async def sleeps() -> None:
    await trio.sleep(0.001)


async def gets_a_message() -> None:
    otp.send_after(0.001, otp.self(), "timer")
    assert await otp.receive() == "timer"


async def gives_up_a_receive() -> None:
    with pytest.raises(trio.TooSlowError):
        await otp.receive(lambda _: False, timeout=0.001)


async def gives_up_a_call() -> None:
    with pytest.raises(otp.CallExit, match="timeout"):
        await call("mute", "hello", 0.001)


class Mute(GenServer):
    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return "noreply", state


WAITS = {sleeps: 2, gives_up_a_receive: 2, gets_a_message: 3, gives_up_a_call: 3}
"""Budgets that may pass: two until the loop looks at its deadlines, and one more turn until
a process is run that a timer of the kernel has woken."""


@pytest.mark.parametrize(
    ("server", "crowd"),
    [
        (Counter, one_each),
        (Counter, one_for_all),
        (Counter, with_busy_servers),
        (Counter, busy_servers),
        (AsyncCounter, one_each),
        (AsyncCounter, one_for_all),
    ],
)
def test_a_thousand_greedy_callers_do_not_delay_a_timer(
    as_process: Any,
    server: type[Counter],
    crowd: Callable[[Work, type[Counter]], Awaitable[None]],
) -> None:
    async def main() -> None:
        work = Work()
        await Mute.start(name="mute")
        await crowd(work, server)
        while work.done < CALLERS * GRACE:  # until everybody has run and stands in line
            await trio.lowlevel.checkpoint()
        for waits, budgets in WAITS.items():
            for turn in range(ROUNDS):
                work.due = work.done + 1 + 97 * turn
                await waits()
                assert work.done >= work.due
                assert work.done - work.due <= budgets * BUDGET + 4 * GRACE

    as_process(main)
