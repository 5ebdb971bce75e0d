"""Timers: when they fire, and that none outlives its process (P16)."""

from __future__ import annotations

import pytest
import trio

import supervisors as otp
from supervisors import exit_signal, receive, self, spawn


def test_timers(as_process):
    """P16."""

    async def main():
        timer = otp.send_after(5, self(), "tick")
        await trio.sleep(2)
        assert otp.cancel_timer(timer) == pytest.approx(3)
        assert otp.cancel_timer(timer) is None
        otp.send_after(1, "later", "resolved when it fires")
        otp.send_after(1, "nobody", "dropped")
        otp.register("later", self())
        assert await receive() == "resolved when it fires"
        for delay in (3, 1, 2):
            otp.send_after(delay, self(), delay)
        assert [await receive() for _ in range(3)] == [1, 2, 3]

    as_process(main)


def test_cancelled_timers_do_not_pile_up(as_process):
    async def main():
        timers = otp.current_runtime().timers
        for _ in range(10_000):
            otp.cancel_timer(otp.send_after(60, self(), "never"))
        assert len(timers) == 0
        assert len(timers._heap) < 200

    as_process(main)


class Sleeper(otp.GenServer):
    def init(self):
        return "ok", otp.send_after(3600, otp.self(), "much later")


class Machine(otp.GenStateMachine):
    def callback_mode(self):
        return "handle_event_function"

    def init(self):
        return "ok", "waiting", None, [("state_timeout", 3600, "much later")]


@pytest.mark.parametrize("server", [Sleeper, Machine])
def test_the_timers_of_the_dead_do_not_pile_up(as_process, server):
    async def main():
        timers = otp.current_runtime().timers
        stays = [await server.start() for _ in range(100)]
        for _ in range(2_000):
            exit_signal(await server.start(), "kill")
            assert len(timers) <= 2 * len(stays) + 1
        await trio.sleep(3601)
        assert len(timers) == 0

    as_process(main)


def test_a_timer_ends_with_its_process(as_process):
    async def main():
        pid = spawn(trio.sleep_forever)
        first, second = (otp.send_after(60, pid, n) for n in range(2))
        assert otp.read_timer(first) == pytest.approx(60)
        await trio.testing.wait_all_tasks_blocked()
        exit_signal(pid, "kill")
        await trio.testing.wait_all_tasks_blocked()
        assert otp.read_timer(first) is None
        assert otp.cancel_timer(second) is None

    as_process(main)
