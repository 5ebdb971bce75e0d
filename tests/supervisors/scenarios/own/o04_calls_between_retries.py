"""O04, V11: between two attempts of a failing restart the supervisor serves what has queued."""

from __future__ import annotations

import supervisors as otp

from ..harness import Scenario, answer, counts
from .gates import Gate

OTP = [("supervisor", "hanging_restart_loop"), ("supervisor", "count_restarting_children")]


async def run(s: Scenario) -> None:
    """Every call of the administration, each between two attempts; terminate_child ends them."""
    otp.trap_exit()
    gate = Gate()
    s.plan["b"] = lambda number: "ok" if number == 1 else gate.hold(("stop", "not_yet"))
    b = s.spec("b", waits=True)
    sup = await s.sup([s.spec("a"), b], intensity=99, period=3600)
    await s.kill("b", ("signal", "kill"))
    for what, ask in (
        ("which", lambda: s.kids(sup)),
        ("count", lambda: counts(sup)),
        ("start", lambda: answer(otp.start_child(sup, b))),
        ("restart", lambda: answer(otp.restart_child(sup, "b"))),
        ("delete", lambda: answer(otp.delete_child(sup, "b"))),
        ("terminate", lambda: answer(otp.terminate_child(sup, "b"))),
    ):
        await gate.between(s, sup, what, ask)
    s.event("obs", "which", await s.kids(sup))
    s.event("obs", "tries_again", await gate.tries_again())
    s.plan["b"] = lambda _: "ok"
    await otp.restart_child(sup, "b")
    s.event("obs", "which", await s.kids(sup))
    s.event("obs", "sup_exit", await s.stop(sup))
