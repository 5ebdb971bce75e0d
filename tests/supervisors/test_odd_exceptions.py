"""Exceptions that are no `Exception`: a crash like any other, but for Ctrl-C (K8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    CallExit,
    CrashReport,
    ErrorReport,
    Exit,
    GenEvent,
    GenServer,
    StartError,
    Supervisor,
    SupFlags,
    call,
    cast,
    gen_event,
    sys,
)
from supervisors.testing import end_of, events, wait_all_blocked


class Odd(BaseException):
    pass


ODD = [
    Odd("odd"),
    SystemExit(3),
    asyncio.CancelledError(),
    BaseExceptionGroup("several", [Odd("one"), ValueError("two")]),
]


class Plain(GenServer):
    def init(self, error: BaseException, where: str = "") -> Any:
        if where == "init":
            raise error
        return "ok", error

    def handle_continue(self, term: Any, error: BaseException) -> Any:
        raise error

    def handle_call(self, request: Any, from_: Any, error: BaseException) -> Any:
        if request == "continue":
            return "noreply", error, ("continue", "now")
        raise error

    def handle_cast(self, request: Any, error: BaseException) -> Any:
        raise error

    def handle_info(self, message: Any, error: BaseException) -> Any:
        raise error

    def terminate(self, reason: Any, error: BaseException) -> None:
        if reason == "raise":
            raise error


class Waits(Plain):
    async def handle_info(self, message: Any, error: BaseException) -> Any:
        await trio.lowlevel.checkpoint()
        raise error


BOTH = pytest.mark.parametrize("server", [Plain, Waits])
EACH = pytest.mark.parametrize("error", ODD, ids=lambda error: type(error).__name__)


@BOTH
@EACH
def test_a_start(as_process, server, error):
    async def body() -> None:
        before = otp.current_runtime().processes()
        with pytest.raises(StartError) as failed:
            await server.start(error, "init", name="s")
        assert failed.value.reason[0] is error
        assert otp.whereis("s") is None
        assert otp.current_runtime().processes() == before

    as_process(body)


@BOTH
@EACH
def test_callbacks(as_process, server, error):
    async def body() -> None:
        me = otp.self()
        for request in ("raise", "continue"):
            with events() as seen:
                with pytest.raises(CallExit) as failed:
                    await call(await server.start(error), request)
                assert failed.value.cause[0] is error
                assert [type(report) for report in seen.all] == [ErrorReport, CrashReport]
        for cause in (cast, otp.send):
            pid = await server.start(error)
            reason = await end_of(pid, lambda cause=cause, pid=pid: cause(pid, "anything"))
            assert reason[0] is error
        assert otp.self() is me

    as_process(body)


@BOTH
@EACH
def test_requests_without_waiting(as_process, server, error):
    async def body() -> None:
        for ask in (otp.send_request, otp.call_or_send):
            pid = await server.start(error)
            asked = ask(pid, "?")
            request = asked[1] if isinstance(asked, tuple) else asked
            tag, answered, reason = await otp.receive(timeout=1)
            assert (tag, answered, reason[0]) == ("$error", request, error)
        with pytest.raises(trio.TooSlowError):
            await otp.receive(timeout=1)

    as_process(body)


@BOTH
@EACH
def test_terminate(as_process, server, error):
    async def body() -> None:
        me = otp.self()
        pid = await server.start(error, name="s")
        with pytest.raises(Exit) as failed:
            await otp.stop(pid, "raise")
        assert failed.value.reason[0] is error
        assert otp.whereis("s") is None
        assert otp.self() is me

    as_process(body)


@BOTH
@EACH
def test_functions_for_sys_are_the_askers(as_process, server, error):
    async def body() -> None:
        pid = await server.start("state")

        def fails(_state: Any) -> Any:
            raise error

        with pytest.raises(sys.CallbackFailed) as failed:
            await sys.replace_state(pid, fails)
        assert failed.value.reason is error
        assert await sys.get_state(pid) == "state"

    as_process(body)


@EACH
def test_an_event_handler_is_removed_and_its_manager_lives(as_process, error):
    class Fails(GenEvent):
        def handle_event(self, event: Any, state: Any) -> Any:
            raise error

    async def body() -> None:
        manager = await gen_event.start()
        await gen_event.add_handler(manager, Fails)
        await gen_event.sync_notify(manager, "anything")
        assert await gen_event.which_handlers(manager) == []

    as_process(body)


@EACH
def test_a_subscriber_of_reports_is_dropped(as_process, error, capsys):
    async def body() -> None:
        def fails(_report: object) -> None:
            raise error

        otp.current_runtime().subscribe(fails)
        with pytest.raises(CallExit):
            await call(await Plain.start(ValueError("plain")), "raise")

    as_process(body)
    assert "subscriber removed" in capsys.readouterr().err


@BOTH
def test_a_supervisor_restarts_the_child(as_process, server):
    class Top(Supervisor):
        def init(self) -> Any:
            return SupFlags(), [server.child_spec(SystemExit(1), name="child")]

    async def body() -> None:
        await Top.start_link()
        old = otp.whereis("child")
        assert old is not None
        cast(old, "exit")
        await wait_all_blocked()
        assert otp.whereis("child") not in (None, old)

    as_process(body)


@BOTH
@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("where", ["call", "cast", "info", "terminate", "init"])
def test_control_c_ends_the_program_as_what_it_is(as_process, server, where, group):
    error: BaseException = KeyboardInterrupt()
    if group:
        error = BaseExceptionGroup("of a nursery", [error])

    async def body() -> None:
        if where == "init":
            await server.start(error, "init")
        pid = await server.start(error)
        if where == "call":
            await call(pid, "anything")
        elif where == "terminate":
            await otp.stop(pid, "raise")
        else:
            (cast if where == "cast" else otp.send)(pid, "anything")
        await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        as_process(body)


def test_the_first_process_may_end_the_program(as_process):
    async def body() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit) as ended:
        as_process(body)
    assert ended.value.code == 3
