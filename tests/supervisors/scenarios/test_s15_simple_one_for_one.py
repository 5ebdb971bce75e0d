"""S15: children without ids: arguments reused, addressed by pid, stopped all at once."""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp
from supervisors import ChildSpec

from .harness import LingeringWorker, Scenario, Worker, answer, counts, golden, play


async def s15(s: Scenario) -> None:
    """Asked to stop together they end in the order of their lingering: b, c, a."""
    otp.trap_exit()

    async def start_worker(id: str, linger: float | None = None) -> Any:
        if linger is None:
            return await Worker.start_link(s, id, {}, name=id)
        options = {"linger": linger, "late": True}
        return await LingeringWorker.start_link(s, id, options, name=id)

    kid = ChildSpec("kid", (start_worker, ()), shutdown=1.0)
    sup = await s.sup([kid], strategy="simple_one_for_one", intensity=5)
    a = await otp.start_child(sup, ["a", 0.09])
    b = await otp.start_child(sup, ["b", 0.03])
    await otp.start_child(sup, ["c", 0.06])
    s.plan["i"] = lambda _: "ignore"
    s.event("obs", "ignore", await answer(otp.start_child(sup, ["i"]), with_value=True))
    s.plan["e"] = lambda _: ("stop", "nope")
    s.event("obs", "error", await answer(otp.start_child(sup, ["e"])))
    s.event("obs", "which", sorted(await s.kids(sup), key=lambda kid: kid[1]))
    s.event("obs", "count", await counts(sup))
    await s.kill("a", ("signal", "kill"))
    await s.sync(sup)
    s.event("obs", "restarted_with_its_args", await otp.call("a", "label"))
    s.event("obs", "terminate_by_id", await answer(otp.terminate_child(sup, "kid")))
    s.event("obs", "restart", await answer(otp.restart_child(sup, "kid")))
    s.event("obs", "delete", await answer(otp.delete_child(sup, "kid")))
    s.event("obs", "terminate_stranger", await answer(otp.terminate_child(sup, otp.self())))
    s.event("obs", "terminate_pid", await answer(otp.terminate_child(sup, b)))
    s.event("obs", "terminate_dead_pid", await answer(otp.terminate_child(sup, a)))
    spec = await otp.get_childspec(sup, otp.whereis("c"))
    s.event("obs", "childspec_id", spec.id)
    s.event("obs", "which", sorted(await s.kids(sup), key=lambda kid: kid[1]))
    await otp.start_child(sup, ["b", 0.03])
    begun = otp.current_runtime().now()
    s.event("obs", "sup_exit", await s.stop(sup))
    s.event("obs", "in_parallel", otp.current_runtime().now() - begun < 0.15)


@pytest.mark.otp("supervisor", "child_adm_simple")
@pytest.mark.otp("supervisor", "sup_start_ignore_permanent_child_start_child_simple")
@pytest.mark.otp("supervisor", "sup_start_child_returns_error_simple")
@pytest.mark.otp("supervisor", "simple_one_for_one_shutdown")
async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(s15) == golden("s15_simple_one_for_one")
