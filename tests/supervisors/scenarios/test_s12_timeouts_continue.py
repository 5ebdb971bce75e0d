"""S12: continue, time-outs, and what comes first when a server stops with a reply."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import GenServer, Pid, sys

from .harness import Scenario, drain, golden, play
from .terms import ErlangError


class Worker(GenServer):
    """Says what it handles; its state is the scenario, and whether terminate raises."""

    def init(self, scenario: Scenario) -> Any:
        return "ok", (scenario, False), ("continue", "first")

    def handle_continue(self, term: Any, state: Any) -> Any:
        state[0].event("srv", "continue", term)
        if term == "first":
            return "noreply", state, ("continue", "second")
        return "noreply", state

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        match request:
            case "sync":
                return "reply", "ok", state
            case "stop":
                return "stop", "normal", "stopped", state
        assert request == "stop_raise"
        return "stop", "normal", "stopped", (state[0], True)

    def handle_info(self, message: Any, state: Any) -> Any:
        state[0].event("srv", "info", message)
        match message:
            case "go":
                return "noreply", state, ("continue", "after_go")
            case "zero":
                return "noreply", state, 0
            case ("timer", milliseconds):
                return "noreply", state, milliseconds / 1000
        return "noreply", state

    def terminate(self, reason: Any, state: Any) -> None:
        scenario, raises = state
        if raises:
            scenario.event("srv2", "terminate", "raising")
            raise ErlangError("in_terminate")
        scenario.event("srv", "terminate", reason)


class AsyncWorker(Worker):
    """The same, slow to terminate, so that a reply sent before it would be seen."""

    async def terminate(self, reason: Any, state: Any) -> None:
        await trio.sleep(0.04)
        super().terminate(reason, state)


async def s12(s: Scenario, server: type[Worker] = AsyncWorker) -> None:
    """As its script does it, step by step."""
    otp.trap_exit()

    async def synced(pid: Pid) -> None:
        await otp.call(pid, "sync")

    pid = s.name(await server.start_link(s), "srv")
    otp.send(pid, ("queued", 1))
    otp.send(pid, "go")
    await synced(pid)
    s.event("obs", "---", "zero_timeout")
    await sys.suspend(pid)
    otp.send(pid, "zero")
    otp.send(pid, ("queued", 2))
    await sys.resume(pid)
    await synced(pid)
    otp.send(pid, "zero")
    await trio.sleep(0.04)
    s.event("obs", "---", "cancelled_by_any_message")
    otp.send(pid, ("timer", 200))
    await trio.sleep(0.02)
    otp.send(pid, ("queued", 3))
    await trio.sleep(0.4)
    s.event("obs", "---", "restarted_by_system_message")
    otp.send(pid, ("timer", 300))
    await trio.sleep(0.2)
    await sys.get_state(pid)
    await trio.sleep(0.2)
    s.event("obs", "at_400ms", "not_yet")
    await trio.sleep(0.3)
    s.event("obs", "---", "stop_with_reply")
    s.event("obs", "call", await otp.call(pid, "stop"))
    s.event("obs", "mailbox", await drain())
    other = s.name(await server.start_link(s), "srv2")
    s.event("obs", "call_terminate_raises", await otp.call(other, "stop_raise"))
    s.event("obs", "mailbox", await drain())


@pytest.mark.otp("gen_server", "continue")
@pytest.mark.otp("gen_server", "info")
@pytest.mark.parametrize("server", [Worker, AsyncWorker])
async def test_as_erlang_does(autojump_clock: Any, server: type[Worker]) -> None:
    assert await play(lambda s: s12(s, server)) == golden("s12_timeouts_continue")
