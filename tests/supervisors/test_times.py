"""What is no time and what is no address is refused where it is given (P16, G12)."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import GenServer, WarningReport, call, sys
from supervisors.testing import events

NO_TIMES = [-1, math.nan, "5", None, "infinity"]


class Late(GenServer):
    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return "noreply", state


class Busy(GenServer):
    async def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        await trio.sleep_forever()


@pytest.mark.parametrize("time", [*NO_TIMES, math.inf])
def test_timers(as_process, time):
    async def body() -> None:
        for start in (otp.send_after, otp.start_timer):
            with pytest.raises(ValueError, match="number of seconds from 0 on"):
                start(time, otp.self(), "message")
        otp.send_after(1, otp.self(), "all others run")
        assert await otp.receive() == "all others run"

    as_process(body)


@pytest.mark.parametrize("dest", [5, None, ["name"], ("name",), ("via", 5, 6)])
def test_nobody_can_be_called_that(as_process, dest):
    async def body() -> None:
        with pytest.raises(TypeError, match="name"):
            otp.send_after(1, dest, "message")
        await trio.sleep(2)

    as_process(body)


def test_a_name_that_cannot_be_looked_up_any_more_costs_a_message(as_process):
    class Keeper:
        broken = False

        def whereis_name(self, term: Any) -> Any:
            if self.broken:
                raise SystemExit(1)
            return otp.self()

    async def body() -> None:
        keeper = Keeper()
        otp.send_after(1, ("via", keeper, "me"), "lost")
        otp.send_after(2, otp.self(), "all others run")
        keeper.broken = True
        with events() as seen:
            assert await otp.receive() == "all others run"
        assert "lost" in seen.of(WarningReport)[0].text

    as_process(body)


@pytest.mark.parametrize("time", NO_TIMES)
@pytest.mark.parametrize("server", [Late, Busy])
def test_calls(as_process, server, time):
    async def body() -> None:
        pid = await server.start()
        for ask in (call, sys.get_state):
            with pytest.raises(ValueError, match=r"math\.inf for no limit"):
                await (ask(pid, time) if ask is sys.get_state else ask(pid, "anything", time))
        assert otp.process_info(pid, "monitored_by") == ()
        assert not pid._process.more().monitored_by

    as_process(body)


def test_a_match_that_raises_is_its_receivers_fault(as_process):
    def match(message: Any) -> bool:
        raise SystemExit(message)

    async def body() -> None:
        async def receiver() -> None:
            await otp.receive(match)

        pid, _ = otp.spawn_monitor(receiver)
        await trio.testing.wait_all_tasks_blocked()
        otp.send(pid, 7)
        down = await otp.receive()
        assert isinstance(down[4][0], SystemExit)

    as_process(body)


@pytest.mark.parametrize("time", NO_TIMES)
def test_the_time_of_a_start(as_process, time):
    async def body() -> None:
        class Waits(GenServer):
            async def init(self) -> Any:
                return "ok", None

        with pytest.raises(ValueError, match="number of seconds from 0 on"):
            await Waits.start(timeout=time)
        await trio.testing.wait_all_tasks_blocked()
        assert len(otp.current_runtime().processes()) == 1

    as_process(body)
