"""Crashes of machines, and what is said of them: G18 (gen_statem_SUITE)."""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp
from supervisors import (
    CallExit,
    CrashReport,
    ErrorReport,
    Exit,
    GenStateMachine,
    WarningReport,
    cast,
    gen_statem,
    sys,
)
from supervisors._gen_server.behaviour import Undefined
from supervisors.testing import end_of

from ..lives import raises
from .switches import AsyncSwitch, Switch, suite


@suite("undef_terminate1", "undef_terminate2")
def test_without_terminate(as_process):
    class Bare(GenStateMachine):
        def callback_mode(self) -> Any:
            return "handle_event_function"

        def init(self) -> Any:
            return "ok", "a", 0

        def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
            raise content

    async def main():
        await gen_statem.stop(await Bare.start())
        pid = await Bare.start()
        with pytest.raises(CallExit) as crashed:
            await gen_statem.call(pid, KeyError("x"))
        assert type(crashed.value.cause[0]) is KeyError

    as_process(main)


@suite("undef_in_terminate", "terminate_crash_format")
def test_a_terminate_that_raises(as_process, machine):
    async def main():
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        pid = await machine.start(("ok", "off", [raises(Undefined("in terminate"))]))
        with pytest.raises(Exit) as stopped:
            await gen_statem.stop(pid)
        assert type(stopped.value.reason[0]) is Undefined
        error, crash = reports
        assert isinstance(error, ErrorReport)
        assert error.state[0] == "off"
        assert isinstance(crash, CrashReport)
        assert crash.initial_call.endswith(machine.__qualname__)

    as_process(main)


def test_a_state_that_is_not_there(as_process):
    class Lost(GenStateMachine):
        def callback_mode(self) -> Any:
            return "state_functions"

        def init(self, state: Any) -> Any:
            return "ok", state, 0

        def _hidden(self, type: Any, content: Any, data: Any) -> Any:
            return "keep_state_and_data"

    async def main():
        for state in ("nowhere", "terminate", "start", "_hidden", 7, ["a"]):
            pid = await Lost.start(state)
            with pytest.raises(CallExit) as crashed:
                await gen_statem.call(pid, "x")
            assert type(crashed.value.cause[0]) is Undefined
            assert repr(state) in str(crashed.value.cause[0])

    as_process(main)


class Secretive(Switch):
    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        assert status.keys() >= {"state", "data", "message", "reason", "log", "queue", "postponed"}
        if status["data"] == ["broken"]:
            raise RuntimeError("in format_status")
        return {**status, "state": "shown", "data": "hidden"}


class AsyncSecretive(Secretive, AsyncSwitch):
    pass


@suite("call_format_status", "error_format_status", "format_all_status")
@pytest.mark.parametrize("secretive", [Secretive, AsyncSecretive])
def test_format_status(as_process, secretive):
    """G18."""

    async def main():
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        pid = await secretive.start(("ok", "off", ["secret"]))
        status = await sys.get_status(pid)
        assert status["state"] == ("shown", "hidden")
        assert status["behaviour"] == "gen_statem"
        assert status["module"].endswith(secretive.__qualname__)
        cast(pid, raises(RuntimeError("oops")))
        await end_of(pid)
        assert reports[0].state == ("shown", "hidden")
        assert "secret" not in repr(reports)
        reports.clear()
        pid = await secretive.start(("ok", "off", ["broken"]))
        assert (await sys.get_status(pid))["state"] == "format_status failed"
        assert isinstance(reports[0], WarningReport)
        assert otp.is_alive(pid)

    as_process(main)
