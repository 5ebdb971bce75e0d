"""O02, V10, V12: a sibling fails in a one_for_all restart: everything again from the first."""

from __future__ import annotations

import supervisors as otp

from ..harness import Scenario
from .gates import wait

OTP = [
    ("supervisor", "one_for_all_other_child_fails_restart"),
    ("supervisor", "one_for_all_escalation"),
]


async def run(s: Scenario) -> None:
    """What had been restarted is stopped again; every attempt counts."""
    otp.trap_exit()
    plan = {2: ("stop", "not_yet"), 4: ("raise", "not_again"), 5: ("stop", "never")}
    s.plan["c"] = lambda number: plan.get(number, "ok")
    children = [s.spec(id) for id in "abcd"]
    sup = await s.sup(children, strategy="one_for_all", intensity=4, period=3600)
    await s.kill("b", ("signal", "kill"))
    await wait(lambda: s.incarnations["d"] == 2)
    s.event("obs", "which_children", await s.kids(sup))
    await s.kill("d", ("cast", ("stop", "normal")))
    s.event("obs", "sup_exit", await s.exit_of(sup))
