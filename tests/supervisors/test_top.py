"""Top lists by what there is and by what came, stacks and locations."""

from __future__ import annotations

import doctest
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import GenServer, cast, proc_count, proc_window, process_info
from supervisors import _info as info
from supervisors import _top as top


class Sink(GenServer):
    def handle_cast(self, request: Any, state: Any) -> Any:
        return "noreply", state


def test_by_growth_and_by_total(as_process):
    async def main():
        old = await Sink.start(name="old")
        new = await Sink.start(name="new")
        for _ in range(100):
            cast(old, "x")
        await trio.testing.wait_all_tasks_blocked()

        async def later() -> None:
            await trio.sleep(0.5)
            for _ in range(10):
                cast(new, "x")

        otp.spawn(later)
        assert proc_count("messages_in", 1)[0].pid is old
        (first, *_) = await proc_window("messages_in", 2, 1.0)
        assert (first.pid, first.value) == (new, 10)
        with pytest.raises(otp.BadArg, match="colour"):
            proc_count("colour")

    as_process(main)


async def wait_deep_inside() -> None:
    await trio.sleep_forever()


def test_where_a_process_waits(as_process):
    async def main():
        async def outer() -> None:
            await wait_deep_inside()

        pid = otp.spawn(outer)
        await trio.testing.wait_all_tasks_blocked()
        names = [frame.name for frame in process_info(pid, "current_stacktrace")]
        assert names.index("outer") < names.index("wait_deep_inside")
        assert process_info(pid, "current_function") == "wait_deep_inside"
        assert "test_top.py:" in process_info(pid, "current_location")
        server = await Sink.start()
        assert process_info(server, "current_function") is None

    as_process(main)


def test_messages_of_a_flooded_server(as_process):
    async def main():
        pid = await Sink.start()
        await otp.sys.suspend(pid)
        for n in range(5):
            cast(pid, n)
        assert process_info(pid, "messages") == tuple(("$gen_cast", n) for n in range(5))
        assert process_info(pid, "status") == "suspended"

    as_process(main)


@pytest.mark.parametrize("module", [info, top])
def test_the_examples_of_the_manual(module: Any):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
