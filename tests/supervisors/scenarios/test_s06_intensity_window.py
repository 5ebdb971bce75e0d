"""S06: the restart window counts whole seconds, both ends included."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio

import supervisors as otp

from .harness import Scenario, golden, play


async def align(phase: float) -> None:
    """Wait for the next change of the second, then `phase` seconds."""
    now = otp.current_runtime().now()
    await trio.sleep(math.floor(now) + 1 - now + phase)


async def s06(s: Scenario) -> None:
    """Two crashes 1.8 s apart end the supervisor or do not, as the second's boundary falls."""
    otp.trap_exit()
    for phase in (0.050, 0.500):
        sup = await s.sup([s.spec("a")], intensity=1, period=1)
        await align(phase)
        await s.kill("a", ("signal", "kill"))
        await s.sync(sup)
        await trio.sleep(1.8)
        await s.kill("a", ("signal", "kill"))
        outcome: Any
        try:
            outcome = "exited", await s.exit_of(sup, timeout=0.1)
        except trio.TooSlowError:
            await s.stop(sup)
            outcome = "still_alive"
        s.event("obs", "phase_ms", (round(phase * 1000), outcome))
    sup = await s.sup([s.spec("z")], intensity=0, period=1)
    await s.kill("z", ("signal", "kill"))
    s.event("obs", "intensity_zero", await s.exit_of(sup))


@pytest.mark.otp("supervisor", "multiple_restarts")
async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(s06) == golden("s06_intensity_window")
