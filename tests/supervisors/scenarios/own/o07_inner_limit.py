"""O07, V14: an inner supervisor at its limit exits `shutdown`: only a permanent one returns."""

from __future__ import annotations

import supervisors as otp
from supervisors import ChildSpec, Pid, SupFlags

from ...lives import down_of
from ..harness import Scenario, Tree, answer

OTP = [("supervisor", "one_for_one_escalation"), ("supervisor", "tree")]


async def run(s: Scenario) -> None:
    """For a permanent, a transient and a temporary one; then the limits climb the tree."""
    otp.trap_exit()

    async def inner() -> Pid:
        flags = SupFlags(intensity=0)
        return s.name(await Tree.start_link(flags, [s.spec("x"), s.spec("y")]), "inner")

    async def outer(restart: str) -> Pid:
        spec = ChildSpec("inner", (inner, ()), restart=restart, type="supervisor")
        return await s.sup([s.spec("a"), spec, s.spec("z")], intensity=1, period=3600)

    async def inner_ends(sup: Pid) -> None:
        ref = otp.monitor(dict(await s.kids(sup))["inner"])
        await s.kill("x", ("signal", "kill"))
        await down_of(ref)
        await s.sync(sup)

    for restart in ("permanent", "transient", "temporary"):
        sup = await outer(restart)
        await inner_ends(sup)
        s.event("obs", "which", await s.kids(sup))
        s.event("obs", "restart_child", await answer(otp.restart_child(sup, "inner")))
        s.event("obs", "sup_exit", (restart, await s.stop(sup)))
        s.incarnations.clear()
    sup = await outer("permanent")
    await inner_ends(sup)
    s.plan["x"] = lambda _: ("stop", "broken")
    await s.kill("x", ("signal", "kill"))
    s.event("obs", "sup_exit", await s.exit_of(sup))
