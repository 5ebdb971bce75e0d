"""E05: memsup sets and clears its alarm by itself, once each (S39)."""

from __future__ import annotations

import math
from typing import Any

import supervisors as otp
from supervisors import alarm_handler
from supervisors.os_mon import MemorySettings, MemSup, memsup
from supervisors.os_mon.readings import Memory

from ..gen_event.recorder import EventScenario, play
from ..scenarios.harness import golden

UNDER, OVER = Memory(total=1000, used=800), Memory(total=1000, used=801)


async def e05(s: EventScenario) -> None:
    """Erlang's side moves the mark past the memory in use, ours the memory past the mark."""
    machine = [UNDER]

    async def read() -> Memory:
        return machine[0]

    async def look(when: str) -> None:
        alarms = await alarm_handler.get_alarms()
        s.event("obs", "alarms", (when, [id for id, _ in alarms]))

    otp.trap_exit()
    await alarm_handler.start_link()
    monitor = await MemSup.start_link(MemorySettings(read=read, process=math.inf), name="memsup")
    await memsup.get_memory_data()
    await look("at_first")
    for when, memory in (
        ("over", OVER),
        ("still_over", OVER),
        ("under", UNDER),
        ("over_again", OVER),
    ):
        machine[0] = memory
        await memsup.get_system_memory_data()
        await look(when)
    await otp.stop(monitor)
    s.event("obs", "stop", "ok")
    await look("stopped")


async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(e05) == golden("own/e05_memory_alarm")
