"""Who hears of an end, when and with which reason: links, monitors, names (P2, P5-P11)."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio

import supervisors as otp
from supervisors import (
    Exit,
    NoProc,
    exit_signal,
    link,
    monitor,
    receive,
    self,
    send,
    spawn,
    spawn_link,
    spawn_monitor,
    trap_exit,
)

from .lives import dead, down_of


def test_spawn_monitor_notices_an_immediate_end(as_process):
    """P2."""

    async def main():
        async def nothing() -> None:
            pass

        _, ref = spawn_monitor(nothing)
        assert await down_of(ref) == "normal"

    as_process(main)


def test_links_are_one_symmetric_and_removable(as_process):
    """P5."""

    async def main():
        pid = spawn(trio.sleep_forever)
        link(pid)
        link(pid)
        link(self())
        assert otp.process_info(pid).links == (self(),)
        otp.unlink(pid)
        assert otp.process_info(pid).links == ()
        assert otp.process_info(self()).links == ()
        exit_signal(pid, "bang")
        await otp.yield_()

    as_process(main)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("bang", "bang"), ("shutdown", "shutdown"), (("shutdown", 1), ("shutdown", 1))],
)
def test_exits_run_along_links_with_the_original_reason(as_process, reason, expected):
    """P6: `shutdown` kills the linked too."""

    async def main():
        async def linked_to(depth: int) -> None:
            if depth:
                spawn_link(linked_to, depth - 1)
                await trio.sleep_forever()
            raise Exit(reason)

        assert await down_of(spawn_monitor(linked_to, 3)[1]) == expected

    as_process(main)


def test_a_normal_end_stops_at_the_first_link(as_process):
    async def main():
        async def ends() -> None:
            pass

        async def parent() -> None:
            spawn_link(ends)
            await receive(timeout=1)

        with pytest.raises(trio.TooSlowError):
            raise (await down_of(spawn_monitor(parent)[1]))[0]

    as_process(main)


def test_ten_thousand_linked_servers_die_without_recursion(as_process):
    class Idle(otp.GenServer):
        def handle_cast(self, pid, state):
            link(pid)
            return "noreply", state

    async def main():
        pids = [await Idle.start() for _ in range(10_000)]
        for left, right in pairwise(pids):
            otp.cast(left, right)
        ref = monitor(pids[-1])
        await otp.yield_()
        while otp.process_info(pids[-2]).message_queue_len:
            await otp.yield_()
        exit_signal(pids[0], "domino")
        assert await down_of(ref) == "domino"
        assert not any(otp.is_alive(p) for p in pids)

    as_process(main)


def test_linking_the_dead(as_process):
    """P7."""

    async def main():
        pid = await dead()
        with pytest.raises(NoProc):
            link(pid)
        trap_exit()
        link(pid)
        assert await receive(timeout=0) == ("EXIT", pid, "noproc")

    as_process(main)


def test_monitors_are_independent_and_fire_once(as_process):
    """P9, P10."""

    async def main():
        pid = spawn(trio.sleep_forever)
        otp.register("target", pid)
        first, second, named, gone = monitor(pid), monitor(pid), monitor("target"), monitor(pid)
        assert otp.demonitor(gone) is True
        exit_signal(pid, "kill")
        downs = {m[1]: m for m in [await receive() for _ in range(3)]}
        assert downs[first] == ("DOWN", first, "process", pid, "killed")
        assert downs[second][4] == "killed"
        assert downs[named][3] == ("target", "node")
        assert otp.demonitor(first, info=True) is False
        assert otp.demonitor(first) is True
        late = monitor(pid)
        assert otp.demonitor(late, flush=True, info=True) is False
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=0)
        assert (await down_of(monitor("nobody"))) == "noproc"

    as_process(main)


def test_names_are_free_before_anyone_hears_of_the_end(as_process):
    """P11, for a task process and for a callback process."""

    class Named(otp.GenServer):
        pass

    async def main():
        for pid in (spawn(trio.sleep_forever), await Named.start()):
            otp.register("name", pid)
            ref = monitor(pid)
            exit_signal(pid, "kill")
            await receive(lambda m, ref=ref: m[1] is ref)
            assert otp.whereis("name") is None

    as_process(main)


def test_resources_of_a_killed_coroutine_are_released_before_its_end_is_heard(as_process):
    """P11: a `finally` block is how Python releases what a process holds."""

    async def main():
        log: list[str] = []
        me = self()

        async def holder() -> None:
            try:
                send(me, "holding")
                await trio.sleep_forever()
            finally:
                log.append("released")

        pid, ref = spawn_monitor(holder)
        assert await receive() == "holding"
        exit_signal(pid, "kill")
        assert not otp.is_alive(pid)
        assert await down_of(ref) == "killed"
        assert log == ["released"]

    as_process(main)
