"""O05, V11: the parent's exit signal is served between two attempts too."""

from __future__ import annotations

import supervisors as otp

from ..harness import Scenario
from .gates import Gate

OTP = [("supervisor", "hanging_restart_loop"), ("supervisor", "hanging_restart_loop_rest_for_one")]


async def run(s: Scenario) -> None:
    """What a group restart had started by then is stopped with the rest."""
    otp.trap_exit()
    gate = Gate()
    s.plan["b"] = lambda number: "ok" if number == 1 else gate.hold(("stop", "not_yet"))
    for strategy, reason in (
        ("one_for_one", "shutdown"),
        ("one_for_all", "shutdown"),
        ("rest_for_one", "normal"),
    ):
        children = [s.spec("a"), s.spec("b", waits=True), s.spec("c")]
        sup = await s.sup(children, strategy=strategy, intensity=99, period=3600)
        await s.kill("b", ("signal", "kill"))
        held = await gate.held()
        otp.exit_signal(sup, reason)
        gate.open(held)
        s.event("obs", "sup_exit", (strategy, await s.exit_of(sup)))
        s.event("obs", "tries_again", await gate.tries_again())
        s.incarnations.clear()
