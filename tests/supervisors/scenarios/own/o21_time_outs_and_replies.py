"""O21, G13, G14: a call that gave up is served all the same, and its reply is dropped."""

from __future__ import annotations

import math
from typing import Any

import trio

import supervisors as otp
from supervisors import CallExit, GenServer

from ..harness import Scenario, drain

OTP = [("gen_server", "call"), ("sys", "suspend")]


async def replies_later(delay: float, from_: Any, value: Any) -> None:
    await trio.sleep(delay)
    otp.reply(from_, value)


class Calc(GenServer):
    """Remembers what it served, newest first."""

    def init(self) -> Any:
        return "ok", []

    async def handle_call(self, request: Any, from_: Any, served: list[str]) -> Any:
        match request:
            case "log":
                return "reply", served[::-1], served
            case ("after", delay, value):
                await trio.sleep(delay)
                return "reply", value, [value, *served]
            case ("twice", value):
                otp.reply(from_, value)
                await trio.sleep(0.02)
                otp.reply(from_, "again")
                return "reply", "more", [value, *served]
            case ("delegate", delay, value):
                otp.spawn(replies_later, delay, from_, value)
                return "noreply", [value, *served]
            case ("delegate_and_stop", delay, value):
                otp.spawn(replies_later, delay, from_, value)
                return "stop", "normal", [value, *served]
        return "reply", request, [request, *served]


async def run(s: Scenario) -> None:
    """The next call gets its own answer, and nothing strays into the mailbox."""
    otp.trap_exit()
    server = s.name(await Calc.start(), "srv")

    async def call(request: Any, timeout: float) -> Any:
        try:
            return await otp.call(server, request, timeout)
        except CallExit as gone:
            return "exit", gone.cause

    s.event("obs", "in_time", await call(("after", 0.02, "a"), 0.06))
    s.event("obs", "late", await call(("after", 0.06, "b"), 0.02))
    s.event("obs", "next", await call(("after", 0, "c"), 0.5))
    s.event("obs", "mailbox", await drain())
    await otp.sys.suspend(server)
    s.event("obs", "suspended", await call("d", 0.03))
    await otp.sys.resume(server)
    s.event("obs", "served", await call("log", 0.5))
    s.event("obs", "mailbox", await drain())
    s.event("obs", "twice", await call(("twice", "e"), 0.5))
    await trio.sleep(0.05)
    s.event("obs", "mailbox", await drain())
    s.event("obs", "delegated", await call(("delegate", 0.02, "f"), 0.06))
    s.event("obs", "delegated_late", await call(("delegate", 0.06, "g"), 0.02))
    await trio.sleep(0.08)
    s.event("obs", "mailbox", await drain())
    s.event("obs", "stops_before_delegate", await call(("delegate_and_stop", 0.02, "h"), math.inf))
    await trio.sleep(0.05)
    s.event("obs", "mailbox", await drain())
