"""Special processes: a loop written by hand that obeys system messages (sys_SUITE)."""

from __future__ import annotations

import doctest
import importlib
import sys as python
from pathlib import Path
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    CallExit,
    CrashReport,
    Exit,
    Pid,
    Throw,
    monitor,
    proc_lib,
    receive,
    send,
    sys,
)
from supervisors._sys import special

from ..lives import down_of

Channels = tuple[list[int], list[int]]


class Allocator(sys.SpecialProcess):
    """Channels taken and free; `wishes` says what its callbacks do instead of their work."""

    def __init__(self, **wishes: Any) -> None:
        self.wishes = wishes

    def _wish(self, callback: str, default: Any, *args: Any) -> Any:
        return self.wishes.get(callback, default)(*args)

    def system_get_state(self, state: Channels) -> Any:
        return self._wish("get_state", super().system_get_state, state)

    def system_replace_state(self, fn: Any, state: Channels) -> Any:
        return self._wish("replace_state", super().system_replace_state, fn, state)

    def system_terminate(self, reason: Any, state: Channels) -> Any:
        return self._wish("terminate", super().system_terminate, reason, state)


async def allocator(channels: int, module: sys.SpecialProcess) -> None:
    otp.trap_exit()
    sys.special_process(module)
    proc_lib.init_ack()
    state: Channels = [], list(range(1, channels + 1))
    parent = otp.process_info(otp.self()).parent
    while True:
        message = await receive()
        match message:
            case ("system", _, request):
                state = await sys.handle_system_msg(request, state)
                continue
            case ("EXIT", pid, reason) if pid is parent:
                raise Exit(reason)
        sys.handle_debug(("in", message))
        taken, free = state
        match message:
            case ("alloc", asker):
                send(asker, ("channel", free[0]))
                state = [*taken, free[0]], free[1:]
                sys.handle_debug(("out", free[0], asker, state))
            case ("free", channel):
                state = [c for c in taken if c != channel], [channel, *free]
            case "wait":
                await receive(lambda m: m == "go on")


async def start(channels: int = 4, **wishes: Any) -> Pid:
    pid = await proc_lib.start(
        allocator, channels, Allocator(**wishes), name="allocator", link=True
    )
    assert isinstance(pid, Pid)
    return pid


async def alloc() -> int:
    send("allocator", ("alloc", otp.self()))
    _, channel = await receive(lambda m: m[0] == "channel")
    assert isinstance(channel, int)
    return channel


def fails(*_: Any) -> Any:
    raise Throw("fail")


@pytest.mark.otp("sys", "special_process")
def test_state_and_statistics_as_of_a_behaviour(as_process) -> None:
    async def main() -> None:
        await start(100)
        await sys.statistics("allocator", True)
        seen: list[Any] = []
        sys.trace("allocator", seen.append)
        assert await alloc() == 1
        assert await sys.get_state("allocator") == ([1], list(range(2, 101)))
        replaced = await sys.replace_state("allocator", lambda s: (s[0], [2, 3, 4]))
        assert replaced == ([1], [2, 3, 4])
        send("allocator", ("free", 1))
        assert await sys.get_state("allocator") == ([], [1, 2, 3, 4])
        counted = await sys.statistics("allocator", "get")
        assert (counted["messages_in"], counted["messages_out"]) == (2, 1)
        assert [event[0] for event in seen] == ["in", "out", "in"]
        await sys.no_debug("allocator")
        assert await sys.statistics("allocator", "get") == "no_statistics"
        await sys.replace_state("allocator", lambda _: [])
        assert await sys.get_state("allocator") == []
        await sys.terminate("allocator", "normal")

    as_process(main)


@pytest.mark.otp("sys", "special_process")
def test_a_callback_that_fails_is_the_askers_failure(as_process) -> None:
    async def main() -> None:
        pid = await start(get_state=fails, replace_state=fails)
        for ask in (
            sys.get_state(pid),
            sys.get_status(pid),
            sys.replace_state(pid, lambda state: state),
        ):
            with pytest.raises(sys.CallbackFailed, match="fail"):
                await ask
        assert await alloc() == 1
        await otp.stop(pid)
        pid = await start()
        with pytest.raises(sys.CallbackFailed, match="ZeroDivisionError"):
            await sys.replace_state(pid, lambda _: 1 / 0)
        assert await sys.get_state(pid) == ([], [1, 2, 3, 4])

    as_process(main)


