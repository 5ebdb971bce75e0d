"""O41, G18 (S37): format_status hides a secret from the status and from reports."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

import supervisors as otp
from supervisors import CallExit, ErrorReport, GenServer, sys

from ..harness import Scenario
from ..terms import ErlangError

OTP = [
    ("gen_server", "call_format_status"),
    ("gen_server", "error_format_status"),
    ("gen_server", "terminate_crash_format"),
]


class Worker(GenServer):
    """Has a secret in its state."""

    def init(self, how: str) -> Any:
        return "ok", (how, "hunter2")

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        if request == "crash":
            raise ErlangError("crashed")
        return "stop", "stopped", "bye", state

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        return {**status, "state": "redacted"} if status["state"][0] == "hides" else status


def secret_in(term: object) -> str:
    return "shown" if "hunter2" in repr(term) else "hidden"


async def run(s: Scenario) -> None:
    """Asked, crashed, stopped; and one that hides nothing."""
    otp.trap_exit()
    found: list[tuple[Any, str]] = []

    def note(report: object) -> None:
        if isinstance(report, ErrorReport):
            found.append((report.pid, secret_in(report.state)))

    otp.current_runtime().subscribe(note)
    for how, request in (("hides", "crash"), ("hides", "stop"), ("shows", "crash")):
        pid = s.name(await Worker.start_link(how), how)
        s.event("obs", "get_state", await sys.get_state(pid))
        s.event("obs", "status", secret_in(await sys.get_status(pid)))
        with nullcontext() if request == "stop" else pytest.raises(CallExit):
            await otp.call(pid, request)
        s.event("obs", "exit", await s.exit_of(pid))
        s.event("obs", "report", found.pop())
