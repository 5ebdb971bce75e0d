"""O43, G5, G8, G9: when terminate is called, and that a reply comes after it regardless."""

from __future__ import annotations

from typing import Any

import trio

import supervisors as otp
from supervisors import Exit, GenServer, Pid, Ref, Throw

from ..harness import Scenario, drain
from ..terms import ErlangError

OTP = [
    ("gen_server", "stop1"),
    ("gen_server", "crash"),
    ("gen_server", "undef_in_terminate"),
]


class Worker(GenServer):
    """Says what reaches it; its state says how terminate ends."""

    def init(self, scenario: Scenario, trap: bool) -> Any:
        otp.trap_exit(trap)
        return "ok", (scenario, trap)

    def handle_call(self, request: str, from_: Any, state: Any) -> Any:
        how = request.removeprefix("stop").removeprefix("_") or "fine"
        return "stop", "normal", "answered", (state[0], how)

    def handle_info(self, message: Any, state: Any) -> Any:
        state[0].event("srv", "info", message)
        return "noreply", state

    def terminate(self, reason: Any, state: Any) -> None:
        scenario, how = state
        scenario.event("srv", "terminate", (reason, how))
        match how:
            case "raise":
                raise ErlangError("in_terminate")
            case "exit":
                raise Exit("in_terminate")
            case "throw":
                raise Throw("in_terminate")


async def run(s: Scenario) -> None:
    """Every parent and stranger, every reason, trapped or not."""
    otp.trap_exit()
    me = otp.self()

    async def parent(trap: bool) -> None:
        otp.send(me, ("child", await Worker.start_link(s, trap)))
        _, reason = await otp.receive()
        raise Exit(reason)

    async def child(trap: bool) -> tuple[Pid, Pid]:
        family = otp.spawn(parent, trap)
        _, pid = await otp.receive()
        return s.name(family, "parent"), s.name(pid, "srv")

    async def fate(pid: Pid, ref: Ref) -> Any:
        try:
            down = await otp.receive(lambda m: m[0] == "DOWN" and m[1] is ref, timeout=0.06)
        except trio.TooSlowError:
            otp.demonitor(ref, flush=True)
            otp.unlink(pid)
            otp.exit_signal(pid, "kill")
            return "alive"
        return down[4]

    for trap in (True, False):
        for who in ("parent", "stranger"):
            for reason in ("normal", "shutdown", "odd"):
                family, pid = await child(trap)
                ref = otp.monitor(pid)
                if who == "parent":
                    otp.send(family, ("go", reason))
                else:
                    otp.exit_signal(pid, reason)
                s.event("obs", "fate", (trap, who, reason, await fate(pid, ref)))
                otp.exit_signal(family, "kill")
    server = s.name(await Worker.start(s, True), "srv")
    otp.exit_signal(server, "odd")
    s.event("obs", "unlinked_start", await fate(server, otp.monitor(server)))
    for request in ("stop", "stop_raise", "stop_exit", "stop_throw"):
        pid = s.name(await Worker.start_link(s, True), "srv")
        s.event("obs", request, (await otp.call(pid, request), await drain()))
    otp.send(me, "done")
    s.event("obs", "mailbox", await drain())