def test_suspended_it_keeps_its_mail_and_answers_system_messages(as_process) -> None:
    async def main() -> None:
        pid = await start()
        await sys.suspend(pid)
        await sys.suspend(pid)
        send(pid, ("alloc", otp.self()))
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=1)
        status = await sys.get_status(pid)
        assert status["status"] == "suspended"
        assert status["behaviour"] == "special_process"
        assert status["module"].endswith(":Allocator")
        assert status["state"] == ([], [1, 2, 3, 4])
        await sys.replace_state(pid, lambda state: (state[0], [7]))
        await sys.resume(pid)
        assert await receive(timeout=1) == ("channel", 7)
        await sys.resume(pid)
        assert (await sys.get_status(pid))["status"] == "running"

    as_process(main)


@pytest.mark.parametrize("suspended", [False, True])
def test_stopped_it_ends_through_system_terminate(as_process, suspended: bool) -> None:
    ended: list[Any] = []

    def terminate(reason: Any, state: Any) -> None:
        ended.append((reason, state))

    async def slowly(reason: Any, state: Any) -> None:
        await trio.sleep(1)
        terminate(reason, state)

    async def main() -> None:
        otp.trap_exit()
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        for callback in (terminate, slowly):
            for reason in ("normal", "enough"):
                pid = await start(1, terminate=callback)
                if suspended:
                    await sys.suspend(pid)
                send(pid, ("alloc", otp.self()))  # comes first unless it is suspended
                await otp.stop(pid, reason)
                assert await receive(lambda m: m[0] == "EXIT") == ("EXIT", pid, reason)
                assert ended.pop() == (reason, ([], [1]) if suspended else ([1], []))
        crashes = [r for r in reports if isinstance(r, CrashReport)]
        assert [(c.kind, c.reason) for c in crashes] == [("exit", "enough")] * 2
        pid = await start(terminate=fails)
        await sys.terminate(pid, "enough")
        assert (await receive(lambda m: m[0] == "EXIT"))[2] == "enough"
        pid = await start(terminate=lambda *_: 1 / 0)
        with pytest.raises(Exit) as other:
            await otp.stop(pid)
        assert type(other.value.reason[0]) is ZeroDivisionError

    as_process(main)


def test_the_end_of_its_parent_is_looked_at_while_it_is_suspended(as_process) -> None:
    ended: list[Any] = []

    async def parent(boss: Pid) -> None:
        pid = await start(terminate=lambda reason, _: ended.append(reason))
        send(boss, pid)
        raise Exit(await receive())

    async def main() -> None:
        for suspended in (False, True):
            boss = otp.spawn(parent, otp.self())
            pid = await receive()
            ref = monitor(pid)
            if suspended:
                await sys.suspend(pid)
            send(boss, "gone")
            assert await down_of(ref) == "gone"
        assert ended == ["gone"]  # running, it is the loop that has to look

    as_process(main)


def test_a_system_message_waits_for_its_turn(as_process) -> None:
    async def main() -> None:
        pid = await start()
        send(pid, "wait")
        with pytest.raises(CallExit) as late:
            await sys.get_state(pid, 2)
        assert late.value.cause == "timeout"
        send(pid, "go on")
        assert await sys.get_state(pid) == ([], [1, 2, 3, 4])
        ref = monitor(pid)
        send(pid, "wait")
        with pytest.raises(Exit, match="timeout"):
            await proc_lib.stop(pid, "normal", 2)
        send(pid, "go on")
        assert await down_of(ref) == "normal"

    as_process(main)


def test_told_to_terminate_it_handles_nothing_else(as_process) -> None:
    ended: list[Any] = []

    async def main() -> None:
        pid = await start(terminate=lambda reason, state: ended.append(state))
        send(pid, "wait")

        async def ask() -> None:
            await sys.terminate(pid, "shutdown")

        otp.spawn(ask)
        await trio.sleep(1)
        send(pid, ("alloc", otp.self()))
        send(pid, "go on")
        assert await receive(timeout=1) == ("EXIT", pid, "shutdown")
        assert ended == [([], [1, 2, 3, 4])]

    async def traps() -> None:
        otp.trap_exit()
        await main()

    as_process(traps)


