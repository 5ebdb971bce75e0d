"""E04: one alarm set twice and cleared once; a swap hands over the list (S39)."""

from __future__ import annotations

from typing import Any

import supervisors as otp
from supervisors import GenEvent, HandlerError, StartError, alarm_handler, gen_event
from supervisors.alarm_handler import AlarmHandler

from ..gen_event.recorder import EventScenario, play
from ..scenarios.harness import golden


class Mine(GenEvent):
    """Records what it is told."""

    def init(self, args: Any) -> Any:
        scenario, shown = args if isinstance(args[1], str) else (args[0][0], (args[0][1], args[1]))
        scenario.event("handler", "init", shown)
        return "ok", scenario

    def handle_event(self, event: Any, scenario: EventScenario) -> Any:
        scenario.event("handler", "event", event)
        return "ok", scenario

    def terminate(self, argument: Any, scenario: EventScenario) -> None:
        scenario.event("handler", "terminate", [] if argument is None else argument)


async def e04(s: EventScenario) -> None:
    async def alarms() -> None:
        try:
            s.event("obs", "alarms", await alarm_handler.get_alarms())
        except HandlerError as failed:
            s.event("obs", "alarms", ("error", failed.reason))

    s.name(await alarm_handler.start_link(), "alarm_handler")
    s.event("obs", "which", await gen_event.which_handlers("alarm_handler"))
    await alarms()
    for alarm in (("full", 1), ("hot", "cpu"), ("full", 2)):
        alarm_handler.set_alarm(alarm)
        await alarms()
    alarm_handler.clear_alarm("full")
    await alarms()
    alarm_handler.clear_alarm("unknown")
    await alarms()
    alarm_handler.set_alarm((("disk_almost_full", "root"), []))
    await alarms()
    s.event("obs", "bad_query", await gen_event.call("alarm_handler", AlarmHandler, "nonsense"))
    gen_event.notify("alarm_handler", "nonsense")
    otp.send("alarm_handler", "nonsense")
    await alarms()

    await alarm_handler.add_alarm_handler(Mine, (s, "pager"))
    s.event("obs", "add", "ok")
    alarm_handler.set_alarm(("late", 3))
    alarm_handler.clear_alarm("late")
    await alarms()
    await alarm_handler.delete_alarm_handler(Mine)
    s.event("obs", "delete", "ok")

    await gen_event.swap_handler("alarm_handler", (AlarmHandler, "swap"), (Mine, (s, "mine")))
    s.event("obs", "swap", "ok")
    await alarms()
    try:
        await alarm_handler.start_link()
    except StartError:
        s.event("obs", "already", "error")
    await gen_event.stop("alarm_handler")
    s.event("obs", "stop", "ok")
    try:
        alarm_handler.set_alarm(("x", "y"))
    except otp.BadArg:
        s.event("obs", "nobody", "badarg")


async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(e04) == golden("own/e04_alarms")
