"""O15, V11, 1.7: a system message waits while a child starts; suspended, nothing is retried."""

from __future__ import annotations

import trio

import supervisors as otp

from ..harness import Scenario
from .gates import Gate

OTP = [("sys", "suspend"), ("supervisor", "hanging_restart_loop")]


async def run(s: Scenario) -> None:
    """Suspended between two attempts; what came meanwhile is served in order afterwards."""
    otp.trap_exit()
    me, gate = otp.self(), Gate()
    s.plan["b"] = lambda number: gate.hold(("stop", "not_yet")) if number == 2 else "ok"
    sup = await s.sup([s.spec("a"), s.spec("b", waits=True)], intensity=9)
    await s.kill("b", ("signal", "kill"))
    held = await gate.held()
    try:
        await otp.sys.suspend(sup, 0.05)
    except otp.CallExit as busy:
        s.event("obs", "busy", busy.cause)
    gate.open(held)
    await trio.sleep(0.05)
    s.event("obs", "restarted", otp.whereis("b") is not None)

    async def asks() -> None:
        otp.send(me, ("which", await s.kids(sup)))

    otp.spawn(asks)
    await trio.sleep(0.05)
    await s.kill("a", ("signal", "kill"))
    await trio.sleep(0.05)
    s.event("obs", "status", (await otp.sys.get_status(sup))["status"])
    await otp.sys.resume(sup)
    _, which = await otp.receive(lambda message: message[0] == "which")
    s.event("obs", "which", await s.kids(sup))
    s.event("obs", "resumed", ("ok", which))
    await otp.sys.suspend(sup)
    otp.exit_signal(sup, "shutdown")
    s.event("obs", "sup_exit", await s.exit_of(sup))
