"""O25, P4-P6: how far exits run along links, and with which reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

import supervisors as otp
from supervisors import Pid

from ...lives import down_of
from ..harness import Scenario, Worker, drain

OTP: list[tuple[str, str]] = []


async def run(s: Scenario) -> None:
    """Rings, diamonds, through servers and past a process that traps."""
    otp.trap_exit()
    for reason in ("normal", "shutdown", ("shutdown", "planned"), "bang", "kill"):
        s.event("obs", "ring", (reason, await ring(s, reason)))
        s.event("obs", "diamond", (reason, await diamond(s, reason)))
        s.event("obs", "trap_in_the_middle", (reason, await middle(s, reason)))
        s.event("obs", "servers", (reason, await servers(s, reason)))


async def life() -> None:
    while True:
        match await otp.receive(lambda message: message[0] != "EXIT"):
            case (Pid() as client, ("link", Pid() as other)):
                otp.link(other)
                otp.send(client, (otp.self(), "ok"))
            case (Pid() as client, "trap"):
                otp.trap_exit()
                otp.send(client, (otp.self(), "ok"))
            case (Pid() as client, "mail"):
                otp.send(client, (otp.self(), await drain()))
            case ("stop", reason):
                raise otp.Exit(reason)


async def tell(pid: Pid, what: Any) -> Any:
    otp.send(pid, (otp.self(), what))
    return (await otp.receive(lambda message: message[0] is pid))[1]


def processes(s: Scenario, count: int) -> list[Pid]:
    return [s.name(otp.spawn(life), f"p{number}") for number in range(1, count + 1)]


async def outcome(pids: list[Pid], do: Callable[[], None]) -> list[tuple[Pid, Any]]:
    """Who has ended once everything has come to rest, and why."""
    refs = [(otp.monitor(pid), pid) for pid in pids]
    do()
    await trio.sleep(0.02)
    ends: list[tuple[Pid, Any]] = []
    for ref, pid in refs:
        if otp.demonitor(ref, info=True):
            ends.append((pid, "lives"))
        else:
            ends.append((pid, await down_of(ref)))
    return ends


async def end_all(pids: list[Pid]) -> str:
    refs = [otp.monitor(pid) for pid in pids]
    for pid in pids:
        otp.exit_signal(pid, "kill")
    for ref in refs:
        await down_of(ref)
    return "ok"


async def ring(s: Scenario, reason: Any) -> Any:
    pids = processes(s, 5)
    for one, other in zip(pids, pids[1:] + pids[:1], strict=True):
        await tell(one, ("link", other))
    ends = await outcome(pids, lambda: otp.send(pids[0], ("stop", reason)))
    await end_all(pids)
    return ends


async def diamond(s: Scenario, reason: Any) -> Any:
    a, b, c, d = pids = processes(s, 4)
    await tell(d, "trap")
    for one, other in ((a, b), (a, c), (b, d), (c, d)):
        await tell(one, ("link", other))
    ends = await outcome([a, b, c], lambda: otp.send(a, ("stop", reason)))
    return ends, sorted(await tell(d, "mail"), key=s.show), await end_all(pids)


async def middle(s: Scenario, reason: Any) -> Any:
    a, b, c = pids = processes(s, 3)
    await tell(b, "trap")
    await tell(a, ("link", b))
    await tell(b, ("link", c))
    ends = await outcome([a], lambda: otp.send(a, ("stop", reason)))
    return ends, await tell(b, "mail"), otp.is_alive(c), await end_all(pids)


async def servers(s: Scenario, reason: Any) -> Any:
    """s2 traps; what is linked to it is no parent, so it hears of it."""
    s.incarnations.clear()
    [p] = processes(s, 1)
    started = [
        await Worker.start(s, id, {"trap": id == "s2"}, name=None) for id in ("s1", "s2", "s3")
    ]
    one, two, three = started
    for server in started:
        await tell(p, ("link", server))
    ends = await outcome([p, one, three], lambda: otp.send(p, ("stop", reason)))
    await otp.sys.get_state(two)
    alive = otp.is_alive(two)
    await end_all(started)
    return ends, alive
