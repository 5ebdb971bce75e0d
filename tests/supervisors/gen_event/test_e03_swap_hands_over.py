"""E03: what the old handler's terminate returns goes into the new one's init (E3)."""

from __future__ import annotations

from typing import Any

import supervisors as otp
from supervisors import gen_event

from ..scenarios.harness import golden
from .recorder import EventScenario, play


async def e03(s: EventScenario) -> None:
    async def swap(old: str, argument: Any, new: str, plan: Any) -> None:
        s.event("obs", "swap", (old, new, await s.swap(old, argument, new, plan)))
        await s.which()

    await s.start()
    for id in ("a", "b", "c"):
        await s.add(id)
    await s.tell("one")
    await s.tell("two")
    await swap("b", "out", "d", "ok")
    await swap("none", "out", "e", "ok")
    await swap("d", ("raise", "bad"), "f", "ok")
    await swap("f", "out", "g", ("return", ("error", "no")))
    await swap("e", "out", "g", ("raise", "bad"))
    await swap("c", "out", "g", ("return", "nonsense"))
    await swap("a", "again", "a", "ok")

    await s.add("b")
    await s.add("c")
    await s.which()
    await s.tell(("b", ("swap", "out", "h", "ok")))
    await s.which()
    await s.tell("three")
    await s.tell(("h", ("swap", ("raise", "bad"), "i", "ok")))
    await s.which()
    await s.ask("c", ("swap", "swapped", "out", "j", "ok"))
    await s.which()
    await s.ask("j", "count")
    await s.ask("c", "count")
    await s.ask("j", ("swap", "swapped", ("raise", "bad"), "k", "ok"))
    await s.which()
    otp.send("manager", ("a", ("swap", "out", "l", "ok")))
    await s.which()
    await gen_event.stop("manager")
    s.event("obs", "stop", "ok")


async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(e03) == golden("own/e03_swap_hands_over")
