"""O19, P11, G2: at DOWN, at EXIT and when a failed start answers, the name is free."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import supervisors as otp
from supervisors import BadArg, GenServer, Ignore, Pid, StartError

from ...lives import down_of
from ..harness import Scenario

OTP = [("gen_server", "otp_7669"), ("gen_server", "start")]


class Taker(GenServer):
    """Does what it is told to in init."""

    def init(self, plan: Any) -> Any:
        return ("ok", None) if plan == "ok" else plan


async def run(s: Scenario) -> None:
    """A hundred times each, so that a race would show."""
    otp.trap_exit()

    async def waits() -> None:
        await otp.receive()

    async def at_down() -> Any:
        pid = otp.spawn(waits)
        otp.register("taken", pid)
        ref = otp.monitor(pid)
        otp.exit_signal(pid, "kill")
        return await down_of(ref), otp.whereis("taken")

    async def at_exit() -> Any:
        pid = otp.spawn_link(waits)
        otp.register("taken", pid)
        otp.exit_signal(pid, "bang")
        return await s.exit_of(pid), otp.whereis("taken")

    async def at_once() -> Any:
        pid = otp.spawn(waits)
        otp.register("taken", pid)
        ref = otp.monitor(pid)
        otp.send(pid, "stop")
        reason = await down_of(ref)
        otp.register("taken", otp.self())
        otp.unregister("taken")
        return reason

    async def start(plan: Any) -> Any:
        try:
            return "ok", await Taker.start(plan, name="taken")
        except StartError as error:
            return "error", error.reason
        except Ignore:
            return "ignore"

    async def at_error() -> Any:
        return await start(("stop", "shutdown")), otp.whereis("taken")

    async def at_ignore() -> Any:
        return await start("ignore"), otp.whereis("taken")

    for what in (at_down, at_exit, at_once, at_error, at_ignore):
        s.event("obs", what.__name__, await count(what))
    _, pid = await start("ok")
    s.name(pid, "taken#201")
    s.event("obs", "already_started", (await start("ok"), pid))
    await otp.stop(pid)
    s.event("obs", "after_stop", (otp.whereis("taken"), register_dead(pid)))


def register_dead(pid: Pid) -> str:
    try:
        otp.register("taken", pid)
    except BadArg:
        return "badarg"
    return "true"


async def count(what: Callable[[], Awaitable[Any]]) -> list[tuple[Any, int]]:
    seen = [await what() for _ in range(100)]
    return [(one, seen.count(one)) for one in dict.fromkeys(seen)]
