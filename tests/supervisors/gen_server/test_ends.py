"""How a server ends, whether `terminate` runs, and what is reported of it (G5, G8-G10, S26)."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    CallExit,
    CrashReport,
    ErrorReport,
    Exit,
    call,
    cast,
    exit_signal,
    monitor,
    receive,
    self,
    send,
    spawn_monitor,
    trap_exit,
)
from supervisors.testing import end_of

from ..lives import raises


def test_terminate_runs_before_the_reply_of_stop(as_process, server):
    """G5: and the reply is sent even if terminate raises, whose reason wins."""

    async def main():
        order: list[Any] = []
        pid = await server.start(lambda: ("ok", [lambda reason: order.append(reason)]))
        assert await call(pid, lambda f, s: ("stop", "done", "bye", s)) == "bye"
        order.append("replied")
        assert order == ["done", "replied"]

        boom = ValueError("in terminate")
        pid = await server.start(lambda: ("ok", [raises(boom)]))
        ref = monitor(pid)
        assert await call(pid, lambda f, s: ("stop", "done", "bye", s)) == "bye"
        assert (await receive(lambda m: m[1] is ref))[4][0] is boom

    as_process(main)


@pytest.mark.parametrize("reason", ["normal", "shutdown", "bang"])
def test_exit_of_the_parent(as_process, server, reason):
    """G8: a trapping server terminates, even for normal; other EXITs are messages."""

    async def main():
        log: list[Any] = []
        me = self()

        async def parent() -> None:
            def init() -> Any:
                trap_exit()
                return "ok", [log.append]

            pid = await server.start_link(init)
            send(me, pid)
            await receive()
            raise Exit(reason)

        boss = otp.spawn(parent)
        pid = await receive()
        stranger, ref = spawn_monitor(trio.sleep_forever)
        await call(pid, lambda f, s: (otp.link(stranger), ("reply", "ok", s))[1])
        exit_signal(pid, ("from", "exit/2"))
        exit_signal(stranger, "kill")
        await receive(lambda m: m[1] is ref)
        state = await call(pid, "state")
        assert state[1:] == [
            ("info", ("EXIT", me, ("from", "exit/2"))),
            ("info", ("EXIT", stranger, "killed")),
        ]
        ref = monitor(pid)
        send(boss, "end")
        assert (await receive(lambda m: m[1] is ref))[4] == reason
        assert log == [reason]

    as_process(main)


def test_terminate_is_not_called_on_a_signal_to_a_server_that_does_not_trap(as_process, server):
    """G9."""

    async def main():
        log: list[Any] = []
        for signal, expected in [("bang", "bang"), ("kill", "killed")]:
            pid = await server.start(lambda: ("ok", [log.append]))
            ref = monitor(pid)
            exit_signal(pid, signal)
            assert (await receive(lambda m, ref=ref: m[1] is ref))[4] == expected
        assert log == []
        pid = await server.start(lambda: ("ok", [log.append]))
        exit_signal(pid, "normal")
        assert await call(pid, "state")

    as_process(main)


@pytest.mark.otp("gen_server", "stop1")
@pytest.mark.otp("gen_server", "stop2")
def test_stop(as_process, server):
    """S26: through terminate; a wrong reason, a dead server and lateness are exits."""

    async def main():
        log: list[Any] = []
        pid = await server.start(lambda: ("ok", [log.append]))
        await otp.stop(pid)
        assert log == ["normal"]
        with pytest.raises(Exit) as caught:
            await otp.stop(pid)
        assert caught.value.reason == "noproc"
        pid = await server.start(lambda: ("ok", [raises(Exit("other"))]))
        with pytest.raises(Exit) as caught:
            await otp.stop(pid, "shutdown")
        assert caught.value.reason == "other"

    as_process(main)


@pytest.mark.otp("gen_server", "crash")
def test_reports_of_ends(as_process, server):
    """G10: reported for all but normal, shutdown and (shutdown, _)."""

    async def main():
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        for reason in ["normal", "shutdown", ("shutdown", 1)]:
            pid = await server.start()
            cast(pid, lambda s, reason=reason: ("stop", reason, s))
            assert await end_of(pid) == reason
        assert reports == []
        pid = await server.start(name="unlucky")
        boom = ValueError("boom")
        with pytest.raises(CallExit) as caught:
            await call(pid, raises(boom))
        assert caught.value.cause[0] is boom
        error, crash = reports
        assert isinstance(error, ErrorReport)
        assert error.name == "unlucky"
        assert error.state == []
        assert isinstance(crash, CrashReport)
        assert (crash.kind, crash.name, crash.pid) == ("error", "unlucky", pid)
        reports.clear()
        pid = await server.start()
        cast(pid, lambda s: ("stop", "bad", s))
        assert await end_of(pid) == "bad"
        assert [getattr(r, "kind", None) for r in reports] == [None, "exit"]

    as_process(main)
