"""Managers and handlers, case by case of OTP's gen_event suite; the order of things is in
the scenarios (test_e01 to test_e03).
"""

from __future__ import annotations

import sys as python
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    BadArg,
    CallExit,
    GenEvent,
    HandlerError,
    HandlerReport,
    StartError,
    SupFlags,
    WarningReport,
    gen_event,
    sys,
)

from ..scenarios.harness import drain


class Echo(GenEvent):
    """Sends all it gets to the process it was started with."""

    def init(self, args: Any) -> Any:
        return ("error", "my_error") if args == "make_error" else ("ok", args)

    def handle_event(self, event: Any, to: Any) -> Any:
        if event == "crash":
            raise ValueError("asked to")
        if isinstance(event, tuple) and event[0] == "return":
            return event[1]
        otp.send(to, ("event", event))
        return "ok", to

    def handle_call(self, request: Any, to: Any) -> Any:
        match request:
            case "hibernate":
                return "ok", True, to, "hibernate"
            case ("return", value):
                return value
            case "crash":
                raise ValueError("asked to")
        return "ok", ("echo", request), to

    def handle_info(self, message: Any, to: Any) -> Any:
        if to is not None:
            otp.send(to, ("info", message))
        return "ok", to

    def terminate(self, argument: Any, to: Any) -> Any:
        return "bye" if argument == "say bye" else None


class Deaf(GenEvent):
    """Has no handle_info."""

    def handle_event(self, event: Any, state: Any) -> Any:
        return "ok", state


class Secret(GenEvent):
    """Its state is nobody's business."""

    def handle_event(self, event: Any, state: Any) -> Any:
        raise ValueError("gave up")

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        return {**status, "state": "redacted"}


class Careless(Secret):
    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("cannot even redact")


class Picky(GenEvent):
    def init(self, args: Any) -> Any:
        raise ValueError(f"not with these: {args!r}")


async def heard() -> list[Any]:
    return await otp.receive(timeout=1)  # type: ignore[no-any-return]


