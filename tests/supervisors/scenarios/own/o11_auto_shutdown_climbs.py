"""O11, V16: a supervisor that shuts itself down is a child that ended with `shutdown`."""

from __future__ import annotations

from typing import Any

import trio

import supervisors as otp
from supervisors import ChildSpec, Pid, SupFlags

from ..harness import Scenario, Tree

OTP = [("supervisor", "significant_escalation")]


async def run(s: Scenario) -> None:
    """If it is significant itself, its supervisor goes too."""
    otp.trap_exit()

    async def inner() -> Pid:
        children = [
            s.spec("w"),
            s.spec("x", restart="transient", significant=True),
            s.spec("y"),
        ]
        flags = SupFlags(auto_shutdown="any_significant")
        return s.name(await Tree.start_link(flags, children), "inner")

    cases: list[tuple[Any, bool]] = [
        ("transient", True),
        ("temporary", True),
        ("transient", False),
        ("permanent", False),
    ]
    for restart, significant in cases:
        spec = ChildSpec("inner", (inner, ()), restart, None, "supervisor", significant)
        sup = await s.sup([s.spec("a"), spec, s.spec("z")], auto_shutdown="any_significant")
        await s.kill("x", ("cast", ("stop", "normal")))
        try:
            reason = await s.exit_of(sup, timeout=0.05)
            s.event("obs", "sup_exit", (restart, significant, reason))
        except trio.TooSlowError:
            s.event("obs", "lives", (restart, significant, await s.kids(sup)))
            await s.stop(sup)
        s.incarnations.clear()
