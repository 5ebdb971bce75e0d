"""The watchdog, on the real clock: it watches what virtual time cannot show."""

from __future__ import annotations

import doctest
import signal
import time
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    CallExit,
    GenServer,
    LongSchedule,
    Overrun,
    StartError,
    Watchdog,
    _watchdog,
    call,
    receive,
    spawn,
    spawn_monitor,
)


class Holds(GenServer):
    """Runs what it is given."""

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return "reply", request(), state


def hold_the_loop() -> str:
    """Until the watchdog has seen it, whatever the machine is doing."""
    (watch,) = (p.sys for p in list_of_watchdogs())
    seen = watch.seen
    while watch._answered.is_set():
        time.sleep(0.001)
    time.sleep(watch.long_schedule * 3)
    return f"seen {seen} before"


def list_of_watchdogs() -> list[Any]:
    table = otp.current_runtime().table.values()
    return [p for p in table if p.initial_call.endswith(":Watchdog")]


async def long_schedules(how_many: int) -> list[LongSchedule]:
    found: list[LongSchedule] = []
    done = trio.Event()

    def look(report: Any) -> None:
        if isinstance(report, LongSchedule):
            found.append(report)
            if len(found) == how_many:
                done.set()

    stop = otp.current_runtime().subscribe(look)
    with trio.fail_after(30):
        await done.wait()
    stop()
    return found


def watched(body: Any, **options: Any) -> Any:
    async def main() -> Any:
        await Watchdog.start_link(long_schedule=0.02, **options)
        return await body()

    return otp.run(main)


def test_a_callback_that_holds_the_loop_is_reported():
    async def body() -> None:
        pid = await Holds.start()
        found: list[LongSchedule] = []
        async with trio.open_nursery() as nursery:

            async def collect() -> None:
                found.extend(await long_schedules(1))

            nursery.start_soon(collect)
            await trio.lowlevel.checkpoint()
            await call(pid, hold_the_loop)
        assert found[0].pid is pid
        assert found[0].initial_call.endswith(":Holds")
        assert "hold_the_loop" in found[0].stack
        assert found[0].seconds >= 0.02
        assert not found[0].raised

    watched(body)


def test_a_coroutine_and_an_async_server_are_named_too():
    class Slow(GenServer):
        async def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            return "reply", hold_the_loop(), state

    async def body() -> None:
        async def holds() -> None:
            hold_the_loop()

        pids = []
        found: list[LongSchedule] = []
        async with trio.open_nursery() as nursery:

            async def collect() -> None:
                found.extend(await long_schedules(2))

            nursery.start_soon(collect)
            await trio.lowlevel.checkpoint()
            pid, ref = spawn_monitor(holds)
            pids.append(pid)
            await receive(lambda m: m[1] is ref)
            server = await Slow.start()
            await trio.testing.wait_all_tasks_blocked()
            pids.append(server)
            await call(server, "x")
        assert [report.pid for report in found] == pids

    watched(body)


def test_max_run_makes_it_crash():
    before = signal.getsignal(_watchdog.SIGNAL)

    def for_ever() -> None:
        while True:
            time.sleep(60)

    async def body() -> None:
        pid = await Holds.start()
        with pytest.raises(CallExit) as caught:
            await call(pid, for_ever, timeout=60)
        assert isinstance(caught.value.cause[0], Overrun)
        assert not otp.is_alive(pid)
        other = await Holds.start()
        assert await call(other, lambda: "goes on") == "goes on"

    watched(body, max_run=0.1)
    assert signal.getsignal(_watchdog.SIGNAL) == before


def test_a_loop_that_is_busy_with_many_is_not_held():
    async def body() -> None:
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)

        async def busy() -> None:
            for _ in range(300):
                await trio.lowlevel.checkpoint()

        refs = [spawn_monitor(busy)[1] for _ in range(20)]
        for ref in refs:
            await receive(lambda m, ref=ref: m[1] is ref)
        assert [r for r in reports if getattr(r, "raised", False)] == []

    watched(body, max_run=5.0)


@pytest.mark.parametrize(
    "arguments", [{"long_schedule": 0}, {"long_schedule": -1}, {"long_schedule": 1, "max_run": 0.5}]
)
def test_times_that_make_no_sense(arguments: Any):
    async def main() -> None:
        otp.trap_exit()
        with pytest.raises(StartError, match=r"long_schedule|max_run"):
            await Watchdog.start_link(**arguments)

    otp.run(main)


def test_it_ends_with_its_supervisor():
    async def main() -> None:
        class Top(otp.Supervisor):
            def init(self) -> Any:
                return otp.SupFlags(), [Watchdog.child_spec(0.05, name="watchdog")]

        otp.trap_exit()
        top = await Top.start_link()
        thread = otp.whereis("watchdog")._process.sys._thread
        assert thread.is_alive()
        spawn(trio.sleep_forever)
        otp.exit_signal(top, "shutdown")
        await receive(lambda m: m[:2] == ("EXIT", top))
        await trio.to_thread.run_sync(thread.join)

    otp.run(main)


def test_the_example_of_the_manual():
    assert doctest.testmod(_watchdog).attempted > 0
    assert doctest.testmod(_watchdog).failed == 0
