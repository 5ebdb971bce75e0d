"""O24, V3: what a start function may come to, when a child is started and restarted."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import supervisors as otp
from supervisors import ChildSpec, Pid

from ..harness import Scenario, answer

OTP = [
    ("supervisor", "extra_return"),
    ("supervisor", "sup_start_child_returns_error"),
    ("supervisor", "sup_start_restart_child_returns_error"),
]


async def run(s: Scenario) -> None:
    """An extra is handed through; odd values, exits and throws are errors."""
    otp.trap_exit()
    ways: list[Any] = []

    async def start_x() -> Any:
        if not ways:
            function, args = s.spec("x").start
            return await function(*args), "extra"
        match ways[0]:
            case ("error", reason):
                raise otp.StartError(reason)
            case "ignore":
                raise otp.Ignore
            case ("exit", reason):
                raise otp.Exit(reason)
            case ("throw", value):
                raise otp.Throw(value)
        return ways[0]

    sup = await s.sup([s.spec("a")], intensity=99)
    x = ChildSpec("x", (start_x, ()))
    s.event("obs", "start_child", await flat(otp.start_child(sup, x)))
    s.event("obs", "terminate_child", await answer(otp.terminate_child(sup, "x")))
    s.event("obs", "restart_child", await flat(otp.restart_child(sup, "x")))
    await s.kill("x", ("signal", "kill"))
    await s.sync(sup)
    s.event("obs", "which", await s.kids(sup))
    for way in (
        ("error", "full"),
        "none",
        ("none", "of_these"),
        "ignore",
        ("exit", "gone"),
        ("throw", "ball"),
    ):
        ways.append(way)
        await otp.terminate_child(sup, "x")
        s.event("obs", "restart_child", (way, await flat(otp.restart_child(sup, "x"))))
        await otp.delete_child(sup, "x")
        started = await flat(otp.start_child(sup, x))
        if started[0] == "error":
            started, _spec = started[1]
        s.event("obs", "start_child", (way, started))
        s.event("obs", "which", await s.kids(sup))
        ways.clear()
        await answer(otp.terminate_child(sup, "x"))
        await answer(otp.delete_child(sup, "x"))
        await otp.start_child(sup, x)
    s.event("obs", "sup_exit", await s.stop(sup))


async def flat(request: Awaitable[Any]) -> Any:
    """{ok,Pid,Extra} where Python has a pair inside a pair."""
    match await answer(request, with_value=True):
        case ("ok", (Pid() as pid, extra)):
            return "ok", pid, extra
        case other:
            return other
