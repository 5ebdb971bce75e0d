"""O06, V13: a child that answers `ignore` to its restart stays, without a pid."""

from __future__ import annotations

import supervisors as otp

from ..harness import Scenario, answer, counts

OTP = [("supervisor", "sup_start_ignore_child")]


async def run(s: Scenario) -> None:
    """No error, for it or its siblings; restart_child and the next group restart try again."""
    otp.trap_exit()
    s.plan["b"] = lambda number: "ignore" if number == 2 else "ok"
    for strategy, restart in (
        ("one_for_one", "permanent"),
        ("one_for_one", "transient"),
        ("one_for_all", "permanent"),
        ("rest_for_one", "permanent"),
    ):
        children = [s.spec("a"), s.spec("b", restart=restart), s.spec("c")]
        sup = await s.sup(children, strategy=strategy, intensity=5)
        await s.kill("b", ("cast", ("stop", "bad")))
        await s.sync(sup)
        s.event("obs", "which", await s.kids(sup))
        s.event("obs", "count", await counts(sup))
        restarted = await answer(otp.restart_child(sup, "b"), with_value=True)
        s.event("obs", "restart_child", restarted)
        await s.kill("a", ("signal", "kill"))
        await s.sync(sup)
        s.event("obs", "which", await s.kids(sup))
        s.event("obs", "sup_exit", (strategy, restart, await s.stop(sup)))
        s.incarnations.clear()
