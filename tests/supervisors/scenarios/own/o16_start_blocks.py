"""O16, V18: start_child blocks the supervisor while the child initialises."""

from __future__ import annotations

import supervisors as otp

from ..harness import Scenario, answer
from .gates import Gate, queued, wait

OTP: list[tuple[str, str]] = []


async def run(s: Scenario) -> None:
    """Crashes and calls meanwhile wait, in order."""
    otp.trap_exit()
    me, gate = otp.self(), Gate()
    s.plan["c"] = lambda _: gate.hold("ok")
    sup = await s.sup([s.spec("a"), s.spec("b")], intensity=9)

    async def starts() -> None:
        spec = s.spec("c", waits=True)
        otp.send(me, ("started", await answer(otp.start_child(sup, spec), with_value=True)))

    async def asks() -> None:
        otp.send(me, ("which", await s.kids(sup)))

    otp.spawn(starts)
    held = await gate.held()
    await s.kill("a", ("signal", "kill"))
    otp.spawn(asks)
    await wait(lambda: queued(sup) == 2)
    s.event("obs", "still", (otp.whereis("a"), otp.is_alive(held)))
    await s.kill("b", ("cast", ("stop", "normal")))
    gate.open(held)
    _, started = await otp.receive(lambda message: message[0] == "started")
    _, which = await otp.receive(lambda message: message[0] == "which")
    s.event("obs", "which_after", await s.kids(sup))
    s.event("obs", "answers", (started, which))
    s.event("obs", "sup_exit", await s.stop(sup))
