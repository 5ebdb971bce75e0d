"""O03, V10, V12: a sibling fails in a rest_for_one restart: the next attempt resumes at it."""

from __future__ import annotations

import supervisors as otp

from ..harness import Scenario
from .gates import wait

OTP = [
    ("supervisor", "rest_for_one_other_child_fails_restart"),
    ("supervisor", "rest_for_one_escalation"),
]


async def run(s: Scenario) -> None:
    """Those before the failing one stay up."""
    otp.trap_exit()
    s.plan["c"] = lambda number: ("stop", "not_yet") if number in (2, 3) else "ok"
    s.plan["d"] = lambda number: ("stop", "never") if number in (3, 4) else "ok"
    children = [s.spec(id) for id in "abcd"]
    sup = await s.sup(children, strategy="rest_for_one", intensity=5, period=3600)
    await s.kill("b", ("signal", "kill"))
    await wait(lambda: s.incarnations["d"] == 2)
    s.event("obs", "which_children", await s.kids(sup))
    await s.kill("b", ("cast", ("stop", "bad")))
    s.event("obs", "sup_exit", await s.exit_of(sup))
