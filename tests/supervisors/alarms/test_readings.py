"""What procfs and statvfs say, read from texts as Linux writes them and from this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from supervisors.os_mon import Disk, Load, Memory, read_disks, read_load, read_memory
from supervisors.os_mon.readings import disks_at, load_from, local_mounts, memory_from

linux = pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="needs Linux's procfs")

MEMINFO = """\
MemTotal:       16000 kB
MemFree:         1000 kB
{available}Buffers:          500 kB
Cached:          2500 kB
Active(anon):    9999 kB
"""


def test_memory_that_can_be_given_back_is_not_used() -> None:
    text = MEMINFO.format(available="MemAvailable:    6000 kB\n")
    assert memory_from(text) == Memory(total=16000 * 1024, used=10000 * 1024)


def test_memory_of_an_old_kernel() -> None:
    text = MEMINFO.format(available="")
    assert memory_from(text) == Memory(total=16000 * 1024, used=12000 * 1024)


def test_mounts_that_are_local_and_can_fill_up() -> None:
    mounts = """\
/dev/sda1 / ext4 rw,relatime 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
/dev/loop3 /snap/core/1 squashfs ro 0 0
/dev/sdb1 /media/my\\040disk\\134x vfat rw 0 0
tmpfs /run tmpfs rw 0 0
"""
    assert local_mounts(mounts) == ["/", "/media/my disk\\x", "/run"]


def test_a_file_system_counts_once_and_a_vanished_one_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    places = [str(tmp_path), str(tmp_path / "again"), str(tmp_path / "gone")]
    (disk,) = disks_at(places)
    assert disk.mount == str(tmp_path)
    assert 0 <= disk.used <= disk.total


def test_load_and_processor_time() -> None:
    stat = "cpu  100 10 40 800 50 5 5 20 7 3\ncpu0 100 10 40 800 50 5 5 20 7 3\n"
    assert load_from("0.52 1.25 2.00 3/456 7890\n", stat, 4) == Load(
        0.52, 1.25, 2.0, processes=456, processors=4, busy=180, elapsed=1030
    )


@linux
def test_this_machine() -> None:
    memory = trio.run(read_memory)
    assert 0 < memory.used < memory.total
    disks = trio.run(read_disks)
    assert disks
    assert all(isinstance(disk, Disk) and disk.used <= disk.total for disk in disks)
    load = trio.run(read_load)
    assert load.processors == os.cpu_count()
    assert 0 < load.busy <= load.elapsed
