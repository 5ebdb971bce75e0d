"""O01, V9: the window counts whole seconds, both ends included, and slides."""

from __future__ import annotations

import math
from typing import Any

import trio

import supervisors as otp

from ..harness import Scenario

OTP = [("supervisor", "multiple_restarts")]


async def next_second() -> None:
    now = otp.current_runtime().now()
    await trio.sleep(math.floor(now) + 1 - now)


async def run(s: Scenario) -> None:
    """A crash 1.6 s ago can be inside a window of one second, one 1.41 s ago outside."""
    otp.trap_exit()
    for intensity, times in (
        (1, [600, 1100]),
        (1, [0, 1600]),
        (1, [600, 2010]),
        (2, [600, 1100, 2010, 2300]),
        (2, [0, 600, 2010]),
    ):
        sup = await s.sup([s.spec("a")], intensity=intensity, period=1)
        await next_second()
        s.event("obs", "crashes", (intensity, 1, times, await crash(s, sup, times)))
        await s.stop(sup)


async def crash(s: Scenario, sup: otp.Pid, times: list[int]) -> Any:
    """When and how the supervisor ends, crashing its child at these milliseconds."""
    now = 0
    for time in times:
        await trio.sleep((time - now) / 1000)
        await s.kill("a", ("signal", "kill"))
        try:
            return time, await s.exit_of(sup, timeout=0.05)
        except trio.TooSlowError:
            now = time + 50
    return "survived"
