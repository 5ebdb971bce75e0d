"""E01: newest first; a handler that fails goes, with its reason, and nobody else (E1)."""

from __future__ import annotations

from typing import Any

import supervisors as otp
from supervisors import gen_event

from ..scenarios.harness import golden
from .recorder import EventScenario, play


async def e01(s: EventScenario) -> None:
    await s.start()
    for id in ("a", "b", "c"):
        await s.add(id)
    await s.which()
    await s.tell("hello")
    for do in (
        ("raise", "bad"),
        ("exit", "bad"),
        ("throw", "ball"),
        ("return", "nonsense"),
        ("return", ("ok",)),
        ("return", "remove_handler"),
        ("throw", ("ok", ("b", 100))),
        ("return", ("ok", ("b", 200), "hibernate")),
    ):
        await s.tell(("b", do))
        await s.which()
        await s.ask("b", "count")
        await s.add("b")
    await s.which()
    for do in (
        ("raise", "bad"),
        ("exit", "bad"),
        ("return", "nonsense"),
        ("return", ("remove_handler", "done")),
        ("throw", ("ok", "thrown", ("c", 7))),
    ):
        await s.ask("c", do)
        await s.which()
        await s.add("c")
    otp.send("manager", "hi")
    otp.send("manager", ("a", ("raise", "in_info")))
    await s.which()
    for plan in (
        ("raise", "bad"),
        ("exit", "bad"),
        ("return", ("error", "no")),
        ("return", "nonsense"),
        ("throw", ("ok", ("d", 1))),
    ):
        await s.add("d", plan)
    for id, argument in (("d", "thanks"), ("d", "thanks"), ("c", ("raise", "late")), ("c", "bye")):
        s.event("obs", "delete", (id, argument, await s.delete(id, argument)))
    await s.add("x")
    await s.add("x")
    await s.tell(("x", ("raise", "both")))
    await s.which()
    await s.add("y")
    await s.add("z")
    await gen_event.stop("manager")
    s.event("obs", "stop", "ok")


async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(e01) == golden("own/e01_handler_order")
