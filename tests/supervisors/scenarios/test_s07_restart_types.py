"""S07: restart type times exit reason: restarted? spec kept? reported?"""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp

from .harness import Scenario, golden, play

RESTARTS = ("permanent", "transient", "temporary")
WAYS = (
    ("cast", ("stop", "normal")),
    ("cast", ("stop", "shutdown")),
    ("cast", ("stop", ("shutdown", "planned"))),
    ("cast", ("stop", "bad")),
    ("signal", "kill"),
)


async def s07(s: Scenario) -> None:
    """Fifteen supervisors with one child each."""
    otp.trap_exit()
    for restart in RESTARTS:
        for how in WAYS:
            s.incarnations.clear()
            sup = await s.sup([s.spec("x", restart=restart)], intensity=5)
            await s.kill("x", how)
            await s.sync(sup)
            s.event("obs", "matrix", (restart, how, await s.kids(sup)))
            await s.stop(sup)


@pytest.mark.otp("supervisor", "permanent_normal")
@pytest.mark.otp("supervisor", "permanent_shutdown")
@pytest.mark.otp("supervisor", "permanent_abnormal")
@pytest.mark.otp("supervisor", "transient_normal")
@pytest.mark.otp("supervisor", "transient_shutdown")
@pytest.mark.otp("supervisor", "transient_abnormal")
@pytest.mark.otp("supervisor", "temporary_normal")
@pytest.mark.otp("supervisor", "temporary_shutdown")
@pytest.mark.otp("supervisor", "temporary_abnormal")
@pytest.mark.otp("supervisor", "do_not_save_child_specs_for_temporary_children")
async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(s07) == golden("s07_restart_type_matrix")
