"""memsup: watches the machine's memory and the largest process (OTP: memsup, 1.10).

Every minute; alarms:

- ``("system_memory_high_watermark", Memory)`` while more than 0.80 of the memory is used,
- ``("process_memory_high_watermark", pid)`` while one of our processes has more than 0.05
  of it. What a process has is `process_info`'s estimate, which errs to the low side.

    >>> import supervisors
    >>> from supervisors import alarm_handler
    >>> from supervisors.os_mon import Memory, MemorySettings, MemSup, memsup
    >>> async def nearly_full():
    ...     return Memory(total=1_000_000_000, used=900_000_000)
    >>> async def main():
    ...     await alarm_handler.start_link()
    ...     await MemSup.start_link(MemorySettings(read=nearly_full), name="memsup")
    ...     print(await memsup.get_system_memory_data())
    ...     return [id for id, _ in await alarm_handler.get_alarms()]
    >>> supervisors.run(main)
    Memory(total=1000000000, used=900000000)
    ['system_memory_high_watermark']
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from .._cell import current_runtime
from .._gen_server.calls import call
from .._info import process_info
from .._pid import Pid
from .._signals import yield_
from .monitor import Monitor, Settings
from .readings import Memory, read_memory

NAME = "memsup"
SYSTEM_ALARM = "system_memory_high_watermark"
PROCESS_ALARM = "process_memory_high_watermark"
BATCH = 100
"""Processes looked at between two checkpoints."""


async def largest_process() -> tuple[Pid, int] | None:
    """The process of this runtime with the most memory, and its bytes; None if there is none."""
    worst: tuple[Pid, int] | None = None
    for number, pid in enumerate(current_runtime().processes(), 1):
        info = process_info(pid)
        if info is not None and (worst is None or info.memory > worst[1]):
            worst = pid, info.memory
        if number % BATCH == 0:
            await yield_()
    return worst


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySettings(Settings):
    """system, process: the high watermarks, as shares of the machine's memory; `math.inf`
    for none. read, read_process: where the numbers come from.
    """

    interval: float = 60.0
    system: float = 0.80
    process: float = 0.05
    read: Callable[[], Awaitable[Memory]] = read_memory
    read_process: Callable[[], Awaitable[tuple[Pid, int] | None]] = largest_process


@dataclass(frozen=True, slots=True)
class MemoryData:
    """One check. worst: the largest process and its bytes; None if no mark asks for it."""

    memory: Memory
    worst: tuple[Pid, int] | None


class MemSup(Monitor):
    """Start with MemorySettings, or without for OTP's numbers."""

    settings = MemorySettings

    async def collect(self, settings: MemorySettings) -> MemoryData:
        """The machine first, then our own processes."""
        memory = await settings.read()
        watched = settings.process != math.inf
        return MemoryData(memory, await settings.read_process() if watched else None)

    def judge(self, reading: MemoryData, settings: MemorySettings) -> dict[Any, Any]:
        """Either alarm, or both."""
        memory, worst = reading.memory, reading.worst
        due: dict[Any, Any] = {}
        if memory.used > settings.system * memory.total:
            due[SYSTEM_ALARM] = memory
        if worst is not None and worst[1] > settings.process * memory.total:
            due[PROCESS_ALARM] = worst[0]
        return due

    def owns(self, alarm_id: Any) -> bool:
        """The two alarms for memory."""
        return alarm_id in (SYSTEM_ALARM, PROCESS_ALARM)


async def get_memory_data(server: Pid | str = NAME) -> MemoryData | None:
    """What the latest check saw; None when nothing could be read."""
    data: MemoryData | None = await call(server, "latest", timeout=60.0)
    return data


async def get_system_memory_data(server: Pid | str = NAME) -> Memory | None:
    """The machine's memory now; None when it could not be read."""
    data: MemoryData | None = await call(server, "fresh", timeout=60.0)
    return None if data is None else data.memory
