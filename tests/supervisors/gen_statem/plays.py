"""The scenarios of `tests/data/otp/own/t*.escript`, step for step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from trio import sleep

import supervisors as otp
from supervisors import exit_signal, gen_statem, sys

from ..scenarios.harness import drain
from .machines import Stage

KEEP = "keep_state_and_data"
LATER = (KEEP, "postpone")


def keep(*actions: Any) -> Any:
    return KEEP, list(actions)


async def t01(s: Stage) -> None:
    p = await s.start()
    s.say("---", "event_time_out")
    await s.cast(p, ("set", keep(("timeout", 0.06, "late"))))
    await sleep(0.12)
    await s.cast(p, ("set", keep(("timeout", 0.06, "never"))))
    await sleep(0.02)
    await s.cast(p, "any")
    await sleep(0.12)
    await s.cast(p, ("set", keep(("timeout", 0.06, "never"), ("next_event", "internal", "own"))))
    await sleep(0.12)
    s.say("---", "state_time_out")
    await s.cast(p, ("set", keep(("state_timeout", 0.06, "stays"))))
    await sleep(0.02)
    await s.cast(p, ("same", ("next_state", "a", {})))
    await sleep(0.12)
    await s.cast(p, ("set", keep(("state_timeout", 0.06, "never"))))
    await sleep(0.02)
    await s.cast(p, ("change", ("next_state", "b", {})))
    await sleep(0.12)
    set_it = ("next_state", "c", {}, [("state_timeout", 0.04, "of_c")])
    await s.cast(p, ("change_and_set", set_it))
    await sleep(0.12)
    s.say("---", "generic")
    one, two = ("timeout", "one"), ("timeout", "two")
    await s.cast(p, ("set", keep((one, 0.06, "first"), (two, 0.1, "second"))))
    await sleep(0.02)
    await s.cast(p, ("change", ("next_state", "a", {})))
    await sleep(0.16)
    await s.cast(p, ("set", keep((one, 0.06, "never"))))
    await sleep(0.02)
    await s.cast(p, ("again", keep((one, 0.1, "again"))))
    await sleep(0.07)
    s.say("not_yet", "again")
    await sleep(0.1)
    await s.cast(p, ("set", keep((one, 0.06, "never"))))
    await sleep(0.02)
    await s.cast(p, ("cancel", keep((one, "cancel"))))
    await sleep(0.12)
    s.say("---", "update")
    await s.cast(p, ("set", keep(("state_timeout", 0.06, "old"))))
    await sleep(0.02)
    await s.cast(p, ("update", keep(("state_timeout", "update", "new"))))
    await sleep(0.12)
    await s.cast(p, ("update_nothing", keep((("timeout", "none"), "update", "at_once"))))
    await sleep(0.02)
    s.say("---", "last_of_a_name_counts")
    both = keep(("state_timeout", 0.04, "never"), ("state_timeout", 0.06, "counts"))
    await s.cast(p, ("set", both))
    await sleep(0.12)
    off = keep(("state_timeout", 0.04, "never"), ("state_timeout", "infinity", "off"))
    await s.cast(p, ("set", off))
    await sleep(0.12)
    await gen_statem.stop(p)


async def t02(s: Stage) -> None:
    p = await s.start()
    s.say("---", "same_state_is_no_change")
    await s.cast(p, ("one", LATER))
    await s.cast(p, ("two", LATER))
    await s.cast(p, ("same", ("next_state", "a", {})))
    await s.cast(p, ("repeat", "repeat_state_and_data"))
    s.say("---", "a_change")
    await s.cast(p, ("three", ("next_state", "b", {}, "postpone")))
    s.say("---", "inserted_first")
    inserted = [("next_event", "internal", "first"), ("next_event", "cast", "second")]
    await s.cast(p, ("change", ("next_state", "c", {}, inserted)))
    s.say("---", "before_what_is_queued")
    await s.together(p, ("change", ("next_state", "d", {})), "queued")
    s.say("---", "not_after_all")
    await s.cast(p, ("last", ("next_state", "e", {}, ["postpone", ("postpone", False)])))
    s.say("---", "changes_while_retrying")
    q = await s.start()
    await s.cast(q, ("x", LATER))
    await s.cast(q, ("change", ("next_state", "b", {}, "postpone")))
    s.say("state", (await sys.get_state(q))[0])
    exit_signal(q, "kill")
    await gen_statem.stop(p)


async def t03(s: Stage) -> None:
    p = await s.start()
    s.say("---", "inserted")
    nested = keep(("next_event", "info", "nested"))
    two = ("next_event", ("timeout", "own"), "two")
    inserted = keep(("next_event", "internal", ("one", nested)), two)
    await s.together(p, ("insert", inserted), "queued")
    s.say("---", "zero_before_the_mailbox")
    zeros = keep(("state_timeout", 0, "state"), (("timeout", "name"), 0, "generic"))
    await s.together(p, ("zero", zeros), "queued")
    s.say("---", "zero_after_inserted")
    insert = ("next_event", "internal", "inserted")
    await s.together(p, ("zero", keep(("state_timeout", 0, "state"), insert)), "queued")
    s.say("---", "event_time_out_of_zero")
    await s.together(p, ("zero", keep(("timeout", 0, "event"))), "queued")
    await s.together(p, ("zero", keep(("timeout", 0, "never"), insert)), "queued")
    first = keep(("timeout", 0, "event"), ("state_timeout", 0, "state"))
    await s.together(p, ("zero", first), "queued")
    last = keep(("state_timeout", 0, "state"), ("timeout", 0, "never"))
    await s.together(p, ("zero", last), "queued")
    s.say("---", "zero_is_cancelled_too")
    change = ("next_event", "internal", ("change", ("next_state", "b", {})))
    await s.together(p, ("zero", keep(("state_timeout", 0, "never"), change)), "queued")
    name = ("timeout", "name")
    cancel = ("next_event", "internal", ("cancel", keep((name, "cancel"))))
    await s.together(p, ("zero", keep((name, 0, "never"), cancel)), "queued")
    s.say("---", "from_init")
    await gen_statem.stop(p)
    begin = [("next_event", "internal", "first"), ("state_timeout", 0, "zero")]
    await gen_statem.stop(await s.start(actions=begin))


async def t04(s: Stage) -> None:
    armed = keep(("state_timeout", 0.03, "entered"))
    first = {"a": ("keep_state", {"b": armed})}
    p = await s.start("a", first, [("next_event", "internal", "from_init")])
    s.say("---", "change")
    await s.cast(p, ("change", ("next_state", "b", {"b": armed})))
    await sleep(0.08)
    s.say("---", "no_change")
    await s.cast(p, ("same", ("next_state", "b", {})))
    await s.cast(p, ("keep", ("keep_state", {})))
    s.say("---", "repeat")
    await s.cast(p, ("repeat", ("repeat_state", {})))
    s.say("---", "repeated_by_itself")
    again = {"c": ("repeat_state", {"c": ("keep_state", {})})}
    await s.cast(p, ("change", ("next_state", "c", again)))
    s.say("---", "with_a_reply")
    yes = await s.call(p, "ask", ("next_state", "d", {}, [("reply", "$from", "yes")]))
    await s.settle()
    s.say("call", yes)
    await gen_statem.stop(p)
    s.say("---", "forbidden")
    for value in (
        ("next_state", "c", {}),
        keep(("next_event", "internal", "x")),
        LATER,
        keep(("push_callback_module", "nowhere")),
        "nonsense",
        ("raise", "oops"),
        ("stop", "enough"),
        ("stop", "enough", {}),
    ):
        q = await s.start()
        s.say("call", await s.call(q, "ask", ("next_state", "b", {"b": value})))
        s.say("mailbox", await drain())


async def t05(s: Stage) -> None:
    p0 = await s.start()
    s.say("---", "a_reply_before_the_enter_call")
    slow = ("next_state", "slow", {}, [("reply", "$from", "yes")])
    s.say("call", await s.call(p0, "ask", slow))
    await gen_statem.stop(p0)
    s.say("mailbox", await drain())
    p1 = await s.start()
    s.say("---", "stop")
    s.say("call", await s.call(p1, "go", "stop"))
    s.say("mailbox", await drain())
    p2 = await s.start()
    s.say("---", "stop_reason")
    s.say("call", await s.call(p2, "go", ("stop", "why")))
    s.say("mailbox", await drain())
    p3 = await s.start()
    s.say("---", "stop_data")
    s.say("call", await s.call(p3, "go", ("stop", ("shutdown", "why"), "new")))
    s.say("mailbox", await drain())
    p4 = await s.start()
    s.say("---", "stop_and_reply")
    me = otp.self()

    async def waits() -> None:
        otp.send(me, ("waits", await s.call(p4, "later", LATER)))

    otp.spawn(waits)
    await sleep(0.02)
    done = ("reply", "$from", "done")
    s.say("call", await s.call(p4, "go", ("stop_and_reply", "why", done, "new")))
    s.say("mailbox", await drain())
    p5 = await s.start()
    s.say("---", "bad_reply")
    s.say("call", await s.call(p5, "go", ("stop_and_reply", "why", [done, ("keep", "it")])))
    s.say("mailbox", await drain())
    p6 = await s.start()
    s.say("---", "stopped_from_outside")
    await gen_statem.stop(p6, "why")
    s.say("stop", "ok")
    s.say("mailbox", await drain())


async def t06(s: Stage) -> None:
    for value in (
        "nonsense",
        ("next_state", "b"),
        (KEEP, "nonsense"),
        keep(("reply", "nobody", "x")),
        ("next_state", "b", "new", [("next_event", "nonsense", "x")]),
        keep(("timeout", "soon", "x")),
        keep(("state_timeout", -1, "x")),
        keep((("timer", "x"), 1, "x")),
        keep(("timeout", 1, "x", [("rel", True)])),
        keep(("reply", "$from", "sent"), "nonsense"),
        keep("pop_callback_module"),
        ("raise", "oops"),
    ):
        p = await s.start()
        s.say("call", await s.call(p, "go", value))
        s.say("mailbox", await drain())


PLAYS: dict[str, Callable[[Stage], Awaitable[None]]] = {
    "t01_time_outs": t01,
    "t02_postponed": t02,
    "t03_next_events": t03,
    "t04_enter_calls": t04,
    "t05_stopping": t05,
    "t06_misuse": t06,
}
