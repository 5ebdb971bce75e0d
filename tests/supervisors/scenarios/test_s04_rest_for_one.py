"""S04: rest_for_one touches those started after the failed child and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from .harness import Scenario, golden, play


async def s04(s: Scenario) -> None:
    """A temporary that is killed and a transient that ends normally take nobody along."""
    children = [
        s.spec("a"),
        s.spec("b"),
        s.spec("t", restart="temporary"),
        s.spec("n", restart="transient"),
        s.spec("c"),
    ]
    sup = await s.sup(children, strategy="rest_for_one", intensity=9)
    await s.kill("t", ("signal", "kill"))
    await s.sync(sup)
    await s.kill("n", ("cast", ("stop", "normal")))
    await s.sync(sup)
    s.event("obs", "which_children", await s.kids(sup))
    await s.kill("b", ("signal", "kill"))
    await s.sync(sup)
    s.event("obs", "which_children", await s.kids(sup))


@pytest.mark.otp("supervisor", "rest_for_one")
async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(s04) == golden("s04_rest_for_one")