@pytest.mark.otp("gen_event_SUITE", "start")
def test_ways_to_start_and_stop(as_process: Any) -> None:
    async def body() -> None:
        otp.trap_exit()
        for start in (gen_event.start, gen_event.start_link):
            pid = await start()
            assert await gen_event.which_handlers(pid) == []
            await gen_event.stop(pid)
            named = await start(name="events")
            assert otp.whereis("events") is named
            with pytest.raises(StartError) as taken:
                await start(name="events")
            assert taken.value.reason == ("already_started", named)
            await gen_event.stop("events")
            assert otp.whereis("events") is None
        pid = await gen_event.start_link()
        await gen_event.stop(pid, "shutdown", 10)
        left = []
        while len(left) < 3:
            left.append(await heard())
        assert [message[2] for message in left] == ["normal", "normal", "shutdown"]

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "add_handler")
def test_a_handler_that_refuses_is_not_added(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        for handler in (Echo, (Echo, "second")):
            with pytest.raises(HandlerError) as refused:
                await gen_event.add_handler(pid, handler, "make_error")
            assert refused.value.reason == ("error", "my_error")
        await gen_event.add_handler(pid, Echo)
        await gen_event.add_handler(pid, (Echo, otp.self()))
        assert await gen_event.which_handlers(pid) == [(Echo, otp.self()), Echo]

    as_process(body)


@pytest.mark.parametrize("wrong", ["Echo", GenEvent, (dict, 1), (Echo, 1, 2), None])
def test_what_is_no_handler_is_an_error_of_the_caller(as_process: Any, wrong: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        with pytest.raises(TypeError, match="subclass of GenEvent"):
            await gen_event.add_handler(pid, wrong)
        assert otp.is_alive(pid)

    as_process(body)


def test_async_callbacks_are_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match=r"handle_event is async.*must not wait"):

        class _Waits(GenEvent):
            async def handle_event(self, event: Any, state: Any) -> Any: ...


def test_a_handler_has_no_attributes_to_forget_state_in() -> None:
    with pytest.raises(AttributeError, match="the state its callbacks return"):
        Echo.module.count = 1  # type: ignore[attr-defined]


@pytest.mark.otp("gen_event_SUITE", "add_sup_handler")
def test_the_end_of_the_manager_is_told_once_for_each_handler(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_sup_handler(pid, Echo)
        await gen_event.add_sup_handler(pid, (Echo, 2))
        await gen_event.stop(pid, "shutdown")  # no EXIT of it: we do not trap, and live
        assert await heard() == ("gen_event_EXIT", (Echo, 2), "shutdown")
        assert await heard() == ("gen_event_EXIT", Echo, "shutdown")

    as_process(body)


def test_a_manager_outlives_its_unlinked_starter_that_supervises_a_handler(as_process: Any) -> None:
    async def body() -> None:
        async def starter() -> None:
            pid = await gen_event.start(name="events")
            await gen_event.add_handler(pid, (Echo, "stays"))
            await gen_event.add_sup_handler(pid, (Echo, "goes"))
            raise otp.Exit("done")

        _pid, ref = otp.spawn_monitor(starter)
        await otp.receive(lambda message: message[1] is ref)
        assert await gen_event.which_handlers("events") == [(Echo, "stays")]

    as_process(body)


def test_the_exit_of_the_parent_ends_the_manager(as_process: Any) -> None:
    async def body() -> None:
        otp.trap_exit()
        me = otp.self()

        async def parent() -> None:
            pid = await gen_event.start_link()
            await gen_event.add_handler(pid, Echo)
            otp.send(me, pid)
            raise otp.Exit("enough")

        otp.spawn(parent)
        pid = await otp.receive(lambda message: isinstance(message, otp.Pid))
        ref = otp.monitor(pid)
        down = await otp.receive(lambda message: message[1] is ref)
        assert down[4] in ("enough", "noproc")
        assert not otp.is_alive(pid)

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "delete_handler")
def test_delete_answers_what_terminate_returns(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Echo)
        await gen_event.add_handler(pid, (Echo, 1))
        with pytest.raises(HandlerError, match="no such handler"):
            await gen_event.delete_handler(pid, (Echo, 2))
        assert await gen_event.delete_handler(pid, Echo, "say bye") == "bye"
        assert await gen_event.which_handlers(pid) == [(Echo, 1)]
        assert await gen_event.delete_handler(pid, (Echo, 1)) is None

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "swap_handler")
@pytest.mark.otp("gen_event_SUITE", "swap_sup_handler")
@pytest.mark.parametrize("swap", [gen_event.swap_handler, gen_event.swap_sup_handler])
def test_a_swapped_handler_keeps_its_supervisor(as_process: Any, swap: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_sup_handler(pid, (Echo, 3))
        await swap(pid, ((Echo, 3), "say bye"), ((Deaf, 4), "args"))
        assert await heard() == ("gen_event_EXIT", (Echo, 3), ("swapped", (Deaf, 4), otp.self()))
        assert (await sys.get_state(pid)) == [(Deaf, 4, ("args", "bye"))]
        await gen_event.delete_handler(pid, (Deaf, 4))
        assert await heard() == ("gen_event_EXIT", (Deaf, 4), "normal")

    as_process(body)


@pytest.mark.parametrize(
    ("successor", "reason"), [(dict, "no event handler"), (Picky, "not with these")]
)
def test_a_swap_from_inside_that_fails_tells_the_reason(
    as_process: Any, successor: Any, reason: str
) -> None:
    """OTP says only `crash` here; the reason is worth more."""

    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_sup_handler(pid, Echo)
        gen_event.notify(pid, ("return", ("swap_handler", "arg", None, successor, "args")))
        assert await gen_event.which_handlers(pid) == []
        messages = await drain()
        _tag, gone, (how, (error, _stack)) = messages[-1]
        assert how == "EXIT"
        assert reason in str(error)
        if successor is Picky:
            assert messages[0] == ("gen_event_EXIT", Echo, ("swapped", Picky, otp.self()))
            assert gone is Picky
        else:
            assert gone is Echo

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "notify")
def test_notify_goes_to_all_and_a_crash_to_the_supervisor_alone(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start(name="events")
        await gen_event.add_handler(pid, Echo, otp.self())
        gen_event.notify("events", 1)
        assert await heard() == ("event", 1)
        await gen_event.delete_handler(pid, Echo)
        await gen_event.add_sup_handler(pid, Echo, otp.self())
        gen_event.notify(pid, "crash")
        tag, handler, (how, (error, stack)) = await heard()
        assert (tag, handler, how) == ("gen_event_EXIT", Echo, "EXIT")
        assert isinstance(error, ValueError)
        assert isinstance(stack, otp.Stack)
        assert otp.is_alive(pid)
        await gen_event.stop(pid)
        gen_event.notify(pid, "into the void")
        with pytest.raises(BadArg, match="'events'"):
            gen_event.notify("events", 2)

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "sync_notify")
def test_sync_notify_returns_when_all_have_handled_it(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, (Echo, 1), otp.self())
        await gen_event.add_handler(pid, (Echo, 2), otp.self())
        await gen_event.sync_notify(pid, "now")
        me = otp.process_info(otp.self())
        assert me is not None
        assert me.message_queue_len == 2
        await gen_event.stop(pid)
        with pytest.raises(CallExit) as lost:
            await gen_event.sync_notify(pid, "gone")
        assert lost.value.cause == "noproc"

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "call")
def test_calls_and_their_failures(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, (Echo, 1))
        assert await gen_event.call(pid, (Echo, 1), "hi") == ("echo", "hi")
        with pytest.raises(HandlerError) as missing:
            await gen_event.call(pid, Echo, "hi")
        assert missing.value.reason == "bad_module"
        reply = ("error", "is a reply like any other")
        assert await gen_event.call(pid, (Echo, 1), ("return", ("ok", reply, None))) == reply
        with pytest.raises(HandlerError) as bad:
            await gen_event.call(pid, (Echo, 1), ("return", "faulty"))
        assert bad.value.reason == "faulty"
        await gen_event.add_handler(pid, Echo)
        with pytest.raises(HandlerError, match="ValueError: asked to"):
            await gen_event.call(pid, Echo, "crash")
        assert await gen_event.which_handlers(pid) == []
        with pytest.raises(CallExit) as nobody:
            await gen_event.call("non_exist", Echo, "hi")
        assert nobody.value.reason == (
            "noproc",
            ("gen_event", "call", ("non_exist", Echo, "hi", 5.0)),
        )
        await sys.suspend(pid)
        with pytest.raises(CallExit) as late:
            await gen_event.call(pid, Echo, "hi", timeout=0.5)
        assert late.value.cause == "timeout"

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "info")
@pytest.mark.otp("gen_event_SUITE", "undef_handle_info")
def test_other_messages_and_stray_requests_go_to_handle_info(as_process: Any) -> None:
    async def body() -> None:
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Echo, otp.self())
        otp.send(pid, "hello")
        otp.cast(pid, "stray")
        assert await heard() == ("info", "hello")
        assert await heard() == ("info", ("$gen_cast", "stray"))
        with pytest.raises(CallExit):
            await otp.call(pid, "stray", timeout=1)
        await gen_event.add_handler(pid, Deaf)
        otp.send(pid, "hello")
        assert await gen_event.which_handlers(pid) == [Deaf, Echo]
        assert [r.text for r in reports if isinstance(r, WarningReport)] == [
            "Deaf has no handle_info; message dropped"
        ]

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "hibernate")
def test_hibernate_is_a_return_value_like_any_other(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Echo, otp.self())
        assert await gen_event.call(pid, Echo, "hibernate") is True
        await gen_event.sync_notify(pid, ("return", ("ok", otp.self(), "hibernate")))
        gen_event.notify(pid, "awake")
        assert await heard() == ("event", "awake")

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "undef_handle_event")
@pytest.mark.otp("gen_event_SUITE", "undef_terminate")
def test_a_handler_without_the_callback_is_removed(as_process: Any) -> None:
    class Empty(GenEvent):
        pass

    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_sup_handler(pid, Empty)
        gen_event.notify(pid, "event")
        _tag, _handler, (_exit, (error, _stack)) = await heard()
        assert isinstance(error, otp.Undefined)
        await gen_event.add_handler(pid, Empty)
        assert await gen_event.delete_handler(pid, Empty) is None

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "get_state")
def test_sys_shows_every_handler_with_its_state(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Deaf, "one")
        await gen_event.add_handler(pid, (Deaf, 2), "two")
        state = await sys.get_state(pid)
        assert state == [(Deaf, 2, "two"), (Deaf, None, "one")]

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "replace_state")
def test_replace_state_asks_for_each_handler_and_keeps_what_fails(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        for id in (1, 2, 3):
            await gen_event.add_handler(pid, (Deaf, id), id)

        def fn(triple: Any) -> Any:
            handler, id, state = triple
            if id == 1:
                raise ValueError("not this one")
            return (handler, id, state * 10) if id == 2 else (handler, "other", 0)

        after = [(Deaf, 3, 3), (Deaf, 2, 20), (Deaf, 1, 1)]
        assert await sys.replace_state(pid, fn) == after
        assert await sys.get_state(pid) == after

    as_process(body)


class Reloaded(Deaf):
    """Another class takes its name in the test below."""


@pytest.mark.otp("gen_event_SUITE", "undef_code_change")
def test_a_handler_loaded_anew_needs_code_change(
    as_process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Reloaded, "old")
        await sys.suspend(pid)
        anew = type("Reloaded", (Deaf,), {"__module__": __name__})
        monkeypatch.setattr(python.modules[__name__], "Reloaded", anew)
        with pytest.raises(sys.CodeChangeError, match="has no code_change"):
            await sys.change_code(pid, None, 1, None)
        await sys.resume(pid)
        assert (await gen_event.which_handlers(pid))[0] is not anew
        await sys.suspend(pid)
        anew.code_change = lambda self, old_vsn, state, extra: ("ok", "new")  # type: ignore[attr-defined]
        await sys.change_code(pid, None, 1, None)
        assert await sys.get_state(pid) == [(anew, None, "new")]

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "start_opt")
@pytest.mark.otp("gen_event_SUITE", "auto_hibernate")
@pytest.mark.parametrize("start", [gen_event.start, gen_event.start_link])
def test_hibernate_after_a_while_without_events(as_process: Any, start: Any) -> None:
    async def body() -> None:
        pid = await start(hibernate_after=5)
        await gen_event.add_handler(pid, Echo, otp.self())
        assert not (await sys.get_status(pid))["hibernating"]
        await trio.sleep(6)
        assert (await sys.get_status(pid))["hibernating"]
        gen_event.notify(pid, "awake")
        assert await heard() == ("event", "awake")
        assert not (await sys.get_status(pid))["hibernating"]

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "undef_handle_call")
@pytest.mark.otp("gen_event_SUITE", "undef_in_terminate")
def test_a_call_without_handle_call_and_a_terminate_that_fails(as_process: Any) -> None:
    class Half(GenEvent):
        def terminate(self, argument: Any, state: Any) -> Any:
            return self.not_there()  # type: ignore[attr-defined]

    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Half)
        with pytest.raises(HandlerError, match="no handle_call"):
            await gen_event.call(pid, Half, "hello?")
        await gen_event.add_handler(pid, Half)
        with pytest.raises(HandlerError, match="not_there"):
            await gen_event.delete_handler(pid, Half)
        assert await gen_event.which_handlers(pid) == []

    as_process(body)


