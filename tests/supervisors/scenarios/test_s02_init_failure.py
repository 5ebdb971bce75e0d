"""S02: a child failing in init unwinds those already started; the start returns the error."""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp
from supervisors import Ignore, StartError

from .harness import Scenario, drain, golden, play


async def s02(s: Scenario) -> None:
    """The third of four children finds no disk; then a server alone fails in three ways."""
    otp.trap_exit()
    s.plan["c"] = lambda _: ("stop", "no_disk")
    try:
        started: Any = await s.sup([s.spec(id) for id in "abcd"])
    except StartError as error:
        started = ("error", error.reason)
    s.event("obs", "start_link", started)
    s.event("obs", "alive", [id for id in "abcd" if otp.whereis(id) is not None])
    s.event("obs", "mailbox", await drain())
    s.plan["g"] = {1: ("stop", "no_disk"), 2: "ignore", 3: ("raise", "oops")}.__getitem__
    function, args = s.spec("g").start
    for _ in range(3):
        try:
            started = await function(*args)
        except StartError as error:
            started = ("error", error.reason)
        except Ignore:
            started = "ignore"
        s.event("obs", "gen_server_start_link", (started, otp.whereis("g"), await drain()))


def as_otp_26(trace: list[str]) -> list[str]:
    """A trace without the EXIT messages that start_link consumes since OTP 26; one of such a
    release stays as it is."""
    changed = []
    for line in trace:
        if line.startswith("obs mailbox "):
            line = "obs mailbox []"
        elif line.startswith("obs gen_server_start_link "):
            line = line.partition(",[{'EXIT'")[0].removesuffix(",[]}") + ",[]}"
        changed.append(line)
    return changed


@pytest.mark.otp("supervisor", "sup_start_fail")
@pytest.mark.otp("gen_server", "start")
@pytest.mark.otp("proc_lib", "init_dont_hang")
async def test_as_erlang_does_since_otp_26(autojump_clock: Any) -> None:
    assert await play(s02) == as_otp_26(golden("s02_init_failure_unwinds"))
