"""O09, V16: auto_shutdown any_significant: what ends the supervisor, and what does not."""

from __future__ import annotations

from typing import Any

import trio

import supervisors as otp

from ..harness import Scenario, answer

OTP = [
    ("supervisor", "significant_temporary"),
    ("supervisor", "significant_transient"),
    ("supervisor", "nonsignificant_transient"),
    ("supervisor", "significant_bystander"),
]


async def run(s: Scenario) -> None:
    """Not: a restarted one, an insignificant one, a terminated one, one stopped for a sibling."""
    otp.trap_exit()
    await ends(s, "transient", ("cast", ("stop", "normal")))
    await ends(s, "transient", ("cast", ("stop", ("shutdown", "done"))))
    await ends(s, "transient", ("cast", ("stop", "bad")))
    await ends(s, "temporary", ("cast", ("stop", "normal")))
    await ends(s, "temporary", ("signal", "kill"))
    children = [
        s.spec("a", restart="transient"),
        s.spec("b", restart="temporary", significant=True),
        s.spec("c", restart="transient", significant=True),
        s.spec("d"),
    ]
    sup = await s.sup(children, auto_shutdown="any_significant", strategy="one_for_all")
    await s.kill("a", ("cast", ("stop", "normal")))
    await s.sync(sup)
    s.event("obs", "insignificant", await s.kids(sup))
    s.event("obs", "terminate_child", await answer(otp.terminate_child(sup, "c")))
    s.event("obs", "terminated", await s.kids(sup))
    await s.kill("d", ("signal", "kill"))
    await s.sync(sup)
    s.event("obs", "bystander", await s.kids(sup))
    await s.kill("c", ("cast", ("stop", "normal")))
    s.event("obs", "sup_exit", await s.exit_of(sup))


async def ends(s: Scenario, restart: Any, how: tuple[str, Any]) -> None:
    children = [s.spec("a"), s.spec("b", restart=restart, significant=True), s.spec("c")]
    sup = await s.sup(children, auto_shutdown="any_significant")
    await s.kill("b", how)
    try:
        s.event("obs", "sup_exit", (restart, how, await s.exit_of(sup, timeout=0.05)))
    except trio.TooSlowError:
        s.event("obs", "lives", (restart, how, await s.kids(sup)))
        await s.stop(sup)
    s.incarnations.clear()
