"""What the load generators read of the server's process, from /proc."""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of `pid`, in seconds; 10 ms fine on Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def cpu_exact(pid: int) -> float:
    """The same, fine enough for a process at rest, without threads that have ended."""
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


def family(pid: int) -> list[int]:
    """`pid` and every process below it."""
    found = [pid]
    for parent in found:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        found += [int(child) for child in children.split()]
    return found


@contextlib.contextmanager
def taking_turns(pid: int) -> Iterator[None]:
    """The main thread of `pid`, and whoever asks, on one core, if there are several.

    Of two that never work at the same time one always has to be woken by the other, on a core that went
    to sleep. A virtual machine gives such a core back and gets it again, which takes as long as a small
    call, and is charged to whoever is woken. On one core nothing sleeps. Helpers of a process (compilers,
    collectors) keep every core.
    """
    mine, theirs = os.sched_getaffinity(0), os.sched_getaffinity(pid)
    one = sorted(mine & theirs)[-1:]
    if not one:
        raise RuntimeError(f"process {pid} and this one may not run on the same core")
    os.sched_setaffinity(0, one)
    os.sched_setaffinity(pid, one)
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(pid, theirs)


def resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no VmRSS; is it still running?")


def percentile(sorted_values: list[float], share: float) -> float:
    """The value below which `share` of the sorted values lie (nearest rank)."""
    if not sorted_values:
        raise ValueError("no values to take a percentile of")
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)]
