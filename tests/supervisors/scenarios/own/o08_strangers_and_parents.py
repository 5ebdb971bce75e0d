"""O08, V15: who a supervisor listens to."""

from __future__ import annotations

from typing import Any

import supervisors as otp
from supervisors import Report, WarningReport

from ...lives import down_of
from ..harness import Scenario
from ..terms import Text

OTP = [("supervisor", "sup_start_normal")]


async def run(s: Scenario) -> None:
    """Strangers' signals are nothing, odd messages are logged, the parent's exit is obeyed."""
    otp.trap_exit()

    def in_erlangs_words(report: Report) -> None:
        if isinstance(report, WarningReport):
            message = report.details["message"].replace("'", "").replace("(", "{")
            text = message.replace(")", "}").replace(" ", "")
            s.unordered.append(
                "~ log message " + s.show(Text(f"Supervisor received unexpected message: {text}\n"))
            )

    otp.current_runtime().subscribe(in_erlangs_words)
    for reason in ("normal", "shutdown", ("shutdown", "planned")):
        sup = await s.sup([s.spec("a"), s.spec("b")])

        async def signals(stranger: Any, sup: otp.Pid = sup) -> None:
            otp.exit_signal(sup, stranger)

        async def links(sup: otp.Pid = sup) -> None:
            otp.link(sup)
            raise otp.Exit("linked")

        for stranger in ("normal", "shutdown", "boom"):
            await down_of(otp.spawn_monitor(signals, stranger)[1])
        await down_of(otp.spawn_monitor(links)[1])
        otp.send(sup, "hello")
        otp.send(sup, ("odd", 1))
        s.event("obs", "which", await s.kids(sup))
        otp.exit_signal(sup, reason)
        s.event("obs", "sup_exit", (reason, await s.exit_of(sup)))
        s.incarnations.clear()
