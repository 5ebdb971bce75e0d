"""Events of every type, calls and their replies, time-outs: T6, G3, G13 (gen_statem_SUITE)."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import CallExit, Throw, cast, gen_statem, receive, send, sys

from .switches import suite


@suite("event_types", "reply_by_alias_with_payload")
def test_every_type_of_event(as_process, machine):
    async def main():
        pid = await machine.start()
        types = ["cast", "info", "internal", "timeout", "state_timeout", ("timeout", "x")]

        def insert(type: Any, data: Any) -> Any:
            kind, from_ = type
            assert kind == "call"
            inserted = [("next_event", t, n) for n, t in enumerate(types)]
            return "keep_state", [], [*inserted, ("next_event", ("call", from_), "data")]

        assert await gen_statem.call(pid, insert) == [(t, n) for n, t in enumerate(types)]
        send(pid, "hello")
        cast(pid, "word")
        assert (await gen_statem.call(pid, "data"))[-2:] == [("info", "hello"), ("cast", "word")]

    as_process(main)


@suite("abnormal1", "abnormal1clean")
def test_a_call_that_times_out(as_process, machine):
    """T6, G13: a call waits for ever by itself; a late reply is dropped."""

    async def main():
        pid = await machine.start()
        callers: list[Any] = []

        def keep(type: Any, data: Any) -> Any:
            callers.append(type[1])
            return "keep_state_and_data"

        with pytest.raises(CallExit) as late:
            await gen_statem.call(pid, keep, 3)
        assert late.value.reason == ("timeout", ("gen_statem", "call", (pid, keep, 3)))
        otp.reply(callers.pop(), "late")

        async def in_an_hour() -> None:
            await trio.sleep(3600)
            otp.reply(callers.pop(), "at last")

        otp.spawn(in_an_hour)
        assert await gen_statem.call(pid, keep) == "at last"
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=1)

    as_process(main)


def test_a_throw_is_a_return(as_process, machine):
    """G3."""

    async def main():
        pid = await machine.start()

        def throw(type: Any, data: Any) -> Any:
            raise Throw(("next_state", "on", data, [("reply", type[1], "thrown")]))

        assert await gen_statem.call(pid, throw) == "thrown"
        assert await sys.get_state(pid) == ("on", [])

    as_process(main)


def test_a_postponed_call_is_answered_in_the_next_state(as_process, machine):
    async def main():
        pid = await machine.start(("ok", "off", ["data"]))
        request = gen_statem.send_request(pid, "when on")
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=1)
        assert await gen_statem.call(pid, "flip") == "on"
        assert await receive() == ("$reply", request, ["data"])

    as_process(main)


@suite(
    "send_request_receive_reqid_collection",
    "send_request_wait_reqid_collection",
    "send_request_check_reqid_collection",
)
def test_collections_of_requests(as_process, machine):
    async def main():
        pid = await machine.start()

        def collection(*labels: str) -> Any:
            requests = otp.reqids_new()
            for label in labels:
                otp.reqids_add(gen_statem.send_request(pid, "flip"), label, requests)
            return requests

        requests = collection("one", "two")
        assert await gen_statem.receive_response(requests, 1.0, delete=True) == (
            ("reply", "on"),
            "one",
            requests,
        )
        assert otp.reqids_size(requests) == 1
        assert await gen_statem.wait_response(requests, 1.0, delete=True) == (
            ("reply", "off"),
            "two",
            requests,
        )
        assert await gen_statem.receive_response(requests, 1.0, delete=True) == "no_request"
        requests = collection("three")
        await trio.sleep(1)
        message = await receive()
        assert gen_statem.check_response("hello", requests, delete=True) == "no_reply"
        assert gen_statem.check_response(message, requests, delete=True) == (
            ("reply", "on"),
            "three",
            requests,
        )

    as_process(main)


def test_absolute_time_outs(as_process, machine):
    async def main():
        runtime = otp.current_runtime()
        pid = await machine.start()
        await trio.sleep(5)
        at = runtime.now() + 2

        def arm(type: Any, data: Any) -> Any:
            return (
                "keep_state",
                [],
                [
                    (("timeout", "a"), at, "then", ("abs", True)),
                    (("timeout", "b"), at - 3, "at once", [("abs", True)]),
                    (("timeout", "c"), 1, "relative", [("abs", False)]),
                ],
            )

        cast(pid, arm)
        await trio.sleep(1.5)
        early = [(("timeout", "b"), "at once"), (("timeout", "c"), "relative")]
        assert await gen_statem.call(pid, "data") == early
        await trio.sleep(1)
        assert (await gen_statem.call(pid, "data"))[2:] == [(("timeout", "a"), "then")]

    as_process(main)


def test_time_outs_of_a_dead_machine_are_gone(as_process, machine):
    async def main():
        timers = otp.current_runtime().timers
        before = len(timers)
        pid = await machine.start(("ok", "off", [], [("state_timeout", 1000, "never")]))
        await trio.sleep(1)
        assert len(timers) == before + 1
        await gen_statem.stop(pid)
        assert len(timers) == before

    as_process(main)
