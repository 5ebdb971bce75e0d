"""Numbers of processes are given again: nothing that is sent to a program reaches a stranger."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from erlmcp_py.ports import Graces, open_port, warden_program
from erlmcp_py.ports.family import Family, started, stat
from supervisors import Runtime, is_alive, spawn

from .conftest import living, python, until

ROOT = Path(__file__).parents[3]
HASTY = Graces(close=0.05, term=0.05)


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """Leads a session of its own, as programs do."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("end_daemons", [False, True])
async def test_who_has_the_number_of_one_that_was_seen_is_not_signalled(
    monkeypatch: pytest.MonkeyPatch, stranger: subprocess.Popen[bytes], *, end_daemons: bool
) -> None:
    """It may be given again between a look and the signal."""
    look = Family.living
    looks: list[int] = []

    def look_too_late(family: Family, **where: bool) -> list[int]:
        looks.append(family.leader)
        return [*look(family, **where), stranger.pid]

    async def owner() -> None:
        code = "import time; time.sleep(600)"
        async with open_port(python(code), graces=HASTY, end_daemons=end_daemons) as port:
            port.signal_all(signal.SIGTERM)

    monkeypatch.setattr(Family, "living", look_too_late)
    async with Runtime("test"):
        pid = spawn(owner)
        await until(lambda: not is_alive(pid), "the owner has ended")
    assert looks
    assert stranger.poll() is None


async def test_the_warden_signals_nobody_who_has_the_number_now(
    stranger: subprocess.Popen[bytes],
) -> None:
    fields = stat(stranger.pid)
    assert fields is not None
    family = f"+{stranger.pid} {started(fields) - 1} \n"
    said = subprocess.run(  # noqa: ASYNC221 - there is nobody else here
        [sys.executable, "-I", "-S", warden_program.__file__],
        input=family.encode(),
        capture_output=True,
        check=True,
    )
    assert (said.stdout, said.stderr) == (b"", b"")
    assert stranger.poll() is None


NODE = """
import os, signal, subprocess, sys, trio
from erlmcp_py.ports import Command, Graces, open_port
from supervisors import run

signal.signal(signal.SIGCHLD, signal.SIG_IGN)

def with_number(pid):
    while True:
        with open("/proc/sys/kernel/ns_last_pid", "w") as last:
            last.write(str(pid - 1))
        found = subprocess.Popen(["sleep", "600"], start_new_session=True)
        if found.pid == pid:
            return found
        found.kill()  # the system had not given it back yet

async def main():
    quiet = Command(argv=(sys.executable, "-I", "-S", "-c", "import time; time.sleep(0.1)"))
    async with open_port(quiet, graces=Graces(close=0.05, term=0.05)) as port:
        await port.wait()
        while os.path.exists(f"/proc/{port.pid}"):
            await trio.sleep(0.01)
        stranger = with_number(port.pid)
        port.signal(signal.SIGTERM)
        port.signal_all(signal.SIGTERM)
    print(port.exit, os.path.exists(f"/proc/{stranger.pid}/exe"), flush=True)

run(main)
"""


ALONE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc")
"""With numbers of its own, so that which is next can be said, and is nobody else's."""


@pytest.mark.skipif(
    shutil.which(ALONE[0]) is None
    or subprocess.run([*ALONE, "true"], stderr=subprocess.DEVNULL).returncode != 0,
    reason="this system gives nobody numbers of his own",
)
def test_a_node_that_is_told_of_no_ends_signals_nobody_who_has_the_number_now() -> None:
    """Where SIGCHLD is ignored the number of a program is free as soon as it has ended."""
    done = subprocess.run(
        [*ALONE, sys.executable, "-c", NODE], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "ended, nobody knows how True\n", done.stderr


def test_those_of_a_session_are_found_by_its_number_only_as_long_as_it_is_its_own(
    stranger: subprocess.Popen[bytes],
) -> None:
    fields = stat(stranger.pid)
    assert fields is not None
    assert living(stranger.pid) == [stranger.pid]
    assert Family(stranger.pid, started(fields), "").living() == [stranger.pid]
    assert Family(stranger.pid, started(fields) - 1, "").living() == []
