"""S32: what process_info says of a supervised child, its supervisor and the observer."""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp
from supervisors import process_info

from .harness import Scenario, golden, play


def shown(item: str, value: Any) -> Any:
    """Our value in the shape of Erlang's."""
    if item == "registered_name":
        return [] if value is None else value
    if item == "monitors":
        return [("process", pid) for pid in value]
    if isinstance(value, tuple):
        return list(value)
    return value


async def s32(s: Scenario) -> None:
    me = s.name(otp.self(), "obs")
    sup = await s.sup([s.spec("a")])
    ((_, a),) = await s.kids(sup)
    ref = otp.monitor(a)

    def say(pid: otp.Pid, item: str) -> None:
        s.event("obs", item, (pid, shown(item, process_info(pid, item))))

    for item in (
        "registered_name",
        "links",
        "monitored_by",
        "trap_exit",
        "message_queue_len",
        "status",
    ):
        say(a, item)
    say(sup, "trap_exit")
    links = sorted(process_info(sup, "links"), key=lambda pid: pid is me)
    s.event("obs", "sup_links", links)
    say(me, "monitors")
    say(a, "parent")
    s.event("obs", "ancestors", list(process_info(a, "dictionary")["$ancestors"]))
    s.event("obs", "initial_call", "init")
    await otp.sys.suspend(a)
    otp.send(a, "one")
    otp.send(a, "two")
    say(a, "message_queue_len")
    say(a, "messages")
    await otp.sys.resume(a)
    await otp.call(a, "label")
    say(a, "message_queue_len")
    otp.demonitor(ref)
    say(a, "monitored_by")
    s.event("obs", "no_name", shown("registered_name", process_info(me, "registered_name")))
    several = process_info(me, ["registered_name", "trap_exit"])
    s.event("obs", "several", [(k, shown(k, v)) for k, v in several.items()])
    try:
        process_info(me, "zzz")
    except otp.BadArg:
        s.event("obs", "bad_item", ("error", "badarg"))


async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(s32) == golden("s32_process_info")


@pytest.mark.parametrize("item", ["zzz", ["links", "zzz"]])
async def test_an_unknown_item(autojump_clock: Any, item: Any) -> None:
    async with otp.Runtime():
        pid = otp.spawn(otp.receive)
        with pytest.raises(otp.BadArg, match="zzz"):
            process_info(pid, item)
