"""The start protocol for hand-written task processes (SEMANTICS 1.2)."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    CrashReport,
    Exit,
    GenServer,
    Ignore,
    StartError,
    monitor,
    proc_lib,
    receive,
    spawn_monitor,
    trap_exit,
)


@pytest.mark.otp("proc_lib", "sync_start_nolink")
@pytest.mark.otp("proc_lib", "sync_start_link")
async def test_the_starter_waits_for_the_acknowledgement(autojump_clock):
    async def ready(delay: float, extra: Any) -> None:
        await trio.sleep(delay)
        proc_lib.init_ack(extra)
        await trio.sleep_forever()

    async with otp.Runtime():
        pid = await proc_lib.start(ready, 3, None, name="ready")
        assert trio.current_time() == pytest.approx(3)
        assert otp.whereis("ready") is pid
        assert await proc_lib.start(ready, 0, "extra") == (
            otp.current_runtime().processes()[-1],
            "extra",
        )
        with pytest.raises(StartError) as caught:
            await proc_lib.start(ready, 0, None, name="ready")
        assert caught.value.reason == ("already_started", pid)


@pytest.mark.otp("proc_lib", "init_dont_hang")
async def test_a_process_that_ends_first_is_a_failed_start(autojump_clock):
    async def fails(how: Any) -> None:
        how()

    def raise_exit() -> None:
        raise Exit("no_disk")

    async with otp.Runtime() as runtime:
        reports: list[Any] = []
        runtime.subscribe(reports.append)
        for how, reason, crashes in [
            (raise_exit, "no_disk", 1),
            (lambda: proc_lib.init_fail("polite"), "polite", 0),
            (lambda: None, "normal", 0),
        ]:
            with pytest.raises(StartError) as caught:
                await proc_lib.start(fails, how, name="short")
            assert caught.value.reason == reason
            assert otp.whereis("short") is None
            assert len([r for r in reports if isinstance(r, CrashReport)]) == crashes
            reports.clear()
        with pytest.raises(Ignore):
            await proc_lib.start(fails, proc_lib.init_ignore)


@pytest.mark.otp("proc_lib", "sync_start_timeout")
async def test_a_start_that_takes_too_long_is_killed(autojump_clock):
    cleaned: list[str] = []

    async def hangs() -> None:
        try:
            await trio.sleep_forever()
        finally:
            cleaned.append("up")

    async with otp.Runtime() as runtime:
        with pytest.raises(StartError) as caught:
            await proc_lib.start(hangs, timeout=2)
        assert caught.value.reason == "timeout"
        assert cleaned == ["up"]
        with trio.move_on_after(1):
            await proc_lib.start(hangs)
        await trio.testing.wait_all_tasks_blocked()
        assert runtime.processes() == []


@pytest.mark.parametrize("traps", [True, False])
def test_a_failed_linked_start_ends_only_a_starter_that_does_not_trap(as_process, traps):
    async def fails() -> None:
        raise Exit("bad")

    async def starter() -> None:
        trap_exit(traps)
        with pytest.raises(StartError):
            await proc_lib.start(fails, link=True)
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=1)

    async def main() -> None:
        _, ref = spawn_monitor(starter)
        reason = (await receive(lambda m: m[1] is ref))[4]
        assert reason == ("normal" if traps else "bad")

    as_process(main)


@pytest.mark.parametrize("traps", [True, False])
@pytest.mark.parametrize("cancelled", [True, False])
def test_who_does_not_wait_any_longer_does_not_die_of_the_start(as_process, traps, cancelled):
    """OTP: start_link of a process that does not trap exits answers {error, timeout}."""
    ended: list[str] = []

    async def hangs() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("hangs")

    async def main() -> None:
        trap_exit(traps)
        if cancelled:
            with trio.move_on_after(2):
                await proc_lib.start(hangs, link=True, name="hangs")
            await trio.testing.wait_all_tasks_blocked()
        else:
            with pytest.raises(StartError) as caught:
                await proc_lib.start(hangs, link=True, name="hangs", timeout=2)
            assert caught.value.reason == "timeout"
        assert ended == ["hangs"]
        assert otp.whereis("hangs") is None
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=1)

    as_process(main)


@pytest.mark.parametrize("name", ["", "undefined", ("local", "a"), ("a", "node"), 7, ("global",)])
def test_nobody_is_started_under_what_is_no_name(as_process, name):
    """P13; and ``(name, node)`` is somebody to send to, not a name to have."""

    class Plain(GenServer):
        pass

    class Waits(GenServer):
        async def init(self) -> Any:
            return "ok", None

    async def main() -> None:
        for server in (Plain, Waits):
            with pytest.raises((otp.BadArg, TypeError), match="no name"), trio.fail_after(5):
                await server.start(name=name)
        assert len(otp.current_runtime().processes()) == 1

    as_process(main)


def test_acknowledging_without_being_started_is_an_error(as_process):
    async def main() -> None:
        with pytest.raises(RuntimeError, match="not being started"):
            proc_lib.init_ack()

    as_process(main)


def test_ancestors_are_names_or_pids_nearest_first(as_process):
    async def main() -> None:
        me = otp.self()

        async def child() -> None:
            proc_lib.init_ack()
            await receive()

        async def parent() -> None:
            pid = await proc_lib.start(child, link=True)
            otp.send(me, pid)
            await receive()

        boss = otp.spawn(parent)
        pid = await receive()
        info = otp.process_info(pid)
        assert info.ancestors == (boss, me)
        assert info.parent == boss
        assert info.kind == "task"
        otp.register("boss", boss)
        assert otp.process_info(otp.spawn(child)).ancestors == (me,)
        monitor(boss)

    as_process(main)
