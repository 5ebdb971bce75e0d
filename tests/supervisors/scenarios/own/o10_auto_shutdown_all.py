"""O10, V16: auto_shutdown all_significant: the last significant child ends the supervisor."""

from __future__ import annotations

import supervisors as otp
from supervisors import ChildSpec

from ..harness import Scenario, answer
from .gates import Gate, wait

OTP = [
    ("supervisor", "significant_temporary"),
    ("supervisor", "significant_transient"),
    ("supervisor", "nonsignificant_temporary"),
]


async def run(s: Scenario) -> None:
    """One that is being restarted counts as there, one that was terminated does not."""
    otp.trap_exit()

    def significant(id: str, restart: str, **options: object) -> ChildSpec:
        return s.spec(id, restart=restart, significant=True, **options)

    children = [
        significant("a", "transient"),
        s.spec("b"),
        significant("c", "temporary"),
        significant("d", "transient"),
    ]
    sup = await s.sup(children, auto_shutdown="all_significant")
    await s.kill("a", ("cast", ("stop", "normal")))
    await s.sync(sup)
    s.event("obs", "one_ended", await s.kids(sup))
    await s.kill("b", ("signal", "kill"))
    await s.sync(sup)
    s.event("obs", "other_restarted", await s.kids(sup))
    s.event("obs", "terminate_child", await answer(otp.terminate_child(sup, "d")))
    s.event("obs", "one_left", await s.kids(sup))
    await s.kill("c", ("signal", "kill"))
    s.event("obs", "sup_exit", await s.exit_of(sup))
    s.incarnations.clear()

    sup = await s.sup([s.spec("x"), significant("y", "transient")], auto_shutdown="all_significant")
    s.event("obs", "terminate_last", await answer(otp.terminate_child(sup, "y")))
    s.event("obs", "lives", await s.kids(sup))
    s.event("obs", "restart_child", await answer(otp.restart_child(sup, "y")))
    await s.kill("y", ("cast", ("stop", "shutdown")))
    s.event("obs", "sup_exit", await s.exit_of(sup))
    s.incarnations.clear()

    gate = Gate()
    s.plan["p"] = lambda number: gate.hold(("stop", "not_yet")) if number == 2 else "ok"
    children = [significant("p", "transient", waits=True), significant("q", "transient")]
    sup = await s.sup(children, auto_shutdown="all_significant", intensity=9)
    await s.kill("p", ("signal", "kill"))
    held = await gate.held()
    await s.kill("q", ("cast", ("stop", "normal")))
    gate.open(held)
    await wait(lambda: s.incarnations["p"] == 3)
    s.event("obs", "restarting", await s.kids(sup))
    await s.kill("p", ("cast", ("stop", "normal")))
    s.event("obs", "sup_exit", await s.exit_of(sup))
