"""S01: children start left to right and stop right to left, one at a time."""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp

from .harness import Scenario, golden, play


async def s01(s: Scenario) -> None:
    """A child that lingers delays the ones before it; an added one is last in the order."""
    children = [s.spec("a"), s.spec("b", linger=0.08), s.spec("c")]
    sup = await s.sup(children, strategy="one_for_one", intensity=5)
    await otp.start_child(sup, s.spec("d"))
    await s.kill("a", ("signal", "kill"))
    await s.sync(sup)
    s.event("obs", "which_children", await s.kids(sup))
    otp.trap_exit()
    otp.exit_signal(sup, "shutdown")
    s.event("obs", "sup_exit", await s.exit_of(sup))


@pytest.mark.otp("supervisor", "order_of_children")
async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(s01) == golden("s01_start_order_reverse_stop")
