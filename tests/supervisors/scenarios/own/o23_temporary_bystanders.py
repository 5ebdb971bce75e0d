"""O23, V8, V10: temporary children in a group are stopped with it and not started again."""

from __future__ import annotations

import supervisors as otp

from ..harness import Scenario, answer

OTP = [
    ("supervisor", "temporary_bystander"),
    ("supervisor", "temporary_abnormal"),
    ("supervisor", "one_for_all"),
    ("supervisor", "rest_for_one"),
]


async def run(s: Scenario) -> None:
    """Their own end touches nobody; one that is started again goes last."""
    otp.trap_exit()
    for strategy in ("one_for_all", "rest_for_one"):
        u = s.spec("u", restart="temporary")
        children = [s.spec("t", restart="temporary"), s.spec("a"), u, s.spec("b")]
        sup = await s.sup(children, strategy=strategy, intensity=9)
        await s.kill("u", ("cast", ("stop", "bad")))
        await s.sync(sup)
        s.event("obs", "which", await s.kids(sup))
        await otp.start_child(sup, u)
        await s.kill("a", ("signal", "kill"))
        await s.sync(sup)
        s.event("obs", "which", await s.kids(sup))
        s.event("obs", "start_again", await answer(otp.start_child(sup, u), with_value=True))
        await s.kill("u", ("signal", "kill"))
        await s.sync(sup)
        s.event("obs", "which", await s.kids(sup))
        s.event("obs", "terminate_child", await answer(otp.terminate_child(sup, "b")))
        await s.kill("a", ("signal", "kill"))
        await s.sync(sup)
        s.event("obs", "which", await s.kids(sup))
        s.event("obs", "sup_exit", (strategy, await s.stop(sup)))
        s.incarnations.clear()
