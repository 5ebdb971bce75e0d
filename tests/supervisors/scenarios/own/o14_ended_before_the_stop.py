"""O14, V6: children that ended by themselves while their supervisor could not look."""

from __future__ import annotations

from typing import Any

import supervisors as otp

from ..harness import Scenario

OTP = [("supervisor", "sup_stop_race")]

RESTARTS = ("permanent", "transient", "temporary")
WAYS: tuple[tuple[str, tuple[str, Any]], ...] = (
    ("normal", ("cast", ("stop", "normal"))),
    ("shutdown", ("cast", ("stop", "shutdown"))),
    ("planned", ("cast", ("stop", ("shutdown", "planned")))),
    ("bad", ("cast", ("stop", "bad"))),
    ("killed", ("signal", "kill")),
)


async def run(s: Scenario) -> None:
    """The stop finds their own reasons; which are reported depends on the restart type."""
    otp.trap_exit()
    children = [s.spec(f"{r}_{name}", restart=r) for r in RESTARTS for name, _ in WAYS]
    sup = await s.sup(children)
    await otp.sys.suspend(sup)
    for restart in RESTARTS:
        for name, how in WAYS:
            await s.kill(f"{restart}_{name}", how)
    otp.exit_signal(sup, "shutdown")
    s.event("obs", "sup_exit", await s.exit_of(sup))
