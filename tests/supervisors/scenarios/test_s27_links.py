"""S27: one link per pair, exits along chains of three, spawn_link is atomic."""

from __future__ import annotations

from typing import Any

import trio

import supervisors as otp
from supervisors import Exit, Pid

from .harness import Scenario, drain, golden, play


async def s27(s: Scenario) -> None:
    otp.trap_exit()
    me = otp.self()

    async def boom() -> None:
        await otp.receive(lambda m: m == "die")
        raise Exit("boom")

    p = otp.spawn(boom)
    otp.link(p)
    otp.link(p)
    otp.unlink(p)
    ref = otp.monitor(p)
    otp.send(p, "die")
    await otp.receive(lambda m: m[0] == "DOWN" and m[1] is ref)
    s.event("obs", "after_unlink", await drain())

    async def last() -> None:
        raise Exit(await otp.receive())

    async def middle() -> None:
        otp.send(me, ("last", otp.spawn_link(last)))
        await trio.sleep_forever()

    async def first() -> None:
        otp.send(me, ("mid", otp.spawn_link(middle)))
        await trio.sleep(0.150)
        raise Exit("survived")

    async def introduced(tag: str, name: str) -> Pid:
        message = await otp.receive(lambda m: m[0] == tag)
        return s.name(message[1], name)

    for reason in ("boom", "shutdown", ("shutdown", "x"), "normal"):
        a = s.name(otp.spawn_link(first), "first")
        b = await introduced("mid", "middle")
        c = await introduced("last", "last")
        otp.send(c, reason)
        s.event("obs", "chain", (reason, await s.exit_of(a)))
        otp.exit(b, "kill")
        await drain()

    async def at_once() -> None:
        raise Exit("at_once")

    s.name(otp.spawn_link(at_once), "n")
    await trio.sleep(0.020)
    s.event("obs", "atomic", await drain())


async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(s27) == golden("s27_links")
