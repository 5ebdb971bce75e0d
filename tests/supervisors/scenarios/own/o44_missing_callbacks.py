"""O44, G11: what a server does without a callback it turns out to need."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import supervisors as otp
from supervisors import CallExit, GenServer, Pid, Undefined, WarningReport, sys

from ..harness import Scenario

OTP = [
    ("gen_server", "undef_handle_call"),
    ("gen_server", "undef_handle_cast"),
    ("gen_server", "undef_handle_info"),
    ("gen_server", "undef_code_change"),
    ("gen_server", "undef_terminate1"),
]


class Worker(GenServer):
    """Only starts."""

    def init(self) -> Any:
        return "ok", "bare"


def undef(reason: Any) -> Any:
    """Erlang's word for our exception."""
    assert isinstance(reason[0], Undefined), reason
    return "undef"


async def run(s: Scenario) -> None:
    """A message, an upgrade, a stop; a call, a cast."""
    lines = s.unordered

    def note(report: object) -> None:
        if isinstance(report, WarningReport) and "no handle_info" in report.text:
            lines.append("~ log report {gen_server,no_handle_info}")

    otp.current_runtime().subscribe(note)

    async def start() -> Pid:
        return s.name(await Worker.start(), "srv")

    pid = await start()
    otp.send(pid, "hello")
    while not otp.process_info(pid).messages_in:  # type: ignore[union-attr]
        await otp.yield_()
    s.event("obs", "info", await sys.get_state(pid))
    await sys.suspend(pid)
    try:
        await sys.change_code(pid, None, "old", "extra")
    except sys.CodeChangeError as failed:
        kind, reason = failed.reason
        assert kind == "EXIT"
    await sys.resume(pid)
    s.event("obs", "code_change", (undef(reason), await sys.get_state(pid)))
    await otp.stop(pid)
    s.event("obs", "stop", ("ok", otp.is_alive(pid)))

    async def ended(what: str, do: Callable[[Pid], object]) -> None:
        server = await start()
        ref = otp.monitor(server)
        do(server)
        down = await otp.receive(lambda m: m[0] == "DOWN" and m[1] is ref)
        s.event("obs", what, undef(down[4]))

    async def calls(server: Pid) -> None:
        with suppress(CallExit):
            await otp.call(server, "continue_not")

    await ended("call", lambda server: otp.spawn(calls, server))
    await ended("cast", lambda server: otp.cast(server, "x"))
    s.unordered[:] = [line.replace("'Undefined'", "undef") for line in lines]
