"""How much of the memory a node may use is in use.

Inside a container the machine's figures mislead: the limit that ends the node is the cgroup's. So
both are read, and the tighter one counts.
"""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Memory:
    """used, limit: bytes. scope: whose limit it is, "cgroup", "machine" or "process"."""

    used: int
    limit: int
    scope: str

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.used / self.limit


def read_memory(root: Path = Path("/")) -> Memory:
    """The tightest limit found; without procfs, this process against the machine's memory."""
    found = [memory for memory in (_cgroup(root), _machine(root)) if memory is not None]
    return max(found, key=lambda memory: memory.share) if found else _process()


def _cgroup(root: Path) -> Memory | None:
    """Version 2; page cache that can be dropped at once does not count as used."""
    here = root / "sys/fs/cgroup"
    try:
        limit = (here / "memory.max").read_text().strip()
        used = int((here / "memory.current").read_text())
        stat = dict(line.split() for line in (here / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    if not limit.isdecimal() or int(limit) == 0:
        return None
    return Memory(max(0, used - int(stat.get("inactive_file", 0))), int(limit), "cgroup")


def _machine(root: Path) -> Memory | None:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        total, available = kilobytes["MemTotal"], kilobytes["MemAvailable"]
    except (OSError, ValueError, IndexError, KeyError):
        return None
    return Memory((total - available) * 1024, total * 1024, "machine") if total else None


def _process() -> Memory:
    """The largest resident set so far: all that POSIX offers."""
    unit = 1 if sys.platform == "darwin" else 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return Memory(used, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), "process")
