"""What the machine says of itself: the only module here that knows the operating system.

Each reader is an async function without arguments that answers a frozen record or raises
OSError. These read Linux's procfs and call statvfs; on another system give the monitors
readers of your own. Sizes are bytes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trio

PROC = Path("/proc")

REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs"})
"""File systems that are somebody else's to watch, and that may hang when asked."""

IMAGES = frozenset({"squashfs", "iso9660", "erofs"})
"""Read-only images: full by nature."""


@dataclass(frozen=True, slots=True)
class Memory:
    """used: what is neither free nor given back on demand (caches), so `used` close to
    `total` means trouble.
    """

    total: int
    used: int


@dataclass(frozen=True, slots=True)
class Disk:
    """A mounted local file system. total: what unprivileged users may fill."""

    mount: str
    total: int
    used: int


@dataclass(frozen=True, slots=True)
class Load:
    """avg1, avg5, avg15: processes that ran or wanted to, averaged over minutes.
    processes: how many exist. processors: how many can run at once. busy, elapsed: clock
    ticks of all processors since the machine started, at work and altogether.
    """

    avg1: float
    avg5: float
    avg15: float
    processes: int
    processors: int
    busy: int
    elapsed: int


async def read_memory() -> Memory:
    """The memory now."""
    return memory_from((PROC / "meminfo").read_text("ascii"))


def memory_from(meminfo: str) -> Memory:
    """``/proc/meminfo``, which counts in KiB; kernels before 3.14 have no MemAvailable."""
    kib = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+)", meminfo, re.M)}
    available = kib.get("MemAvailable", kib["MemFree"] + kib["Buffers"] + kib["Cached"])
    return Memory(total=kib["MemTotal"] * 1024, used=(kib["MemTotal"] - available) * 1024)


async def read_disks() -> tuple[Disk, ...]:
    """The disks now. In a thread: a dead device can make statvfs wait for ever."""
    return await trio.to_thread.run_sync(_disks, abandon_on_cancel=True)


def _disks() -> tuple[Disk, ...]:
    return tuple(disks_at(local_mounts((PROC / "self" / "mounts").read_text("utf-8"))))


def local_mounts(mounts: str) -> list[str]:
    """The mount points in ``/proc/mounts`` that are local and can fill up."""
    found = []
    for line in mounts.splitlines():
        _device, mount, kind, *_ = line.split(" ")
        if kind not in REMOTE and kind not in IMAGES:
            found.append(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), mount))
    return found


def disks_at(mounts: list[str]) -> Iterator[Disk]:
    """Each file system with any blocks, once, under its first mount point.

    A mount that went away since it was listed, or that we may not see, is left out.
    """
    seen = set()
    for mount in mounts:
        try:
            device = Path(mount).stat().st_dev
            stat = os.statvfs(mount)
        except OSError:
            continue
        if device in seen or stat.f_blocks == 0:
            continue
        seen.add(device)
        used = (stat.f_blocks - stat.f_bfree) * stat.f_frsize
        yield Disk(mount, total=used + stat.f_bavail * stat.f_frsize, used=used)


async def read_load() -> Load:
    """The load now."""
    loadavg = (PROC / "loadavg").read_text("ascii")
    return load_from(loadavg, (PROC / "stat").read_text("ascii"), os.cpu_count() or 1)


def load_from(loadavg: str, stat: str, processors: int) -> Load:
    """``/proc/loadavg``, and the first line of ``/proc/stat``: user nice system idle iowait
    irq softirq steal; what guests used is in user already.
    """
    avg1, avg5, avg15, tasks, *_ = loadavg.split()
    ticks = [int(field) for field in stat.splitlines()[0].split()[1:9]]
    return Load(
        float(avg1),
        float(avg5),
        float(avg15),
        processes=int(tasks.partition("/")[2]),
        processors=processors,
        busy=sum(ticks) - sum(ticks[3:5]),
        elapsed=sum(ticks),
    )