def test_a_full_mailbox_does_not_keep_system_messages_out(as_process) -> None:
    async def flooded() -> None:
        otp.limit_mailbox(3, "drop_oldest")
        sys.special_process(sys.SpecialProcess())
        proc_lib.init_ack()
        await receive(lambda m: m == "open")
        seen: list[Any] = []
        while True:
            match await receive():
                case ("system", _, request):
                    seen = await sys.handle_system_msg(request, seen)
                case message:
                    seen.append(message)

    async def main() -> None:
        pid = await proc_lib.start(flooded)
        states: list[Any] = []

        async def ask() -> None:
            states.append(await sys.get_state(pid))

        _, ref = otp.spawn_monitor(ask)
        await trio.sleep(1)
        for number in range(6):
            send(pid, number)
        send(pid, "open")
        assert await down_of(ref) == "normal"
        assert await sys.get_state(pid) == [5]  # the newest that there was room for

    as_process(main)


def test_only_a_task_process_of_its_own_kind_can_be_one(as_process) -> None:
    class Server(otp.GenServer):
        async def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            sys.special_process(sys.SpecialProcess())

    class Plain(otp.GenServer):
        def init(self) -> Any:
            sys.special_process(sys.SpecialProcess())

    async def main() -> None:
        pid = await Server.start()
        with pytest.raises(CallExit, match="no behaviour"):
            await otp.call(pid, "become")
        with pytest.raises(otp.StartError, match="no behaviour"):
            await Plain.start()
        with pytest.raises(RuntimeError, match="not called special_process"):
            await sys.handle_system_msg(sys.SystemRequest(list), None)
        sys.handle_debug(("in", "nobody listens"))
        with pytest.raises(CallExit, match="not_a_behaviour"):
            await sys.get_state(otp.spawn(trio.sleep_forever))

    as_process(main)


class Secretive(sys.SpecialProcess):
    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        return {**status, "state": "hidden", "log": len(status["log"])}


def test_format_status_decides_what_is_shown(as_process) -> None:
    async def main() -> None:
        pid = await proc_lib.start(allocator, 4, Secretive(), name="allocator")
        await sys.log(pid, True)
        await alloc()
        status = await sys.get_status(pid)
        assert (status["state"], status["log"]) == ("hidden", 2)

    as_process(main)


MODULE = """
from supervisors import proc_lib, receive, send, sys

class Counter(sys.SpecialProcess):
    {change}

def step(count):
    return count + {step}

async def counter():
    sys.special_process(Counter())
    proc_lib.init_ack()
    count = 0
    while True:
        match await receive():
            case ("system", _, request):
                count = await sys.handle_system_msg(request, count)
            case ("next", asker):
                count = step(count)
                send(asker, count)
"""
MIGRATES = """def system_code_change(self, old_vsn, count, extra):
        return ("ok", count * extra) if old_vsn == 1 else ("error", "cannot")

    def system_get_state(self, count):
        return "new", count"""


def test_new_code_and_a_migrated_state(as_process, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(python, "dont_write_bytecode", True)
    path = tmp_path / "counter_under_test.py"
    path.write_text(MODULE.format(change="pass", step=1))
    module = importlib.import_module("counter_under_test")

    async def main() -> None:
        pid = await proc_lib.start(module.counter)

        async def count() -> Any:
            send(pid, ("next", otp.self()))
            return await receive()

        assert await count() == 1
        with pytest.raises(sys.CodeChangeError, match="suspended"):
            await sys.change_code(pid, None, 1, 10)
        await sys.suspend(pid)
        with pytest.raises(sys.CodeChangeError, match="no system_code_change"):
            await sys.change_code(pid, None, 1, 10)
        path.write_text(MODULE.format(change=MIGRATES, step=5))
        importlib.reload(module)
        with pytest.raises(sys.CodeChangeError, match="cannot"):
            await sys.change_code(pid, None, 2, 10)
        assert await sys.get_state(pid) == 1
        await sys.change_code(pid, None, 1, 10)
        assert await sys.get_state(pid) == ("new", 10)
        await sys.resume(pid)
        assert await count() == 15

    as_process(main)
    python.modules.pop("counter_under_test")


def test_the_example_runs() -> None:
    assert doctest.testmod(special).failed == 0
    assert doctest.testmod(special).attempted > 0
