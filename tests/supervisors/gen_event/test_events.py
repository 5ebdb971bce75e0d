"""Events, calls and other messages, and which handler gets them."""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp
from supervisors import BadArg, CallExit, HandlerError, WarningReport, gen_event, sys

from .handlers import Deaf, Echo, heard


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
