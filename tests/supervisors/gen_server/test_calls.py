"""Calls, casts and requests: the reply now, later or never (G12-G16)."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    CallExit,
    GenServer,
    call,
    cast,
    exit_signal,
    receive,
    self,
    send,
    spawn_monitor,
)


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


def test_a_cancelled_call_leaves_nothing_behind(as_process, server):
    async def main():
        pid = await server.start()
        with trio.move_on_after(1) as scope:
            await call(pid, lambda f, s: ("noreply", [f]), timeout=60)
        assert scope.cancelled_caught
        (from_,) = await call(pid, "state")
        otp.reply(from_, "nobody waits")
        assert len(otp.current_runtime().timers) == 0
        assert otp.process_info(self()).message_queue_len == 0

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
