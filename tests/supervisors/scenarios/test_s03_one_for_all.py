"""S03: one_for_all stops the survivors in reverse, starts all in order, counts once."""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp

from .harness import Scenario, golden, play


async def s03(s: Scenario) -> None:
    """The temporary sibling is stopped and not seen again; the second crash is too many."""
    otp.trap_exit()
    children = [s.spec("a"), s.spec("b"), s.spec("t", restart="temporary"), s.spec("c")]
    sup = await s.sup(children, strategy="one_for_all", intensity=1, period=3600)
    await s.kill("b", ("signal", "kill"))
    await s.sync(sup)
    s.event("obs", "which_children", await s.kids(sup))
    await s.kill("b", ("signal", "kill"))
    s.event("obs", "sup_exit", await s.exit_of(sup))


@pytest.mark.otp("supervisor", "one_for_all")
@pytest.mark.otp("supervisor", "one_for_all_escalation")
@pytest.mark.otp("supervisor", "temporary_bystander")
async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(s03) == golden("s03_one_for_all")
