"""Processes and the runtime they live in: pids, names, reasons of ends (P3, P13)."""

from __future__ import annotations

import copy
import pickle

import pytest
import trio

import supervisors as otp
from supervisors import (
    BadArg,
    CrashReport,
    Exit,
    Pid,
    Throw,
    exit_signal,
    self,
    spawn,
    spawn_monitor,
)

from .lives import down_of


def test_a_pid_is_a_value(as_process):
    async def main():
        pid = spawn(trio.sleep_forever)
        assert pickle.loads(pickle.dumps(pid)) is pid
        assert copy.deepcopy(pid) is pid
        assert str(pid) == f"<node.{pid.id}.{pid.serial}>"
        assert otp.split_pid(str(pid)) == (pid.node, pid.id, pid.serial)
        assert self() < pid <= pid
        assert len({pid, self(), pid}) == 2

    as_process(main)


def test_a_dead_pid_comes_back_from_a_pickle_as_itself(as_process):
    async def main():
        pid, ref = spawn_monitor(trio.sleep_forever)
        data = pickle.dumps(pid)
        exit_signal(pid, "kill")
        await down_of(ref)
        assert pickle.loads(data) is pid
        assert not otp.is_alive(pid)

    as_process(main)


@pytest.mark.parametrize("text", ["", "<>", "12", "<a.b.c>", "node.1", "<node.1.>"])
def test_text_that_is_no_pid_is_refused(text):
    with pytest.raises(ValueError, match="is not a pid"):
        otp.split_pid(text)


def test_self_needs_a_process_and_spawn_needs_a_coroutine(as_process):
    with pytest.raises(RuntimeError, match="inside a process"):
        self()

    async def main():
        with pytest.raises(TypeError, match="async function"):
            spawn(len)

    as_process(main)


def test_register_refuses(as_process):
    """P13."""

    async def main():
        pid = spawn(trio.sleep_forever)
        otp.register("a", pid)
        assert otp.whereis("a") is pid
        for name, target in [("a", self()), ("b", pid), ("undefined", self()), ("", self())]:
            with pytest.raises(BadArg):
                otp.register(name, target)
        otp.unregister("a")
        assert otp.whereis("a") is None
        with pytest.raises(BadArg):
            otp.unregister("a")
        exit_signal(pid, "kill")
        with pytest.raises(BadArg, match="dead"):
            otp.register("c", pid)

    as_process(main)


def test_reasons_of_ends(as_process):
    """P3: return, exit, error, throw; only the abnormal ones are reported."""

    async def main():
        reports: list[CrashReport] = []
        otp.current_runtime().subscribe(
            lambda r: reports.append(r) if isinstance(r, CrashReport) else None
        )

        async def ends(error: Exception | None) -> None:
            if error is not None:
                raise error

        async def reason(error: Exception | None) -> object:
            return await down_of(spawn_monitor(ends, error)[1])

        assert await reason(None) == "normal"
        assert await reason(Exit("out")) == "out"
        assert await reason(Exit(("shutdown", 1))) == ("shutdown", 1)
        boom = ValueError("boom")
        error, stack = await reason(boom)
        assert error is boom
        assert boom.__traceback__ is None
        assert "ends" in str(stack)
        (tag, stack) = await reason(Throw("ball"))
        assert tag == ("nocatch", "ball")
        assert [r.kind for r in reports] == ["exit", "error", "throw"]
        assert reports[0].reason == "out"
        assert reports[1].initial_call.endswith("ends")

    as_process(main)


def test_a_single_error_in_a_nursery_is_the_reason(as_process):
    async def main():
        async def fails() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                raise Exit("inner")

        assert await down_of(spawn_monitor(fails)[1]) == "inner"

    as_process(main)


def test_killed_before_its_first_step(as_process):
    async def main():
        ran: list[int] = []

        async def child() -> None:
            ran.append(1)

        pid, ref = spawn_monitor(child)
        exit_signal(pid, "kill")
        assert await down_of(ref) == "killed"
        assert ran == []

    as_process(main)


def test_a_subscriber_that_raises_is_dropped_and_the_others_are_told(as_process, capsys):
    async def main():
        seen: list[object] = []

        def bad(report: object) -> None:
            raise KeyError("bad")

        runtime = otp.current_runtime()
        runtime.subscribe(bad)
        stop = runtime.subscribe(seen.append)

        async def crash() -> None:
            raise Exit("x")

        for _ in range(2):
            _, ref = spawn_monitor(crash)
            await down_of(ref)
        assert [type(r).__name__ for r in seen].count("CrashReport") == 2
        assert [type(r).__name__ for r in seen].count("WarningReport") == 1
        stop()

    as_process(main)
    assert "bad" in capsys.readouterr().err


def test_closing_the_runtime_kills_what_is_left():
    async def main() -> Pid:
        async with otp.Runtime() as runtime:
            pid = spawn(trio.sleep_forever)
            await trio.lowlevel.checkpoint()
            assert runtime.processes() == [pid]
        assert not otp.is_alive(pid)
        return pid

    trio.run(main)


def test_run_raises_what_main_raised():
    async def main() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        otp.run(main)

    async def killed() -> None:
        exit_signal(self(), "enough")

    with pytest.raises(Exit) as caught:
        otp.run(killed)
    assert caught.value.reason == "enough"


def test_run_leaves_the_collector_as_it_found_it():
    import gc

    async def main() -> int:
        return gc.get_threshold()[0]

    before = gc.get_threshold()
    assert otp.run(main) == 10_000
    assert gc.get_threshold() == before
    gc.set_threshold(123, *before[1:])
    try:
        assert otp.run(main) == 123
    finally:
        gc.set_threshold(*before)