def test_code_change_migrates_the_handlers_that_can(as_process: Any) -> None:
    class Grows(Deaf):
        def code_change(self, old_vsn: Any, state: Any, extra: Any) -> Any:
            if state == "stuck":
                raise ValueError("cannot go on from here")
            return "ok", (old_vsn, state, extra)

    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Deaf, "kept")
        await gen_event.add_handler(pid, Grows, "old")
        await sys.suspend(pid)
        await sys.change_code(pid, None, 1, "extra")
        migrated = [(Grows, None, (1, "old", "extra")), (Deaf, None, "kept")]
        assert await sys.get_state(pid) == migrated
        await sys.resume(pid)
        await gen_event.add_handler(pid, (Grows, 2), "stuck")
        await sys.suspend(pid)
        with pytest.raises(sys.CodeChangeError, match="cannot go on"):
            await sys.change_code(pid, None, 2, "extra")
        assert await sys.get_state(pid) == [(Grows, 2, "stuck"), *migrated]

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "call_format_status")
@pytest.mark.otp("gen_event_SUITE", "call_format_status_anon")
def test_status_shows_what_each_handler_lets_be_seen(as_process: Any) -> None:
    async def body() -> None:
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        pid = await gen_event.start()
        for handler in (Deaf, Secret, Careless):
            await gen_event.add_handler(pid, handler, "password")
        state = (await sys.get_status(pid))["state"]
        assert state == [
            (Careless, None, "format_status failed"),
            (Secret, None, "redacted"),
            (Deaf, None, "password"),
        ]
        assert [r.text for r in reports if isinstance(r, WarningReport)] == [
            "Careless.format_status failed: RuntimeError: cannot even redact"
        ]

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "error_format_status")
def test_the_report_of_a_removed_handler(as_process: Any) -> None:
    async def body() -> None:
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        pid = await gen_event.start(name="events")
        await gen_event.add_handler(pid, (Secret, "vault"), "password")
        await gen_event.sync_notify(pid, "open")
        (report,) = [r for r in reports if isinstance(r, HandlerReport)]
        assert report.pid is pid
        assert (report.handler, report.manager) == ((Secret, "vault"), "events")
        assert str(report) == (
            "event handler (Secret, 'vault') in events was removed: (EXIT, ValueError: gave up); "
            "last event 'open'; state 'redacted'"
        )

    as_process(body)


def test_suspended_it_keeps_its_events(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Echo, otp.self())
        await sys.suspend(pid)
        gen_event.notify(pid, 1)
        gen_event.notify(pid, 2)
        assert await sys.get_state(pid) == [(Echo, None, otp.self())]
        await sys.resume(pid)
        assert [await heard(), await heard()] == [("event", 1), ("event", 2)]

    as_process(body)


def test_as_a_child_it_comes_back_without_handlers_and_its_supervisors_are_told(
    as_process: Any,
) -> None:
    class Tree(otp.Supervisor):
        def init(self) -> Any:
            return SupFlags(), [gen_event.child_spec(name="events")]

    async def body() -> None:
        otp.trap_exit()
        tree = await Tree.start_link()
        (child,) = await otp.which_children(tree)
        assert (child.id, child.modules) == ("events", "dynamic")
        await gen_event.add_sup_handler("events", Echo)
        otp.exit("events", "kill")
        assert (await heard())[2] == "killed"
        await otp.which_children(tree)
        assert await gen_event.which_handlers("events") == []

    as_process(body)
