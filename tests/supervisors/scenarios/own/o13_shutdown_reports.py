"""O13, V4-V6: every way to be stopped, and which of them is reported."""

from __future__ import annotations

import math
from typing import Any

import supervisors as otp
from supervisors import ChildSpec, Pid

from ..harness import Scenario

OTP = [
    ("supervisor", "sup_stop_infinity"),
    ("supervisor", "sup_stop_timeout"),
    ("supervisor", "sup_stop_brutal_kill"),
]


async def run(s: Scenario) -> None:
    """Obedient, deaf, slow and too slow children, and such as answer with an end of their own."""
    otp.trap_exit()
    me = otp.self()

    async def odd_life(id: str, reason: Any) -> None:
        otp.trap_exit()
        s.name(otp.self(), id)
        otp.send(me, "ready")
        _, _, told = await otp.receive()
        s.event(id, "told", told)
        raise otp.Exit(reason)

    async def start_odd(id: str, reason: Any) -> Pid:
        return otp.spawn_link(odd_life, id, reason)

    def odd(restart: Any, reason: Any) -> ChildSpec:
        id = f"{restart}_{reason if isinstance(reason, str) else '_'.join(reason)}"
        return ChildSpec(id, (start_odd, (id, reason)), restart=restart)

    children = [
        s.spec("obeys"),
        s.spec("does_not_trap", trap=False),
        s.spec("brutal", shutdown="brutal_kill"),
        s.spec("too_slow", shutdown=0.05, linger=0.4),
        s.spec("slow", shutdown=math.inf, linger=0.08, late=True),
        s.spec("quick", shutdown=1.0, linger=0.03, late=True),
        odd("permanent", "bad"),
        odd("permanent", "normal"),
        odd("transient", "normal"),
        odd("temporary", ("shutdown", "own")),
        odd("permanent", ("shutdown", "own")),
        odd("transient", "bad"),
        odd("temporary", "killed"),
    ]
    sup = await s.sup(children)
    for _ in range(7):
        await otp.receive(lambda message: message == "ready")
    s.event("obs", "sup_exit", await s.stop(sup))
