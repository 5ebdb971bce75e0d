"""E02: who supervises a handler hears how it went, and takes it along (E2)."""

from __future__ import annotations

from typing import Any

import trio

import supervisors as otp
from supervisors import gen_event

from ..scenarios.harness import drain, golden
from .recorder import EventScenario, play


async def e02(s: EventScenario) -> None:
    async def heard() -> None:
        s.event("obs", "heard", await drain())

    async def down(ref: otp.Ref) -> None:
        await otp.receive(lambda message: message[0] == "DOWN" and message[1] is ref)

    otp.trap_exit()
    await s.start()
    await s.add("a")
    bad = (("raise", "bad"), ("exit", "bad"), ("return", "nonsense"))
    for do in (*bad, ("return", "remove_handler")):
        await s.add_sup("b")
        await s.tell(("b", do))
        await heard()
    for do in (("raise", "bad"), ("return", ("remove_handler", "done"))):
        await s.add_sup("b")
        await s.ask("b", do)
        await heard()
    await s.add_sup("b")
    s.event("obs", "delete", await s.delete("b", "please"))
    await heard()
    await s.add_sup("b", ("return", ("error", "no")))
    await heard()

    async def adder() -> None:
        s.name(otp.self(), "adder")
        await s.add_sup("s")
        raise otp.Exit((await otp.receive(lambda message: message[0] == "go"))[1])

    for why in ("normal", "shutdown", "bad"):
        pid, ref = otp.spawn_monitor(adder)
        while len(await gen_event.which_handlers("manager")) != 2:
            await trio.sleep(0.005)
        otp.send(pid, ("go", why))
        await down(ref)
        await s.which()

    async def stranger() -> None:
        s.name(otp.self(), "stranger")
        manager = otp.whereis("manager")
        assert manager is not None
        otp.link(manager)
        raise otp.Exit("gone")

    _pid, ref = otp.spawn_monitor(stranger)
    await down(ref)
    await s.which()

    await s.add_sup("b")
    await s.tell(("b", ("swap", "out", "c", "ok")))
    await heard()
    await s.tell(("c", ("raise", "bad")))
    await heard()
    await s.add_sup("b")
    s.event("obs", "swap", await s.swap("b", "out", "c", "ok"))
    await heard()
    s.event("obs", "delete", await s.delete("c", "please"))
    await heard()
    await s.add("b")
    for old in ("b", "none"):
        s.event("obs", "swap_sup", await s.swap(old, "out", "c", "ok", sup=True))
        await s.tell(("c", ("exit", "bad")))
        await heard()

    await s.add_sup("b")
    await gen_event.stop("manager")
    s.event("obs", "stop", "ok")
    await heard()
    await s.start()
    await s.add_sup("b")
    otp.exit("manager", "kill")
    await heard()


async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(e02) == golden("own/e02_supervised_handlers")
