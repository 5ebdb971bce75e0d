"""O18, V5, P8: a child that unlinked itself: its end goes unnoticed, stopping it works."""

from __future__ import annotations

from typing import Any

import supervisors as otp
from supervisors import ChildSpec, Pid

from ..harness import Scenario, answer, counts

OTP = [("supervisor", "child_unlink")]


async def run(s: Scenario) -> None:
    """Dead, alive or stuck, it cannot hang its supervisor."""
    otp.trap_exit()

    async def start_unlinked(id: str) -> Pid:
        function, args = s.spec(id, linger=0.4 if id == "stuck" else 0).start
        pid = await function(*args)
        otp.unlink(pid)
        return pid

    def unlinked(id: str, restart: Any = "permanent") -> ChildSpec:
        return ChildSpec(id, (start_unlinked, (id,)), restart=restart, shutdown=0.05)

    children = [
        unlinked("dead"),
        unlinked("gone", "transient"),
        unlinked("terminated"),
        unlinked("alive"),
        unlinked("stuck"),
        s.spec("z"),
    ]
    sup = await s.sup(children, intensity=9)
    await s.kill("dead", ("signal", "kill"))
    await s.kill("gone", ("cast", ("stop", "normal")))
    await s.kill("terminated", ("signal", "kill"))
    s.event("obs", "which", await s.kids(sup))
    s.event("obs", "count", await counts(sup))
    s.event("obs", "start_child", await answer(otp.start_child(sup, unlinked("dead"))))
    s.event("obs", "restart_child", await answer(otp.restart_child(sup, "dead")))
    s.event("obs", "terminate_child", await answer(otp.terminate_child(sup, "terminated")))
    s.event("obs", "which", await s.kids(sup))
    s.event("obs", "sup_exit", await s.stop(sup))
