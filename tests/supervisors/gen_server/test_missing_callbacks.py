"""Callbacks that are missing, that need what is not there, and every answer of handle_info (G11)."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import CallExit, CrashReport, GenServer, Report, WarningReport
from supervisors.testing import end_of

from ..lives import down_of


class Told(GenServer):
    """Does what it is told; has neither handle_continue nor terminate."""

    def handle_call(self, request: Any, _from: Any, state: Any) -> Any:
        return request(state)


class AsyncTold(Told):
    """The same as a task process."""

    async def handle_call(self, request: Any, _from: Any, state: Any) -> Any:
        return request(state)


class Broken(Told):
    """Its callbacks look for what does not exist."""

    def handle_info(self, message: Any, state: Any) -> Any:
        return state.nothing_of_that_name

    def terminate(self, reason: Any, state: Any) -> Any:
        if state == "breaks at the end":
            state.nothing_of_that_name()


class AsyncBroken(Broken):
    """The same as a task process."""

    async def handle_info(self, message: Any, state: Any) -> Any:
        return super().handle_info(message, state)


@pytest.mark.otp("gen_server", "undef_handle_call")
@pytest.mark.otp("gen_server", "undef_handle_cast")
@pytest.mark.otp("gen_server", "undef_handle_info")
def test_missing_callbacks(as_process: Any) -> None:
    """G11."""

    class Bare(GenServer):
        pass

    async def main() -> None:
        reports: list[Report] = []
        otp.current_runtime().subscribe(reports.append)
        pid = await Bare.start()
        otp.send(pid, "hello")
        await trio.sleep(1)
        assert otp.is_alive(pid)
        assert [type(r) for r in reports] == [WarningReport]
        with pytest.raises(CallExit, match="Bare has no handle_call"):
            await otp.call(pid, "x")
        pid = await Bare.start()
        otp.cast(pid, "x")
        assert isinstance((await end_of(pid))[0], otp.Undefined)

    as_process(main)


@pytest.mark.otp("gen_server", "undef_handle_continue")
@pytest.mark.parametrize("module", [Told, AsyncTold])
def test_no_handle_continue_is_a_crash(as_process: Any, module: type[Told]) -> None:
    async def main() -> None:
        server = await module.start()
        ref = otp.monitor(server)
        answer = await otp.call(server, lambda s: ("reply", "first", s, ("continue", "on")))
        assert answer == "first"
        error, stack = await down_of(ref)
        assert isinstance(error, otp.Undefined)
        assert isinstance(stack, otp.Stack)
        assert "has no handle_continue for 'on'" in str(error)

    as_process(main)


@pytest.mark.otp("gen_server", "undef_terminate1")
@pytest.mark.otp("gen_server", "undef_terminate2")
@pytest.mark.parametrize("module", [Told, AsyncTold])
@pytest.mark.parametrize("reason", ["normal", "shutdown", "bad"])
def test_no_terminate_is_no_error(as_process: Any, module: type[Told], reason: str) -> None:
    async def main() -> None:
        server = await module.start()
        ref = otp.monitor(server)
        with pytest.raises(CallExit) as left:
            await otp.call(server, lambda s: ("stop", reason, s))
        assert left.value.cause == reason
        assert await down_of(ref) == reason

    as_process(main)


@pytest.mark.otp("gen_server", "undef_in_terminate")
@pytest.mark.parametrize("module", [Broken, AsyncBroken])
def test_what_breaks_in_terminate_is_the_reason(as_process: Any, module: type[Told]) -> None:
    async def main() -> None:
        server = await module.start()
        ref = otp.monitor(server)
        assert (
            await otp.call(server, lambda _: ("stop", "normal", "bye", "breaks at the end"))
            == "bye"
        )
        error, _stack = await down_of(ref)
        assert isinstance(error, AttributeError)

    as_process(main)


@pytest.mark.otp("gen_server", "undef_in_handle_info")
@pytest.mark.parametrize("module", [Broken, AsyncBroken])
def test_what_breaks_in_handle_info_is_no_missing_callback(
    as_process: Any, module: type[Told]
) -> None:
    async def main() -> None:
        reports: list[Report] = []
        otp.current_runtime().subscribe(reports.append)
        server = await module.start()
        ref = otp.monitor(server)
        otp.send(server, "hello")
        error, _stack = await down_of(ref)
        assert isinstance(error, AttributeError)
        assert not [report for report in reports if isinstance(report, WarningReport)]
        assert [report.pid for report in reports if isinstance(report, CrashReport)] == [server]

    as_process(main)


@pytest.mark.otp("gen_server", "info")
@pytest.mark.parametrize("async_", [False, True])
def test_every_answer_of_handle_info(as_process: Any, async_: bool) -> None:
    class Informed(GenServer):
        def init(self) -> Any:
            return "ok", []

        def handle_call(self, _request: Any, _from: Any, state: Any) -> Any:
            return "reply", state, state

        def handle_info(self, message: Any, state: Any) -> Any:
            seen = [*state, message if isinstance(message, str) else message[0]]
            return message[1](seen) if isinstance(message, tuple) else ("noreply", seen)

        def handle_continue(self, term: Any, state: Any) -> Any:
            return "noreply", [*state, term]

    class AsyncInformed(Informed):
        async def handle_info(self, message: Any, state: Any) -> Any:
            return super().handle_info(message, state)

    async def main() -> None:
        server = await (AsyncInformed if async_ else Informed).start()
        ref = otp.monitor(server)
        otp.send(server, "plain")
        otp.send(server, ("continues", lambda s: ("noreply", s, ("continue", "went on"))))
        assert await otp.call(server, "seen") == ["plain", "continues", "went on"]
        otp.send(server, ("waits", lambda s: ("noreply", s, 2.0)))
        await trio.sleep(3.0)
        assert (await otp.call(server, "seen"))[-1] == "timeout"
        otp.send(server, ("stops", lambda s: ("stop", "done", s)))
        assert await down_of(ref) == "done"
        server = await Informed.start()
        ref = otp.monitor(server)
        otp.send(server, ("odd", lambda _: "nonsense"))
        assert await down_of(ref) == ("bad_return_value", "nonsense")

    as_process(main)
