"""O29, 1.2 and 1.7: a loop of one's own that passes system messages on."""

from __future__ import annotations

from typing import Any

import supervisors as otp
from supervisors import Exit, Pid, monitor, proc_lib, sys

from ...lives import down_of
from ..harness import Scenario, drain

OTP = [("sys", "special_process")]


class Allocator(sys.SpecialProcess):
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def system_code_change(self, old_vsn: Any, state: Any, extra: Any) -> Any:
        taken, free = state
        return ("ok", (taken, [extra * c for c in free])) if old_vsn == 1 else ("error", old_vsn)

    def system_terminate(self, reason: Any, state: Any) -> None:
        self.scenario.event("sp", "terminate", (reason, state))


async def allocator(s: Scenario) -> None:
    otp.trap_exit()
    sys.special_process(Allocator(s))
    proc_lib.init_ack()
    parent = otp.process_info(otp.self(), "parent")
    state: Any = [], [1, 2, 3]
    while True:
        match await otp.receive():
            case ("system", _, request):
                state = await sys.handle_system_msg(request, state)
            case ("EXIT", pid, reason) if pid is parent:
                s.event("sp", "orphaned", state)
                raise Exit(reason)
            case ("alloc", to):
                taken, (channel, *free) = state
                state = [channel, *taken], free
                sys.handle_debug(("in", "alloc"))
                otp.send(to, ("channel", channel))
                sys.handle_debug(("out", channel, to, state))


async def run(s: Scenario) -> None:
    """State, log, suspension, code change, ends."""
    otp.trap_exit()

    async def start() -> Pid:
        return s.name(await proc_lib.start(allocator, s, link=True), "sp")

    async def change(pid: Pid, vsn: int) -> Any:
        try:
            await sys.change_code(pid, Unchanged, vsn, 1000)
        except sys.CodeChangeError as refused:
            match refused.reason:
                case ("unknown_system_msg", _):
                    return "unknown_system_msg"
            return refused.reason
        return "ok"

    class Unchanged(Allocator):
        """The same code, loaded anew."""

        def __init__(self) -> None:
            super().__init__(s)

    async def status(pid: Pid) -> Any:
        return "o29_special_process", (await sys.get_status(pid))["status"]

    pid = await start()
    await sys.statistics(pid, True)
    await sys.log(pid, True)
    otp.send(pid, ("alloc", otp.self()))
    s.event("obs", "alloc", (await otp.receive())[1])
    s.event("obs", "get_state", await sys.get_state(pid))
    replaced = await sys.replace_state(pid, lambda state: (state[0], [7, 8]))
    s.event("obs", "replace_state", replaced)
    try:
        await sys.replace_state(pid, lambda _: 1 / 0)
    except sys.CallbackFailed:
        s.event("obs", "raising", "callback_failed")
    counted = await sys.statistics(pid, "get")
    s.event("obs", "counted", [(key, counted[key]) for key in ("messages_in", "messages_out")])
    s.event("obs", "log", await sys.log(pid, "get"))
    await sys.no_debug(pid)
    s.event("obs", "running", await change(pid, 1))
    for _ in range(2):
        await sys.suspend(pid)
    s.event("obs", "suspend", ["ok", "ok", await status(pid)])
    otp.send(pid, ("alloc", otp.self()))
    s.event("obs", "kept", await drain())
    changes = [await change(pid, 1), await change(pid, 2), await sys.get_state(pid)]
    s.event("obs", "change", changes)
    await sys.resume(pid)
    s.event("obs", "resume", ["ok", await status(pid)])
    s.event("obs", "served", await drain())
    await sys.terminate(pid, ("shutdown", "asked"))
    s.event("obs", "ended", await s.exit_of(pid))
    pid = await start()
    await proc_lib.stop(pid)
    s.event("obs", "stop", "ok")
    s.event("obs", "ended", await s.exit_of(pid))
    pid = await start()
    await sys.suspend(pid)
    await proc_lib.stop(pid, "shutdown", 1)
    s.event("obs", "stop_suspended", "ok")
    s.event("obs", "ended", await s.exit_of(pid))
    me = otp.self()

    async def parent() -> None:
        otp.send(me, await start())
        await otp.receive()
        raise Exit("shutdown")

    for suspended in (False, True):
        boss = otp.spawn(parent)
        kid = await otp.receive()
        ref = monitor(kid)
        if suspended:
            await sys.suspend(kid)
        otp.send(boss, "go")
        s.event("obs", "orphan", await down_of(ref))
    s.event("obs", "left", await drain())
