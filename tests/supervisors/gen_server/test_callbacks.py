"""What callbacks may answer, and time-outs that they ask for (G4, G6, G7)."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import CallExit, Throw, call, cast, self, send
from supervisors.testing import end_of

from ..lives import raises


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
        assert await end_of(pid) == ("bad_return_value", value)

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
