"""Turns, time-outs across a suspension, servers entered late, and calls to many."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from supervisors import (
    GenServer,
    abcast,
    call,
    cast,
    enter_loop,
    multi_call,
    proc_lib,
    send,
    sys,
)


class Slow(GenServer):
    """Holds the loop; how often others ran meanwhile is in its state."""

    def init(self) -> Any:
        return "ok", []

    def handle_cast(self, beats: list[int], seen: list[int]) -> Any:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        clock.jump(0.012)
        return "noreply", [*seen, len(beats)]


def test_slow_callbacks_let_others_run_in_between(as_process) -> None:
    async def main() -> None:
        beats: list[int] = []

        async def beat() -> None:
            while True:
                beats.append(1)
                await trio.lowlevel.checkpoint()

        pid = await Slow.start()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(beat)
            for _ in range(12):
                cast(pid, beats)
            while len(await sys.get_state(pid)) < 12:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert len(set(await sys.get_state(pid))) > 6

    as_process(main)


class Timed(GenServer):
    def init(self) -> Any:
        return "ok", []

    def handle_info(self, message: Any, seen: list[Any]) -> Any:
        if message == "arm":
            return "noreply", [*seen, message], 1.0
        return "noreply", [*seen, message]


class AsyncTimed(Timed):
    async def handle_info(self, message: Any, seen: list[Any]) -> Any:
        return super().handle_info(message, seen)


@pytest.mark.parametrize("server", [Timed, AsyncTimed])
def test_a_message_that_came_while_suspended_cancels_the_time_out(as_process, server) -> None:
    async def main() -> None:
        pid = await server.start()
        send(pid, "arm")
        await trio.sleep(0.5)
        await sys.suspend(pid)
        send(pid, "meanwhile")
        await sys.resume(pid)
        await trio.sleep(5)
        assert await sys.get_state(pid) == ["arm", "meanwhile"]

    as_process(main)


class Echo(GenServer):
    def init(self) -> Any:
        return "ok", []

    def handle_call(self, request: Any, from_: Any, seen: list[Any]) -> Any:
        return "reply", (request, seen), seen

    def handle_cast(self, request: Any, seen: list[Any]) -> Any:
        return "noreply", [*seen, request]


@pytest.mark.otp("gen_server", "multicall")
@pytest.mark.otp("gen_server", "abcast")
def test_calls_and_casts_to_every_node_there_is(as_process) -> None:
    async def main() -> None:
        await Echo.start(name="echo")
        abcast("echo", 1)
        abcast("nobody", 1)
        assert await multi_call("echo", "hi") == ([("node", ("hi", [1]))], [])
        assert await multi_call("nobody", "hi", timeout=1.0) == ([], ["node"])

    as_process(main)


@pytest.mark.otp("gen_server", "spec_init")
def test_a_process_becomes_a_server(as_process) -> None:
    async def later() -> None:
        proc_lib.init_ack("ready")
        await enter_loop(Echo, ["from before"])

    async def main() -> None:
        pid, extra = await proc_lib.start(later)
        assert extra == "ready"
        cast(pid, 2)
        assert await call(pid, "hi") == ("hi", ["from before", 2])
        assert (await sys.get_status(pid))["behaviour"] == "gen_server"

    as_process(main)
