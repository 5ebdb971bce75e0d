"""O17, P5, P8: after unlink no EXIT of that link arrives; one that came before stays."""

from __future__ import annotations

from typing import Any

import trio

import supervisors as otp
from supervisors import Pid

from ...lives import down_of
from ..harness import Scenario, drain

OTP: list[tuple[str, str]] = []


async def run(s: Scenario) -> None:
    """Links are one per pair, whichever side removes them."""
    otp.trap_exit()
    me = otp.self()

    async def idle_life() -> None:
        while True:
            order, what = await otp.receive()
            if order == "stop":
                raise otp.Exit(what)
            what()

    def idle() -> Pid:
        return s.name(otp.spawn(idle_life), "idle")

    async def ends(pid: Pid, reason: Any) -> None:
        ref = otp.monitor(pid)
        otp.send(pid, ("stop", reason))
        await down_of(ref)

    pid = idle()
    otp.link(pid)
    otp.unlink(pid)
    await ends(pid, "bang")
    s.event("obs", "unlinked_before", await drain())

    pid = idle()
    otp.link(pid)
    await ends(pid, "bang")
    otp.unlink(pid)
    s.event("obs", "unlinked_after", await drain())

    pid = idle()
    otp.link(pid)
    otp.link(pid)
    otp.unlink(pid)
    await ends(pid, "bang")
    s.event("obs", "linked_twice", await drain())

    pid = idle()
    otp.link(pid)
    otp.unlink(pid)
    otp.link(pid)
    await ends(pid, "bang")
    s.event("obs", "linked_again", await drain())

    pid = idle()
    otp.unlink(pid)
    otp.unlink(pid)
    await ends(pid, "bang")
    s.event("obs", "never_linked", await drain())

    def unlink_me() -> None:
        otp.unlink(me)
        otp.send(me, "done")

    pid = idle()
    otp.link(pid)
    otp.send(pid, ("run", unlink_me))
    await otp.receive(lambda message: message == "done")
    await ends(pid, "bang")
    s.event("obs", "unlinked_by_the_other", await drain())

    pid = idle()
    otp.link(pid)
    await ends(pid, "normal")
    otp.unlink(pid)
    try:
        flushed = (await otp.receive(lambda m: m[0] == "EXIT" and m[1] is pid, timeout=0))[2]
    except trio.TooSlowError:
        flushed = "none"
    s.event("obs", "flushed", flushed)
    s.event("obs", "rest", await drain())
    info = otp.process_info(me)
    assert info is not None
    s.event("obs", "links", ("links", list(info.links)))
