"""A server under `sys`: suspended, its state replaced, traced (K15)."""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp
from supervisors import CallExit, call, cast, self

from ..lives import raises


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
