"""disksup: watches how full the disks are (OTP: disksup, 1.10).

Every 30 minutes; the alarm ``(("disk_almost_full", mount), Disk)`` is set while more than
0.80 of a disk is used.

    >>> import supervisors
    >>> from supervisors import alarm_handler
    >>> from supervisors.os_mon import Disk, DiskSettings, DiskSup, disksup
    >>> async def disks():
    ...     return Disk("/", total=100, used=20), Disk("/var", total=100, used=95)
    >>> async def main():
    ...     await alarm_handler.start_link()
    ...     await DiskSup.start_link(DiskSettings(read=disks), name="disksup")
    ...     print([disk.mount for disk in await disksup.get_disk_info()])
    ...     return [id for id, _ in await alarm_handler.get_alarms()]
    >>> supervisors.run(main)
    ['/', '/var']
    [('disk_almost_full', '/var')]
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from .._gen_server.calls import call
from .._pid import Pid
from .monitor import Monitor, Settings
from .readings import Disk, read_disks

NAME = "disksup"
ALARM = "disk_almost_full"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSettings(Settings):
    """almost_full: share of a disk that may be used. read: where the numbers come from."""

    interval: float = 1800.0
    almost_full: float = 0.80
    read: Callable[[], Awaitable[tuple[Disk, ...]]] = read_disks


class DiskSup(Monitor):
    """Start with DiskSettings, or without for OTP's numbers."""

    settings = DiskSettings

    async def collect(self, settings: DiskSettings) -> tuple[Disk, ...]:
        """All local disks."""
        return await settings.read()

    def judge(self, reading: tuple[Disk, ...], settings: DiskSettings) -> dict[Any, Any]:
        """One alarm for each disk above the mark."""
        return {
            (ALARM, disk.mount): disk
            for disk in reading
            if disk.used > settings.almost_full * disk.total
        }

    def owns(self, alarm_id: Any) -> bool:
        """The alarms of all mount points, also of one that is not there any more."""
        return isinstance(alarm_id, tuple) and len(alarm_id) == 2 and alarm_id[0] == ALARM


async def get_disk_data(server: Pid | str = NAME) -> tuple[Disk, ...] | None:
    """The disks as the latest check saw them; None when nothing could be read."""
    data: tuple[Disk, ...] | None = await call(server, "latest", timeout=60.0)
    return data


async def get_disk_info(server: Pid | str = NAME) -> tuple[Disk, ...] | None:
    """The disks now; None when they could not be read."""
    data: tuple[Disk, ...] | None = await call(server, "fresh", timeout=60.0)
    return data
