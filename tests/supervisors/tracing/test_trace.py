"""Bounded traces: they see what happens, end by themselves and leave nothing behind."""

from __future__ import annotations

import doctest
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import BadArg, GenServer, Trace, _trace, call, cast, exit_signal, receive, send


class Echo(GenServer):
    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return "reply", request, state

    def handle_cast(self, request: Any, state: Any) -> Any:
        return "noreply", state


def test_messages_replies_and_the_end(as_process):
    async def main():
        pid = await Echo.start(name="echo")
        async with Trace(["echo"]) as trace:
            await call(pid, "hello")
            exit_signal(pid, "bang")
            events = [(e.kind, e.detail, e.to) async for e in trace]
        assert events[0][0] == "in"
        assert events[0][1][0::2] == ("$gen_call", "hello")
        assert events[1:] == [("out", "hello", otp.self()), ("exit", "bang", None)]
        assert trace.ended == "exit"

    as_process(main)


def test_it_ends_after_its_time_and_is_gone(as_process):
    async def main():
        pid = await Echo.start()
        async with Trace([pid], seconds=5) as trace:
            assert [e async for e in trace] == []
            assert trio.current_time() == pytest.approx(5)
            assert trace.ended == "seconds"
        assert pid._process.extras.debug is None
        for _ in range(3):
            assert await call(pid, "x") == "x"

    as_process(main)


def test_the_limit_is_for_all_targets_together(as_process):
    async def main():
        pids = [await Echo.start() for _ in range(3)]
        async with Trace(pids, limit=4, kinds=["in"]) as trace:
            for n in range(5):
                for pid in pids:
                    cast(pid, n)
            events = [e async for e in trace]
        assert len(events) == 4
        assert trace.ended == "limit"
        assert all(pid._process.extras.debug is None for pid in pids)

    as_process(main)


def test_a_raw_process_and_two_traces_at_once(as_process):
    async def main():
        async def waits() -> None:
            while await receive() != "end":
                pass

        pid = otp.spawn(waits)
        async with Trace([pid], limit=1) as short, Trace([pid]) as long:
            for message in ("a", "b", "end"):
                send(pid, message)
            assert [e.detail async for e in short] == ["a"]
            assert [e.detail async for e in long] == ["a", "b", "end", "normal"]

    as_process(main)


def test_leaving_the_block_ends_it(as_process):
    async def main():
        pid = await Echo.start()
        async with Trace([pid]) as trace:
            pass
        assert trace.ended == "closed"
        assert pid._process.extras.debug is None

    as_process(main)


@pytest.mark.parametrize(
    "arguments", [{"limit": 0}, {"seconds": 0}, {"kinds": ["colour"]}, {"targets": ["nobody"]}]
)
def test_bad_arguments(as_process, arguments):
    async def main():
        with pytest.raises(BadArg):
            async with Trace(**{"targets": "all", **arguments}):
                pass

    as_process(main)


def test_the_example_of_the_manual():
    assert doctest.testmod(_trace).attempted > 0
    assert doctest.testmod(_trace).failed == 0
