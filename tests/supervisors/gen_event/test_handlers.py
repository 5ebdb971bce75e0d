"""Handlers come and go: added, refused, deleted, swapped. The order of things is in the
scenarios (test_e01 to test_e03).
"""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp
from supervisors import GenEvent, HandlerError, gen_event, sys

from ..scenarios.harness import drain
from .handlers import Deaf, Echo, heard


class Picky(GenEvent):
    def init(self, args: Any) -> Any:
        raise ValueError(f"not with these: {args!r}")


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
