"""S19: sys, on a server with plain callbacks and on one with async ones."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.lowlevel

import supervisors as otp
from supervisors import GenServer, sys

from .harness import Scenario, drain, golden, play
from .terms import ErlangError


class Worker(GenServer):
    """Adds up; remembers in its state only."""

    def init(self, scenario: Scenario) -> Any:
        return "ok", 0

    def handle_call(self, request: Any, from_: Any, total: int) -> Any:
        match request:
            case ("add", number):
                return "reply", total + number, total + number
        return "reply", total, total

    def handle_cast(self, request: Any, total: int) -> Any:
        return "noreply", total + request[1]

    def handle_info(self, message: Any, total: int) -> Any:
        return "noreply", total + message[1]

    def code_change(self, old_vsn: Any, total: int, extra: Any) -> Any:
        if old_vsn == "bad":
            raise ErlangError("cannot")
        assert (old_vsn, extra) == ("old", "extra")
        return "ok", total + 1000

    def terminate(self, reason: Any, total: int) -> None:
        CURRENT[0].event("srv", "terminate", (reason, total))


class AsyncWorker(Worker):
    """The same, and could wait."""

    async def handle_call(self, request: Any, from_: Any, total: int) -> Any:
        return super().handle_call(request, from_, total)

    async def terminate(self, reason: Any, total: int) -> None:
        await trio.sleep(0.04)
        super().terminate(reason, total)


CURRENT: list[Scenario] = []


async def s19(s: Scenario, server: type[Worker] = Worker) -> None:
    """Suspended, changed, looked at, ended."""
    CURRENT[:] = [s]
    pid = s.name(await server.start(s), "srv")
    me = otp.self()

    async def change(old_vsn: str) -> Any:
        try:
            await sys.change_code(pid, None, old_vsn, "extra")
        except sys.CodeChangeError as refused:
            match refused.reason:
                case ("unknown_system_msg", ("change_code", None, *rest)):
                    request = ("change_code", "s19_sys", *rest)
                    return "error", ("unknown_system_msg", request)
            return "error", refused.reason
        return "ok"

    s.event("obs", "get_state", await sys.get_state(pid))
    s.event("obs", "replace_state", await sys.replace_state(pid, lambda total: total + 10))
    await sys.suspend(pid)
    await sys.suspend(pid)
    s.event("obs", "suspend", ("ok", "ok"))

    async def adds() -> None:
        otp.send(me, ("answer", 1, await otp.call(pid, ("add", 1))))

    otp.spawn(adds)
    await trio.sleep(0.02)
    otp.send(pid, ("add", 100))
    s.event("obs", "while_suspended", (await drain(), await sys.get_state(pid)))
    try:
        await otp.call(pid, "get", 0.02)
    except otp.CallExit as late:
        s.event("obs", "call_times_out", late.cause)
    s.event("obs", "change_code", await change("old"))
    s.event("obs", "change_code_fails", await change("bad"))
    await sys.resume(pid)
    await sys.resume(pid)
    s.event("obs", "resume", ("ok", "ok"))
    s.event("obs", "after_resume", (await otp.call(pid, "get"), await drain()))
    s.event("obs", "change_code_running", await change("old"))
    try:
        await sys.replace_state(pid, lambda _: 1 // 0)
    except sys.CallbackFailed:
        s.event("obs", "replace_state_raises", "callback_failed")
    s.event("obs", "state_kept", await sys.get_state(pid))
    s.event("obs", "statistics", ("ok", await sys.statistics(pid, "get")))
    await sys.statistics(pid, True)
    await otp.call(pid, "get")
    otp.cast(pid, ("add", 1))
    await trio.lowlevel.checkpoint()
    counted = await settled(lambda: sys.statistics(pid, "get"), lambda c: c["messages_in"] == 2)
    s.event(
        "obs",
        "statistics",
        [(key, counted[key]) for key in ("messages_in", "messages_out")],
    )
    await sys.log(pid, 3)
    await otp.call(pid, "get")
    otp.cast(pid, ("add", 1))
    events = await settled(lambda: sys.log(pid, "get"), lambda log: log[-1] == ("noreply", 1113))
    s.event("obs", "log", events)
    ref = otp.monitor(pid)
    await sys.terminate(pid, "done")
    s.event("obs", "terminate", "ok")
    down = await otp.receive(lambda message: message[1] is ref)
    s.event("obs", "down", down[4])
    s.event("obs", "alive", otp.is_alive(pid))
    try:
        await sys.get_state(pid)
    except otp.CallExit as dead:
        s.event("obs", "get_state_dead", dead.cause)


async def settled(ask: Any, done: Any) -> Any:
    """What `ask` answers once a cast that is on its way has been handled."""
    while not done(answer := await ask()):
        await trio.sleep(0.001)
    return answer


def with_pids(trace: list[str]) -> list[str]:
    """Erlang's trace as ours: whom a reply went to is the caller's pid, without its reference."""
    return [line.replace("{obs,[alias|'$ref']}", "obs") for line in trace]


@pytest.mark.otp("sys", "suspend")
@pytest.mark.otp("sys", "stats")
@pytest.mark.otp("sys", "log")
@pytest.mark.parametrize("server", [Worker, AsyncWorker])
async def test_as_erlang_does(autojump_clock: Any, server: type[Worker]) -> None:
    assert await play(lambda s: s19(s, server)) == with_pids(golden("s19_sys"))
