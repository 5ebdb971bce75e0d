"""O30, V16 and V19: a code change of auto_shutdown and of who is significant."""

from __future__ import annotations

from typing import Any

import trio

import supervisors as otp
from supervisors import Pid, Supervisor, SupFlags, sys

from ...lives import down_of
from ..harness import Scenario, Worker

Plan = tuple[Any, list[str]]

CASES: list[tuple[str, Plan, Plan]] = [
    ("never_any", ("never", []), ("any_significant", ["a", "b"])),
    ("any_never", ("any_significant", ["a", "b"]), ("never", [])),
    ("never_all", ("never", []), ("all_significant", ["a", "b"])),
    ("all_never", ("all_significant", ["a", "b"]), ("never", [])),
    ("any_all", ("any_significant", ["a", "b"]), ("all_significant", ["a", "b"])),
    ("all_any", ("all_significant", ["a", "b"]), ("any_significant", ["a", "b"])),
    ("child", ("any_significant", ["a"]), ("any_significant", ["b"])),
]
OTP = [("supervisor", f"significant_upgrade_{case}") for case, _, _ in CASES]


class Shop(Supervisor):
    """Two children; its flag and who is significant are what `plan` says."""

    def init(self, s: Scenario, plan: list[Plan]) -> Any:
        auto_shutdown, significant = plan[-1]
        return SupFlags(auto_shutdown=auto_shutdown), [
            Worker.child_spec(
                s, id, {}, name=id, restart="transient", significant=id in significant
            )
            for id in ("a", "b")
        ]


async def run(s: Scenario) -> None:
    """Each change of the flag, of the children; after an end; a wrong one."""
    otp.trap_exit()

    async def begin(plan: Plan) -> tuple[Pid, list[Plan]]:
        plans = [plan]
        return s.name(await Shop.start_link(s, plans), "sup"), plans

    async def change(sup: Pid, plans: list[Plan], plan: Plan) -> Any:
        plans.append(plan)
        await sys.suspend(sup)
        try:
            await sys.change_code(sup, None, 1, "x")
        except sys.CodeChangeError as refused:
            return "error", refused.reason
        finally:
            await sys.resume(sup)
        return "ok"

    async def stop(id: str) -> Any:
        pid = otp.whereis(id)
        assert isinstance(pid, Pid)
        ref = otp.monitor(pid)
        otp.cast(pid, ("stop", "normal"))
        return await down_of(ref)

    async def state(sup: Pid) -> Any:
        try:
            return "gone", await s.exit_of(sup, 0.1)
        except trio.TooSlowError:
            return await s.kids(sup)

    async def end(sup: Pid) -> None:
        if otp.is_alive(sup):
            await s.stop(sup)

    for case, before, after in CASES:
        sup, plans = await begin(before)
        s.event("obs", case, await change(sup, plans, after))
        s.event("obs", case, ("a", await stop("a"), await state(sup)))
        if otp.is_alive(sup):
            s.event("obs", case, ("b", await stop("b"), await state(sup)))
        await end(sup)
    sup, plans = await begin(("never", []))
    await stop("a")
    s.event("obs", "late", await state(sup))
    s.event("obs", "late", await change(sup, plans, ("all_significant", ["a", "b"])))
    s.event("obs", "late", await state(sup))
    s.event("obs", "late", ("b", await stop("b"), await state(sup)))
    await end(sup)
    sup, plans = await begin(("any_significant", ["a"]))
    s.event("obs", "refused", await change(sup, plans, ("never", ["a"])))
    for id in ("b", "a"):
        s.event("obs", "refused", (id, await stop(id), await state(sup)))
    await end(sup)
