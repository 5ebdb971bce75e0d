"""GenServer rules G1-G15, for servers of plain callbacks and of async ones alike."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    CallExit,
    CrashReport,
    ErrorReport,
    Exit,
    GenServer,
    Ignore,
    StartError,
    Throw,
    WarningReport,
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


class Plain(GenServer):
    """Does what it is told: requests are functions of (from_, state), init a function."""

    def init(self, fn: Any = None) -> Any:
        return ("ok", []) if fn is None else fn()

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        if request == "state":
            return "reply", list(state), state
        return request(from_, state)

    def handle_cast(self, request: Any, state: Any) -> Any:
        return request(state) if callable(request) else ("noreply", [*state, request])

    def handle_info(self, message: Any, state: Any) -> Any:
        return message(state) if callable(message) else ("noreply", [*state, ("info", message)])

    def handle_continue(self, term: Any, state: Any) -> Any:
        return term(state) if callable(term) else ("noreply", [*state, ("continue", term)])

    def terminate(self, reason: Any, state: Any) -> None:
        for item in state or ():
            if callable(item):
                item(reason)


class Async(Plain):
    """The same, as a task process."""

    async def handle_cast(self, request: Any, state: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return Plain.handle_cast(self, request, state)


@pytest.fixture(params=[Plain, Async])
def server(request: pytest.FixtureRequest) -> type[GenServer]:
    return request.param


async def reason_of_end(pid: otp.Pid) -> Any:
    ref = monitor(pid)
    return (await receive(lambda m: m[0] == "DOWN" and m[1] is ref))[4]


def raises(error: BaseException) -> Any:
    def fn(*_: Any) -> Any:
        raise error

    return fn


def test_the_kind_follows_from_the_callbacks():
    assert Plain.is_plain
    assert not Async.is_plain


def test_self_cannot_keep_state():
    class Keeps(GenServer):
        def init(self):
            self.count = 0

    with pytest.raises(StartError, match=r"Keeps\.count cannot be assigned"):
        otp.run(Keeps.start)


@pytest.mark.parametrize(
    ("value", "told", "ended"),
    [
        (("stop", "no_disk"), "no_disk", "no_disk"),
        (("error", "no_disk"), "no_disk", "normal"),
        ("nonsense", ("bad_return_value", "nonsense"), ("bad_return_value", "nonsense")),
        (("ok",), ("bad_return_value", ("ok",)), ("bad_return_value", ("ok",))),
    ],
)
@pytest.mark.otp("gen_server", "start")
def test_init_that_refuses(as_process, server, value, told, ended):
    """G1: what the starter is told and what the process ends with; G2: the name is free."""

    async def main():
        ends: list[Any] = []

        def init() -> Any:
            me = self()

            async def watch() -> None:
                ref = monitor(me)
                ends.append((await receive(lambda m: m[1] is ref))[4])

            ends.append(otp.spawn(watch))
            return value

        with pytest.raises(StartError) as caught:
            await server.start(init, name="busy")
        assert caught.value.reason == told
        assert otp.whereis("busy") is None

    as_process(main)


def test_exit_reason_of_a_refused_start(as_process, server):
    """G1: `stop` ends with its reason, `error` and `ignore` with normal."""

    async def main():
        for value, expected in [
            (("stop", "no_disk"), "no_disk"),
            (("error", "no_disk"), "normal"),
            ("ignore", "normal"),
        ]:
            trap_exit(False)

            async def starter(value: Any = value) -> None:
                try:
                    await server.start_link(lambda: value)
                except (StartError, Ignore):
                    await trio.sleep(1)
                    raise Exit("survived") from None

            _, ref = spawn_monitor(starter)
            got = (await receive(lambda m, ref=ref: m[1] is ref))[4]
            assert got == ("survived" if expected == "normal" else expected)

    as_process(main)


def test_a_trapping_starter_gets_no_exit_of_a_failed_start(as_process, server):
    """OTP 26: the start function consumes it."""

    async def main():
        trap_exit()
        with pytest.raises(StartError):
            await server.start_link(lambda: ("stop", "bad"))
        with pytest.raises(Ignore):
            await server.start_link(lambda: "ignore")
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=1)

    as_process(main)


@pytest.mark.parametrize("linked", [False, True])
def test_a_deadly_signal_while_init_runs(as_process, server, linked):
    """The start fails with its reason; a trapping starter gets no EXIT of it (OTP 26)."""

    async def main():
        trap_exit()
        start = server.start_link if linked else server.start

        def init() -> Any:
            exit_signal(self(), "kill")
            return "ok", None

        with pytest.raises(StartError) as caught:
            await start(init, name="doomed")
        assert caught.value.reason == "killed"
        assert otp.whereis("doomed") is None
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=1)

    as_process(main)


def test_init_that_raises(as_process, server):
    async def main():
        boom = ValueError("boom")
        with pytest.raises(StartError) as caught:
            await server.start(raises(boom))
        assert caught.value.reason[0] is boom
        assert str(caught.value) == "ValueError: boom"
        with pytest.raises(StartError) as caught:
            await server.start(raises(Exit("gone")))
        assert caught.value.reason == "gone"
        pid = await server.start(raises(Throw(("ok", ["thrown"]))))
        assert await call(pid, "state") == ["thrown"]

    as_process(main)


@pytest.mark.otp("gen_server", "start")
def test_a_taken_name(as_process, server):
    """G2: already_started, init not called."""

    async def main():
        pid = await server.start(name="one")
        with pytest.raises(StartError) as caught:
            await server.start(raises(AssertionError("init ran")), name="one")
        assert caught.value.reason == ("already_started", pid)

    as_process(main)


def test_async_init_that_takes_too_long(as_process):
    class Slow(GenServer):
        async def init(self) -> Any:
            await trio.sleep(60)

    async def main():
        with pytest.raises(StartError) as caught:
            await Slow.start(timeout=1, name="slow")
        assert caught.value.reason == "timeout"
        assert otp.whereis("slow") is None

    as_process(main)


@pytest.mark.otp("gen_server", "call")
def test_returns_of_handle_call(as_process, server):
    """G4."""

    async def main():
        pid = await server.start()
        assert await call(pid, lambda f, s: ("reply", "r", [*s, 1])) == "r"
        assert await call(pid, "state") == [1]
        assert await call(pid, raises(Throw(("reply", "thrown", [2])))) == "thrown"
        assert await call(pid, "state") == [2]
        with pytest.raises(CallExit) as caught:
            await call(pid, lambda f, s: "what")
        assert caught.value.cause == ("bad_return_value", "what")
        assert caught.value.reason[1][0:2] == ("gen_server", "call")
        assert not otp.is_alive(pid)

    as_process(main)


@pytest.mark.parametrize(
    "value", [("reply", 1, []), ("noreply",), None, ("stop",), ("noreply", [], -1)]
)
@pytest.mark.otp("gen_server", "cast")
def test_bad_returns_of_handle_cast(as_process, server, value):
    async def main():
        pid = await server.start()
        cast(pid, lambda s: value)
        assert await reason_of_end(pid) == ("bad_return_value", value)

    as_process(main)


@pytest.mark.otp("gen_server", "call")
def test_noreply_and_a_later_reply(as_process, server):
    """G14: from any process, any time later."""

    async def main():
        pid = await server.start()
        me = self()

        async def client() -> None:
            send(me, ("got", await call(pid, lambda f, s: ("noreply", [f]))))

        otp.spawn(client)
        await trio.sleep(1)
        (from_,) = await call(pid, "state")
        otp.reply(from_, "late")
        assert await receive() == ("got", "late")
        otp.reply(from_, "again: silent")

    as_process(main)


def test_a_reply_from_inside_the_handler(as_process, server):
    async def main():
        pid = await server.start()

        def handler(from_: Any, state: Any) -> Any:
            otp.reply(from_, "early")
            return "noreply", [*state, "went on"]

        assert await call(pid, handler) == "early"
        assert await call(pid, "state") == ["went on"]

    as_process(main)


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


@pytest.mark.otp("gen_server", "continue")
def test_continue_runs_before_any_message(as_process, server):
    """G6: after init, chained, and ahead of what is queued."""

    async def main():
        def init() -> Any:
            send(self(), "queued")
            return "ok", [], ("continue", lambda s: ("noreply", [*s, "first"], ("continue", 2)))

        pid = await server.start(init)
        assert await call(pid, "state") == ["first", ("continue", 2), ("info", "queued")]

    as_process(main)


def test_timeouts(as_process, server):
    """G7: fires once when nothing arrives, cancelled by any message, renewed by system ones."""

    async def main():
        pid = await server.start(lambda: ("ok", [], 2.0))
        await trio.sleep(1.5)
        await otp.sys.get_state(pid)
        await trio.sleep(1.5)
        assert await otp.sys.get_state(pid) == []
        await trio.sleep(10)
        assert await call(pid, "state") == [("info", "timeout")]
        cast(pid, lambda s: ("noreply", [], 2.0))
        await trio.sleep(1)
        send(pid, "x")
        await trio.sleep(10)
        assert await call(pid, "state") == [("info", "x")]

    as_process(main)


def test_a_timeout_outlives_a_suspension_that_brings_no_message(as_process, server):
    async def main():
        pid = await server.start(lambda: ("ok", [], 2.0))
        await otp.sys.suspend(pid)
        await trio.sleep(10)
        assert await otp.sys.get_state(pid) == []
        await otp.sys.resume(pid)
        await trio.sleep(1.5)
        assert await otp.sys.get_state(pid) == []
        await trio.sleep(10)
        assert await otp.sys.get_state(pid) == [("info", "timeout")]

    as_process(main)


def test_a_zero_timeout_fires_only_if_the_mailbox_is_empty(as_process, server):
    async def main():
        pid = await server.start()

        def queued(state: Any) -> Any:
            send(self(), "first")
            return "noreply", state, 0

        cast(pid, queued)
        await trio.sleep(1)
        assert await call(pid, "state") == [("info", "first")]
        cast(pid, lambda s: ("noreply", [], 0))
        await trio.sleep(1)
        assert await call(pid, "state") == [("info", "timeout")]
        assert await call(pid, lambda f, s: ("reply", "r", ["called"], 0)) == "r"
        await trio.sleep(1)
        assert await call(pid, "state") == ["called", ("info", "timeout")]

    as_process(main)


def test_a_call_cancels_a_running_timeout(as_process, server):
    async def main():
        pid = await server.start(lambda: ("ok", [], 2.0))
        await trio.sleep(1)
        assert await call(pid, "state") == []
        await trio.sleep(10)
        assert await call(pid, "state") == []

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


@pytest.mark.otp("gen_server", "crash")
def test_reports_of_ends(as_process, server):
    """G10: reported for all but normal, shutdown and (shutdown, _)."""

    async def main():
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        for reason in ["normal", "shutdown", ("shutdown", 1)]:
            pid = await server.start()
            cast(pid, lambda s, reason=reason: ("stop", reason, s))
            assert await reason_of_end(pid) == reason
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
        assert await reason_of_end(pid) == "bad"
        assert [getattr(r, "kind", None) for r in reports] == [None, "exit"]

    as_process(main)


@pytest.mark.otp("gen_server", "undef_handle_call")
@pytest.mark.otp("gen_server", "undef_handle_cast")
@pytest.mark.otp("gen_server", "undef_handle_info")
def test_missing_callbacks(as_process):
    """G11."""

    class Bare(GenServer):
        pass

    async def main():
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        pid = await Bare.start()
        send(pid, "hello")
        await trio.sleep(1)
        assert otp.is_alive(pid)
        assert [type(r) for r in reports] == [WarningReport]
        with pytest.raises(CallExit, match="Bare has no handle_call"):
            await call(pid, "x")
        pid = await Bare.start()
        cast(pid, "x")
        assert isinstance((await reason_of_end(pid))[0], otp.Undefined)

    as_process(main)


def test_failures_of_call(as_process, server):
    """G12, G13."""

    async def main():
        with pytest.raises(CallExit) as caught:
            await call("nobody", 1)
        assert caught.value.cause == "noproc"
        pid = await server.start()
        start = trio.current_time()
        with pytest.raises(CallExit) as caught:
            await call(pid, lambda f, s: ("noreply", [f]), timeout=2)
        assert caught.value.cause == "timeout"
        assert trio.current_time() - start == pytest.approx(2)
        (from_,) = await call(pid, "state")
        otp.reply(from_, "late: dropped")
        assert otp.process_info(self()).message_queue_len == 0

        async def killer() -> None:
            await trio.sleep(1)
            exit_signal(pid, "kill")

        otp.spawn(killer)
        with pytest.raises(CallExit) as caught:
            await call(pid, lambda f, s: ("noreply", s), timeout=math.inf)
        assert caught.value.cause == "killed"
        with pytest.raises(CallExit) as caught:
            await call(pid, "state")
        assert caught.value.cause == "noproc"
        pid = await server.start()
        with pytest.raises(CallExit) as caught:
            await call(pid, lambda f, s: ("stop", "normal", s))
        assert caught.value.cause == "normal"

    as_process(main)


def test_an_uncaught_call_failure_is_the_callers_exit_reason(as_process):
    async def main():
        async def client() -> None:
            await call("nobody", "hi", timeout=3)

        _, ref = spawn_monitor(client)
        reason = (await receive(lambda m: m[1] is ref))[4]
        assert reason == ("noproc", ("gen_server", "call", ("nobody", "hi", 3)))

    as_process(main)


@pytest.mark.otp("gen_server", "calling_self")
def test_an_async_server_cannot_call_itself(as_process):
    class Selfish(GenServer):
        async def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            return "reply", await call(otp.self(), "x"), state

    async def main():
        pid = await Selfish.start()
        with pytest.raises(CallExit) as caught:
            await call(pid, "x")
        assert caught.value.cause[0] == "calling_self"

    as_process(main)


def test_cast_never_fails(as_process, server):
    """G15."""

    async def main():
        cast("nobody", 1)
        pid = await server.start()
        exit_signal(pid, "kill")
        cast(pid, 1)
        with pytest.raises(TypeError):
            cast(42, 1)

    as_process(main)


def test_a_cancelled_call_leaves_nothing_behind(as_process, server):
    async def main():
        pid = await server.start()
        with trio.move_on_after(1) as scope:
            await call(pid, lambda f, s: ("noreply", [f]), timeout=60)
        assert scope.cancelled_caught
        (from_,) = await call(pid, "state")
        otp.reply(from_, "nobody waits")
        assert otp.current_runtime().timers._heap == [] or len(otp.current_runtime().timers) == 0

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


@pytest.mark.otp("gen_server", "send_request")
def test_send_request(as_process, server):
    """G16: the answer or the failure comes as a message."""

    async def main():
        pid = await server.start()
        rid = otp.send_request(pid, lambda f, s: ("reply", "r", s))
        assert await receive() == ("$reply", rid, "r")
        rid = otp.send_request(pid, lambda f, s: ("noreply", s))
        forgotten = otp.send_request(pid, lambda f, s: ("noreply", s))
        otp.abandon(forgotten)
        await call(pid, "state")
        exit_signal(pid, "kill")
        assert await receive() == ("$error", rid, "killed")
        rid = otp.send_request(pid, "state")
        assert await receive(timeout=0) == ("$error", rid, "noproc")
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=1)

    as_process(main)


def test_call_or_send(as_process, server):
    """G16: as `send_request`, but for an answer that would be the next message."""

    async def main():
        pid = await server.start()
        assert otp.call_or_send(pid, lambda f, s: ("reply", "r", s)) == ("r", None)

        def early(from_, state):
            otp.reply(from_, "early")
            return "noreply", state

        assert otp.call_or_send(pid, early) == ("early", None)
        callers = []

        def later(from_, state):
            callers.append(from_)
            return "noreply", state

        answer, request = otp.call_or_send(pid, later)
        assert answer is None
        assert callers[0].pid == self()
        otp.reply(callers[0], "late")
        assert await receive(timeout=0) == ("$reply", request, "late")
        _, request = otp.call_or_send(pid, lambda f, s: ("stop", "tired", s))
        assert await receive() == ("$error", request, "tired")
        _, request = otp.call_or_send(pid, "state")
        assert await receive(timeout=0) == ("$error", request, "noproc")

    as_process(main)


def test_an_answer_does_not_overtake_what_came_before_it(as_process, server):
    async def main():
        pid = await server.start()
        me = self()

        def talkative(_from, state):
            send(me, "on the way")
            return "reply", "there", state

        answer, request = otp.call_or_send(pid, talkative)
        assert answer is None
        assert await receive() == "on the way"
        assert await receive() == ("$reply", request, "there")
        send(me, "unread")
        answer, request = otp.call_or_send(pid, lambda f, s: ("reply", "r", s))
        assert answer is None
        assert await receive() == "unread"
        assert await receive() == ("$reply", request, "r")

    as_process(main)


@pytest.mark.otp("gen_server", "error_format_status")
@pytest.mark.otp("gen_server", "crash_in_format_status")
@pytest.mark.otp("gen_server", "throw_in_format_status")
def test_format_status_guards_what_is_shown(as_process):
    """G18."""

    class Secretive(GenServer):
        def init(self, fn: Any) -> Any:
            return "ok", (fn, "secret")

        def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            raise ValueError("boom")

        def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
            return status["state"][0](status)

    async def main():
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        for fn in [
            lambda s: {**s, "state": "hidden"},
            raises(KeyError("x")),
            lambda s: {"state": "keys missing"},
        ]:
            pid = await Secretive.start(fn)
            assert "secret" not in str((await otp.sys.get_status(pid))["state"])
            with pytest.raises(CallExit):
                await call(pid, "x")
        errors = [r for r in reports if isinstance(r, ErrorReport)]
        assert [e.state for e in errors] == ["hidden", *["format_status failed"] * 2]

    as_process(main)


@pytest.mark.otp("sys", "suspend")
def test_sys_suspend_queues_and_resume_serves_in_order(as_process, server):
    async def main():
        pid = await server.start()
        await otp.sys.suspend(pid)
        await otp.sys.suspend(pid)
        for n in range(3):
            cast(pid, n)
        with pytest.raises(CallExit):
            await call(pid, "state", timeout=1)
        assert await otp.sys.get_state(pid) == []
        assert otp.process_info(pid).status == "suspended"
        assert (await otp.sys.get_status(pid))["status"] == "suspended"
        await otp.sys.resume(pid)
        assert await call(pid, "state") == [0, 1, 2]

    as_process(main)


@pytest.mark.otp("gen_server", "replace_state")
@pytest.mark.otp("gen_server", "get_state")
def test_sys_replace_state(as_process, server):
    async def main():
        pid = await server.start()
        assert await otp.sys.replace_state(pid, lambda s: [*s, "new"]) == ["new"]
        with pytest.raises(otp.sys.CallbackFailed, match="ValueError"):
            await otp.sys.replace_state(pid, raises(ValueError("no")))
        assert await call(pid, "state") == ["new"]

    as_process(main)


@pytest.mark.otp("sys", "trace")
def test_sys_trace_sees_messages_replies_and_the_end(as_process, server):
    async def main():
        pid = await server.start()
        events: list[Any] = []
        otp.sys.trace(pid, events.append)
        cast(pid, 1)
        await call(pid, "state")
        otp.sys.trace(pid, None)
        cast(pid, 2)
        await call(pid, "state")
        otp.sys.trace(pid, events.append)
        await otp.stop(pid)
        assert events[0] == ("in", ("$gen_cast", 1))
        assert events[1][1][0::2] == ("$gen_call", "state")
        assert events[2] == ("out", [1], self())
        assert events[3:] == [("exit", "normal")]

    as_process(main)
