"""S10: monitors, demonitor with flush and info, aliases, sends to the dead."""

from __future__ import annotations

from typing import Any

import trio

import supervisors as otp
from supervisors import BadArg, Exit, Pid, Ref

from .harness import Scenario, drain, golden, play


async def down(ref: Ref) -> Any:
    return await otp.receive(lambda m: m[0] == "DOWN" and m[1] is ref)


def anonymous(subject: Any) -> Any:
    """A monitor's object, without the name of the node."""
    return subject if isinstance(subject, Pid) else (subject[0], "node")


async def s10(s: Scenario) -> None:
    me = otp.self()

    async def life() -> None:
        await otp.receive(lambda m: m == "go")
        otp.send(me, "last_words")
        raise Exit("bye")

    p = s.name(otp.spawn(life), "p")
    otp.register("p_name", p)
    monitors = [otp.monitor(p), otp.monitor(p), otp.monitor("p_name")]
    otp.demonitor(otp.monitor(p))
    otp.send(p, "go")
    s.event("obs", "first_message", await otp.receive(lambda m: m == "last_words"))
    downs = [await down(ref) for ref in monitors]
    s.event("obs", "downs", [(anonymous(m[3]), m[4]) for m in downs])
    s.event("obs", "name_free_at_down", otp.whereis("p_name"))
    s.event("obs", "left", await drain())
    s.event("obs", "monitor_dead", (await down(otp.monitor(p)))[4])
    s.event("obs", "monitor_noname", (await down(otp.monitor("nobody")))[4])

    async def nothing() -> None: ...

    late = otp.monitor(otp.spawn(nothing))
    await trio.sleep(0.02)
    otp.demonitor(late, flush=True)
    s.event("obs", "after_flush", await drain())
    s.event("obs", "demonitor_info_fired", otp.demonitor(late, info=True))

    otp.send(p, "hello")
    s.event("obs", "send_dead", "hello")
    try:
        otp.send("nobody", "hello")
    except BadArg:
        s.event("obs", "send_noname", ("error", "badarg"))

    address = otp.alias()

    async def say(word: str) -> None:
        otp.send(address, word)

    otp.spawn(say, "one")
    await trio.sleep(0.02)
    otp.unalias(address)
    otp.spawn(say, "two")
    await trio.sleep(0.02)
    s.event("obs", "via_alias", await drain())


async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(s10) == golden("s10_monitors_aliases")
