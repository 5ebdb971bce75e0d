"""Monitors of the machine: processes that set alarms for memory, disks and load (OTP: os_mon).

`memsup`, `disksup` and `cpu_sup` are one GenServer each. They look at the machine from time
to time and set and clear alarms with `supervisors.alarm_handler`; asked, they tell what they
saw. Nothing starts them but you:

    >>> import supervisors
    >>> from supervisors import Supervisor, SupFlags, alarm_handler
    >>> from supervisors.os_mon import CpuSup, DiskSup, MemSup
    >>> class Machine(Supervisor):
    ...     def init(self):
    ...         return SupFlags("rest_for_one"), [
    ...             alarm_handler.child_spec(),
    ...             MemSup.child_spec(name="memsup"),
    ...             DiskSup.child_spec(name="disksup"),
    ...             CpuSup.child_spec(name="cpu_sup"),
    ...         ]

All that depends on the operating system is in `readings`: functions that read Linux's
procfs and ask statvfs. The settings of each monitor take others in their place.

Not imported with `supervisors`: say ``from supervisors import os_mon``.
"""

from . import cpu_sup, disksup, memsup
from .cpu_sup import CpuSup, LoadSettings
from .disksup import DiskSettings, DiskSup
from .memsup import MemoryData, MemorySettings, MemSup
from .readings import Disk, Load, Memory, read_disks, read_load, read_memory

__all__ = [
    "CpuSup",
    "Disk",
    "DiskSettings",
    "DiskSup",
    "Load",
    "LoadSettings",
    "MemSup",
    "Memory",
    "MemoryData",
    "MemorySettings",
    "cpu_sup",
    "disksup",
    "memsup",
    "read_disks",
    "read_load",
    "read_memory",
]
