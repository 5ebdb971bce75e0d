"""cpu_sup: how busy the machine is (OTP: cpu_sup, 1.10).

`avg1`, `avg5` and `avg15` are load averages times 256, as in OTP: the load of one busy
process is 256. OTP sets no alarm for load, and neither does this unless it is given a
watermark; then, every minute, ``("system_load_high_watermark", Load)`` is set while the
average of five minutes, per processor, is above it.

    >>> import supervisors
    >>> from supervisors.os_mon import CpuSup, Load, LoadSettings, cpu_sup
    >>> async def busy():
    ...     return Load(2.0, 1.5, 1.0, processes=300, processors=4, busy=50, elapsed=200)
    >>> async def main():
    ...     await CpuSup.start_link(LoadSettings(read=busy), name="cpu_sup")
    ...     return await cpu_sup.avg1(), await cpu_sup.avg5(), await cpu_sup.nprocs()
    >>> supervisors.run(main)
    (512, 384, 300)
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from .._gen_server.calls import call
from .._pid import Pid
from .monitor import Monitor, Settings
from .readings import Load, read_load

NAME = "cpu_sup"
ALARM = "system_load_high_watermark"
UNIT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSettings(Settings):
    """per_processor: the load of five minutes that one processor may have; 1.0 is all it
    can do. read: where the numbers come from.
    """

    interval: float = 60.0
    per_processor: float = math.inf
    read: Callable[[], Awaitable[Load]] = read_load


class CpuSup(Monitor):
    """Start with LoadSettings, or without for OTP's numbers."""

    settings = LoadSettings

    async def collect(self, settings: LoadSettings) -> Load:
        """One Load."""
        return await settings.read()

    def judge(self, reading: Load, settings: LoadSettings) -> dict[Any, Any]:
        """The load alarm, if there is a watermark and the load is above it."""
        high = reading.avg5 > settings.per_processor * reading.processors
        return {ALARM: reading} if high else {}

    def owns(self, alarm_id: Any) -> bool:
        """The one alarm for load."""
        return bool(alarm_id == ALARM)


async def get_load(server: Pid | str = NAME) -> Load | None:
    """All there is to know now; None when it could not be read."""
    load: Load | None = await call(server, "fresh", timeout=60.0)
    return load


async def avg1(server: Pid | str = NAME) -> int | None:
    """The load of the last minute times 256; None when it could not be read."""
    load = await get_load(server)
    return None if load is None else round(load.avg1 * UNIT)


async def avg5(server: Pid | str = NAME) -> int | None:
    """The load of five minutes times 256; None when it could not be read."""
    load = await get_load(server)
    return None if load is None else round(load.avg5 * UNIT)


async def avg15(server: Pid | str = NAME) -> int | None:
    """The load of fifteen minutes times 256; None when it could not be read."""
    load = await get_load(server)
    return None if load is None else round(load.avg15 * UNIT)


async def nprocs(server: Pid | str = NAME) -> int | None:
    """How many processes the machine has; None when it could not be read."""
    load = await get_load(server)
    return None if load is None else load.processes


def util(before: Load, now: Load) -> float:
    """Per cent of its time that the machine was busy between two readings, 0 to 100.

    With a reading of all zeros as `before`: since the machine started.
    """
    elapsed = now.elapsed - before.elapsed
    return 100.0 * (now.busy - before.busy) / elapsed if elapsed > 0 else 0.0
