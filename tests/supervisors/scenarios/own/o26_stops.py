"""O26, 1.2, S26: stopping a server from outside, and what the stop answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

import supervisors as otp
from supervisors import Exit, Pid

from ..harness import LingeringWorker, Scenario, Worker

OTP = [("proc_lib", "stop"), *(("gen_server", f"stop{number}") for number in (1, 2, 3, 4, 5, 6))]


async def run(s: Scenario) -> None:
    """The exit reason if it is not the one asked for; late, the server stops all the same."""
    otp.trap_exit()

    async def with_server(options: dict[str, Any], do: Callable[[Pid], Awaitable[Any]]) -> Any:
        module = LingeringWorker if "linger" in options else Worker
        pid = await module.start(s, "x", options, name="x")
        ref = otp.monitor(pid)
        result = await tries(do(pid))
        message = await otp.receive(lambda m: m[0] == "DOWN" and m[1] is ref, timeout=0.2)
        s.incarnations.clear()
        return result, message[4]

    for reason in ("normal", "shutdown", ("shutdown", "x"), "bang"):
        stopped = await with_server({}, lambda pid, reason=reason: otp.stop(pid, reason, 0.5))
        s.event("obs", "stop", (reason, stopped))
    s.event("obs", "by_name", await with_server({}, lambda _: otp.stop("x")))
    s.event("obs", "does_not_trap", await with_server({"trap": False}, otp.stop))

    async def twice(pid: Pid) -> None:
        await otp.stop(pid)
        await otp.stop(pid)

    s.event("obs", "twice", await with_server({}, twice))
    s.event("obs", "unknown", await tries(otp.stop("nobody")))
    s.event("obs", "itself", await tries(otp.stop(otp.self())))
    slow = {"linger": 0.1, "late": True}
    s.event("obs", "too_late", await with_server(slow, lambda pid: otp.stop(pid, "normal", 0.02)))

    async def killed_meanwhile(pid: Pid) -> None:
        async def killer() -> None:
            await trio.sleep(0.03)
            otp.exit_signal(pid, "kill")

        otp.spawn(killer)
        await otp.stop(pid, "normal", 0.5)

    s.event("obs", "dies_otherwise", await with_server({"linger": 0.1}, killed_meanwhile))

    async def suspended(pid: Pid) -> None:
        await otp.sys.suspend(pid)
        await otp.stop(pid, "normal", 0.1)

    s.event("obs", "suspended", await with_server({}, suspended))


async def tries(stop: Awaitable[Any]) -> Any:
    try:
        await stop
    except Exit as left:
        return "exit", left.reason
    return "ok"
