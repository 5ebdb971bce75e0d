"""O22, V11: a dynamic child whose restart fails is tried again, and still known by its old pid."""

from __future__ import annotations

from typing import Any

import supervisors as otp
from supervisors import ChildSpec, Pid

from ..harness import LingeringWorker, Scenario, answer, counts
from .gates import Gate

OTP = [
    ("supervisor", "hanging_restart_loop_simple"),
    ("supervisor", "count_restarting_children"),
    ("supervisor", "simple_one_for_one"),
]


async def run(s: Scenario) -> None:
    """Calls are served between the attempts; terminate_child by the old pid ends them."""
    otp.trap_exit()
    gate = Gate()
    s.plan["b"] = lambda number: "ok" if number == 1 else gate.hold(("stop", "not_yet"))

    async def start(id: str) -> Pid:
        return await LingeringWorker.start_link(s, id, {}, name=id)

    kid = ChildSpec("kid", (start, ()))
    sup = await s.sup([kid], strategy="simple_one_for_one", intensity=99, period=3600)

    async def which() -> list[Any]:
        # Erlang's order of terms: the atom `restarting` is less than a pid.
        return sorted(
            await s.kids(sup), key=lambda kid: (kid[1] != "restarting", str(s.show(kid[1])))
        )

    await otp.start_child(sup, ["a"])
    old = await otp.start_child(sup, ["b"])
    await s.kill("b", ("signal", "kill"))
    await gate.between(s, sup, "which", which)
    await gate.between(s, sup, "count", lambda: counts(sup))
    await gate.between(
        s, sup, "start", lambda: answer(otp.start_child(sup, ["c"]), with_value=True)
    )
    await gate.between(s, sup, "terminate", lambda: answer(otp.terminate_child(sup, old)))
    s.event("obs", "tries_again", await gate.tries_again())
    s.event("obs", "which", await which())
    await s.kill("a", ("signal", "kill"))
    await s.sync(sup)
    await s.kill("c", ("cast", ("stop", "normal")))
    await s.sync(sup)
    s.event("obs", "which", await which())
    s.event("obs", "terminate", await answer(otp.terminate_child(sup, otp.whereis("a"))))
    s.event("obs", "sup_exit", await s.stop(sup))
