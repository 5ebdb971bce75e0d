"""What watches the node: the children of `observe`.

::

    observe (one_for_one 10/60)
    ├── log           kernel reports and audit records become lines
    ├── health        checks the components, answers the probes
    ├── watchdog      notices code that holds the loop (DESIGN 2.5)
    └── os_mon (rest_for_one 5/60)
        ├── alarm_handler    what is wrong right now
        ├── memsup           sets its alarms for memory,
        ├── disksup          for disks,
        └── cpu_sup          and for load
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from erlmcp_py.config import Config, OsMonConfig, WatchdogConfig
from erlmcp_py.ops.checks import node_components
from erlmcp_py.ops.health import NAME as HEALTH
from erlmcp_py.ops.health import HealthMonitor
from erlmcp_py.ops.memory import read_memory
from erlmcp_py.telemetry.entry import Level
from erlmcp_py.telemetry.log import NAME as LOG
from erlmcp_py.telemetry.log import LogWriter, stderr
from supervisors import ChildSpec, Pid, Supervisor, SupFlags, Watchdog, alarm_handler
from supervisors.os_mon import (
    CpuSup,
    DiskSettings,
    DiskSup,
    LoadSettings,
    Memory,
    MemorySettings,
    MemSup,
)


def observers(config: Config, level: Callable[[], Level]) -> tuple[ChildSpec, ...]:
    """The child specs of `observe`. level: says what is logged when the log is started."""
    health, watch = config.health, config.watchdog
    return (
        LogWriter.child_spec(level, stderr, config.mailboxes.log, id=LOG, name=LOG),
        HealthMonitor.child_spec(health, node_components(health), id=HEALTH, name=HEALTH),
        ChildSpec("watchdog", (start_watchdog, (watch,))),
        OsMon.child_spec(config.os_mon, id="os_mon", name="os_mon"),
    )


async def start_watchdog(config: WatchdogConfig) -> Pid:
    """Watch the loop this runs in; see `supervisors.Watchdog`."""
    max_run = None if isinstance(config.max_run, str) else config.max_run
    return await Watchdog.start_link(config.long_schedule, max_run, name="watchdog")


class OsMon(Supervisor):
    """The alarm handler and the monitors of the machine.

    One after the other (rest_for_one): a new alarm handler has an empty list, so the monitors
    start again with it and find out anew.
    """

    def init(self, config: OsMonConfig) -> tuple[SupFlags, list[ChildSpec]]:
        """The monitors with the configured marks."""
        memory = MemorySettings(
            interval=config.memory_interval,
            system=_mark(config.memory),
            process=_mark(config.process_memory),
            read=_read_memory,
        )
        disk = DiskSettings(interval=config.disk_interval, almost_full=_mark(config.disk))
        load = LoadSettings(interval=config.load_interval, per_processor=_mark(config.load))
        return SupFlags("rest_for_one", 5, 60), [
            alarm_handler.child_spec(),
            MemSup.child_spec(memory, id="memsup", name="memsup"),
            DiskSup.child_spec(disk, id="disksup", name="disksup"),
            CpuSup.child_spec(load, id="cpu_sup", name="cpu_sup"),
        ]


def _mark(value: float | Literal["off"]) -> float:
    return math.inf if value == "off" else value


async def _read_memory() -> Memory:
    """The tightest limit there is, a container's too, where OTP's memsup sees the machine only."""
    memory = read_memory()
    return Memory(total=memory.limit, used=memory.used)
