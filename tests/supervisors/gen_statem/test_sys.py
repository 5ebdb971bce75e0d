"""A machine under `sys`: suspended, traced, asleep, and with new code: G17, T7 (gen_statem_SUITE)."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import CallExit, cast, gen_statem, sys
from supervisors.testing import end_of

from ..lives import down_of, raises
from .switches import AsyncSwitch, Switch, suite


@suite("sys1", "get_state", "replace_state")
def test_sys(as_process, machine):
    async def main():
        pid = await machine.start()
        assert await sys.get_state(pid) == ("off", [])
        await sys.suspend(pid)
        with pytest.raises(CallExit):
            await gen_statem.call(pid, "flip", 1)
        assert await sys.replace_state(pid, lambda pair: ("on", [*pair[1], "new"])) == (
            "on",
            ["new"],
        )
        with pytest.raises(sys.CallbackFailed):
            await sys.replace_state(pid, raises(RuntimeError("no")))
        with pytest.raises(TypeError, match=r"a pair \(state, data\), not 7"):
            await sys.replace_state(pid, lambda _: 7)
        assert await sys.get_state(pid) == ("on", ["new"])
        await sys.resume(pid)
        await trio.sleep(1)
        assert await gen_statem.call(pid, "flip") == "on"
        ref = otp.monitor(pid)
        await sys.terminate(pid, "enough")
        assert await down_of(ref) == "enough"

    as_process(main)


def test_time_outs_are_served_after_resume(as_process, machine):
    async def main():
        pid = await machine.start(("ok", "off", [], [("state_timeout", 1, "due")]))
        await sys.suspend(pid)
        await trio.sleep(5)
        assert await sys.get_state(pid) == ("off", [])
        await sys.resume(pid)
        await trio.sleep(1)
        assert await sys.get_state(pid) == ("off", [("state_timeout", "due")])

    as_process(main)


def test_a_trace_shows_events_and_replies(as_process, machine):
    async def main():
        pid = await machine.start()
        seen: list[Any] = []
        sys.trace(pid, seen.append)
        assert await gen_statem.call(pid, "flip") == "on"
        assert ("in", ("$gen_call", otp.self(), "flip")) == (
            seen[0][0],
            (seen[0][1][0], getattr(seen[0][1][1], "pid", seen[0][1][1]), seen[0][1][2]),
        )
        assert any(event[:3] == ("out", "on", otp.self()) for event in seen)

    as_process(main)


@suite("hibernate", "auto_hibernate")
def test_hibernation(as_process, machine):
    """G17."""

    async def hibernates(pid: otp.Pid) -> bool:
        return (await sys.get_status(pid))["hibernating"]

    async def main():
        pid = await machine.start(("ok", "off", []))
        await trio.sleep(1)
        cast(pid, lambda _, data: ("keep_state", [*data, 1], "hibernate"))
        await trio.sleep(1)
        assert await hibernates(pid)
        cast(pid, lambda _, data: ("keep_state", [*data, 2], ["hibernate", ("hibernate", False)]))
        await trio.sleep(1)
        assert not await hibernates(pid)
        assert await gen_statem.call(pid, "data") == [1, 2]
        pid = await machine.start(hibernate_after=2)
        await trio.sleep(1)
        assert not await hibernates(pid)  # and asking starts the time anew (G7)
        await trio.sleep(3)
        assert await hibernates(pid)
        assert await gen_statem.call(pid, "flip") == "on"

    as_process(main)


class Migrates(Switch):
    def code_change(self, old_vsn: Any, state: Any, data: Any, extra: Any) -> Any:
        if extra == "refuse":
            return "error", "refused"
        return "ok", "on", [old_vsn, state, extra]


class AsyncMigrates(Migrates, AsyncSwitch):
    pass


@suite("code_change", "undef_code_change")
@pytest.mark.parametrize("migrates", [Migrates, AsyncMigrates])
def test_code_change(as_process, migrates):
    async def main():
        pid = await migrates.start()
        await trio.sleep(1)
        await sys.suspend(pid)
        with pytest.raises(sys.CodeChangeError) as refused:
            await sys.change_code(pid, None, 1, "refuse")
        assert "refused" in str(refused.value)
        assert await sys.get_state(pid) == ("off", [])
        await sys.change_code(pid, None, 1, "extra")
        await sys.resume(pid)
        assert await sys.get_state(pid) == ("on", [1, "off", "extra"])
        pid = await Switch.start()
        await sys.suspend(pid)
        with pytest.raises(sys.CodeChangeError) as missing:
            await sys.change_code(pid, None, 1, None)
        assert missing.value.reason[0] == "EXIT"
        await sys.resume(pid)
        assert await gen_statem.call(pid, "flip") == "on"

    as_process(main)


def test_another_version_of_the_class_takes_over(as_process):
    class Other(Switch):
        def code_change(self, old_vsn: Any, state: Any, data: Any, extra: Any) -> Any:
            return "ok", "third", data

        def third(self, type: Any, content: Any, data: Any) -> Any:
            return "keep_state_and_data", [("reply", type[1], "third")]

    async def main():
        pid = await Switch.start()
        await sys.suspend(pid)
        await sys.change_code(pid, Other, 1, None)
        await sys.resume(pid)
        assert await gen_statem.call(pid, "x") == "third"

    as_process(main)


def test_callback_modules_change_hands(as_process, machine):
    """T7: change, push and pop; the state is what the new one makes of it."""

    class Events(machine):
        def callback_mode(self) -> Any:
            return "handle_event_function"

        def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
            match content:
                case "pop":
                    return "keep_state_and_data", "pop_callback_module"
            return "keep_state_and_data", [("reply", type[1], ("events", state))]

    async def main():
        pid = await machine.start()
        cast(pid, lambda *_: ("keep_state_and_data", [("push_callback_module", Events)]))
        assert await gen_statem.call(pid, "flip") == ("events", "off")
        cast(pid, "pop")
        assert await gen_statem.call(pid, "flip") == "on"
        cast(pid, lambda *_: ("keep_state_and_data", [("change_callback_module", Events)]))
        assert await gen_statem.call(pid, "flip") == ("events", "on")
        pid = await machine.start()
        cast(pid, lambda *_: ("keep_state_and_data", [("push_callback_module", "nowhere")]))
        (term, module), _ = await end_of(pid)
        assert (term, module) == ("not_a_callback_module", "nowhere")

    as_process(main)
