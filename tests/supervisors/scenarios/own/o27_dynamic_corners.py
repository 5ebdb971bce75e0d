"""O27, V3, V5: what may go wrong with dynamic children, and what is left of it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import supervisors as otp
from supervisors import ChildSpec, Pid, SupFlags

from ..harness import Scenario, Tree, answer, counts

OTP = [
    ("supervisor", "simple_one_for_one_extra"),
    ("supervisor", "simple_one_for_one_corruption"),
    ("supervisor", "sup_start_ignore_temporary_child_start_child_simple"),
    ("supervisor", "sup_start_ignore_permanent_child_start_child_simple"),
    ("supervisor", "sup_start_child_returns_error_simple"),
    ("supervisor", "sup_stop_brutal_kill_dynamic"),
    ("supervisor", "count_children_supervisor"),
]
SIMPLE = "simple_one_for_one"


async def run(s: Scenario) -> None:
    """The record of children stays whole, whatever a start function comes to."""
    otp.trap_exit()
    for restart in ("permanent", "transient", "temporary"):
        await corners(s, restart)
    await supervisors_as_children(s)


async def corners(s: Scenario, restart: Any) -> None:
    async def start_kid(id: str, way: Any) -> Any:
        match way:
            case "ignore":
                raise otp.Ignore
            case ("error", reason):
                raise otp.StartError(reason)
            case ("exit", reason):
                raise otp.Exit(reason)
            case "odd":
                return way
        function, args = s.spec(id).start
        pid = await function(*args)
        return (pid, way) if way == "extra" else pid

    kid = ChildSpec("kid", (start_kid, ()), restart, "brutal_kill")
    sup = await s.sup([kid], strategy=SIMPLE, intensity=9)

    async def start(id: str, way: Any) -> Any:
        return await flat(otp.start_child(sup, [id, way]))

    s.event("obs", "extra", await start("a", "extra"))
    s.event("obs", "ignored", await start("b", "ignore"))
    s.event("obs", "failed", await start("b", ("error", "full")))
    s.event("obs", "odd", await start("b", "odd"))
    s.event("obs", "raised", await start("b", ("exit", "gone")))
    s.event("obs", "count", await counts(sup))
    await s.kill("a", ("signal", "kill"))
    await s.sync(sup)
    s.event("obs", "which", [(None, pid) for _, pid in await s.kids(sup)])
    _, pid = await start("b", "plain")
    s.event("obs", "count", await counts(sup))
    s.event("obs", "terminate_child", await answer(otp.terminate_child(sup, pid)))
    await start("c", "plain")
    s.event("obs", "sup_exit", (restart, await s.stop(sup)))
    s.event("obs", "left", [id for id in "abc" if otp.whereis(id) is not None])
    s.incarnations.clear()


async def supervisors_as_children(s: Scenario) -> None:
    """They are counted as such, stopped ones too."""
    dynamic = ChildSpec("sup", (Tree.start_link, (SupFlags(),)), type="supervisor")
    many = await s.sup([dynamic], strategy=SIMPLE)
    for _ in range(3):
        await otp.start_child(many, [[]])
    s.event("obs", "supervisors", await counts(many))
    inner = [
        ChildSpec(id, (Tree.start_link, (SupFlags(), [])), type="supervisor") for id in ("i", "j")
    ]
    mixed = await s.sup([*inner, s.spec("k")])
    await otp.terminate_child(mixed, "j")
    s.event("obs", "supervisors", await counts(mixed))
    s.event("obs", "stopped", (await s.stop(mixed), await s.stop(many)))


async def flat(request: Awaitable[Any]) -> Any:
    """{ok,Pid,Extra} where Python has a pair inside a pair."""
    match await answer(request, with_value=True):
        case ("ok", (Pid() as pid, extra)):
            return "ok", pid, extra
        case other:
            return other
