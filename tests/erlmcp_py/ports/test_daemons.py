"""Processes that have left the session of their program (daemons): ended with it where that is asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from erlmcp_py.ports import Command, Exit, Graces, open_port
from erlmcp_py.ports.family import NAME, Family

from .conftest import python, state, until

ROOT = Path(__file__).parents[3]
AT_ONCE = Graces(close=0.05, term=0.05)

DAEMON = """
import os, signal, sys, time
read, write = os.pipe()
def tell():
    os.write(1, b"%d\\n" % os.getpid())
    os.write(write, b"x")
def daemon():
    os.closerange(0, 3)
    time.sleep(600)
{kind}
os.read(read, 1)
{then}
"""
SETSID = """
if os.fork() == 0:
    os.setsid()
    tell()
    daemon()
"""
DOUBLE = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        tell()
        daemon()
    os._exit(0)
"""
DEAF = """
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tell()
    daemon()
"""
EXECUTES = """
if os.fork() == 0:
    os.setsid()
    tell()
    os.execvp("sleep", ["sleep", "600"])
"""
FAMILY = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        tell()
    daemon()
"""
AT_ITS_END = """
def asked(*_):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open("forked", "w").write(str(os.getpid()))
            os.write(write, b"x")
            time.sleep(600)
        os._exit(0)
    os.read(read, 1)
    os._exit(3)
signal.signal(signal.SIGTERM, asked)
tell()
"""
WITHOUT = f"""
if os.fork() == 0:
    os.setsid()
    tell()
    os.execvp("env", ["env", "-u", {NAME!r}, "sleep", "600"])
"""
STAYS = "time.sleep(600)"
LEAVES = "os._exit(4)"


def that(kind: str, then: str = STAYS, **more: object) -> Command:
    """A program with such a daemon, whose pid it says."""
    return python(DAEMON.format(kind=kind, then=then), **more)


def has_ended(pid: int) -> bool:
    return state(pid) in (None, "Z")


@pytest.fixture
def buried() -> Iterator[set[int]]:
    """Those in it are killed in the end."""
    pids: set[int] = set()
    yield pids
    for pid in pids:
        if not has_ended(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("then", [STAYS, LEAVES], ids=["stays", "leaves"])
@pytest.mark.parametrize("kind", [SETSID, DOUBLE, DEAF, EXECUTES, FAMILY])
async def test_they_end_with_it(owned, kind: str, then: str, buried: set[int]) -> None:
    async def owner():
        async with open_port(that(kind, then), graces=AT_ONCE, end_daemons=True) as port:
            daemon = int(await port.read())
            buried.add(daemon)
            if then == LEAVES:
                assert await port.wait() == Exit(4)
            assert not has_ended(daemon)
        return has_ended(daemon)

    assert await owned(owner)


async def test_one_that_begins_when_its_program_is_asked_to_end_does(
    owned, tmp_path: Path, buried: set[int]
) -> None:
    async def owner():
        command = that(AT_ITS_END, cwd=str(tmp_path))
        graces = Graces(close=0.05, term=20)
        async with open_port(command, graces=graces, end_daemons=True) as port:
            await port.read()
        return port.exit

    assert await owned(owner) == Exit(3)
    forked = int((tmp_path / "forked").read_text())
    buried.add(forked)
    assert has_ended(forked)


async def test_they_stay_where_nobody_asks(owned, buried: set[int]) -> None:
    async def owner():
        async with open_port(that(SETSID), graces=AT_ONCE) as port:
            daemon = int(await port.read())
            buried.add(daemon)
        return has_ended(daemon)

    assert not await owned(owner)


async def test_one_without_the_variable_stays(owned, buried: set[int]) -> None:
    """Which is how a program starts what is to outlive it."""

    async def owner():
        async with open_port(that(WITHOUT), graces=AT_ONCE, end_daemons=True) as port:
            daemon = int(await port.read())
            buried.add(daemon)
            executed = Path(f"/proc/{daemon}/comm")
            await until(lambda: executed.read_text() == "sleep\n", "it has no variable")
        return has_ended(daemon)

    assert not await owned(owner)


async def test_others_are_left_alone(owned, buried: set[int]) -> None:
    """Those of another port, of the same node and command."""

    async def owner():
        async with open_port(that(SETSID), graces=AT_ONCE, end_daemons=True) as one:
            first = int(await one.read())
            async with open_port(that(SETSID), graces=AT_ONCE, end_daemons=True) as other:
                second = int(await other.read())
                buried.update((first, second))
            ended = has_ended(first), has_ended(second)
            assert one.exit is None
        return ended, has_ended(first)

    assert await owned(owner) == ((False, True), True)


async def test_those_of_a_node_that_is_a_program_itself_end_with_it(
    owned, monkeypatch: pytest.MonkeyPatch, buried: set[int]
) -> None:
    monkeypatch.setenv(NAME, "of-an-outer-node")
    outer = Family(os.getpid(), 0, "of-an-outer-node")

    async def owner():
        async with open_port(that(SETSID), graces=AT_ONCE, end_daemons=True) as port:
            daemon = int(await port.read())
            buried.add(daemon)
            return {port.pid, daemon} <= set(outer.living())

    assert await owned(owner)


async def test_one_that_has_become_the_node_s_child_is_reaped(
    owned, adopts_orphans, buried: set[int]
) -> None:
    async def owner():
        async with open_port(that(FAMILY), graces=AT_ONCE, end_daemons=True) as port:
            daemon = int(await port.read())
            buried.add(daemon)
        return state(daemon)

    assert await owned(owner) is None  # and `nothing_left` looks for zombies


async def test_one_in_a_group_of_its_own_that_has_become_the_node_s_child_is_reaped(
    owned, adopts_orphans
) -> None:
    code = """
import os, time
if os.fork() == 0:
    os.setpgid(0, 0)
    os.write(1, b"%d\\n" % os.getpid())
time.sleep(600)
"""

    async def owner():
        async with open_port(python(code), graces=AT_ONCE) as port:
            child = int(await port.read())
        return state(child)

    assert await owned(owner) is None


NODE = """
import sys, trio
from erlmcp_py.ports import Command, open_port
from supervisors import run

async def main():
    command = Command(argv=(sys.executable, "-I", "-S", "-c", sys.argv[1]))
    async with open_port(command, end_daemons=True) as port:
        said = b""
        while said.count(b"\\n") < int(sys.argv[2]):
            said += await port.read()
        print(port.pid, *map(bytes.decode, said.split()), flush=True)
        await trio.sleep_forever()

run(main)
"""
OWN_GROUP = """
if os.fork() == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tell()
    daemon()
"""


@pytest.mark.parametrize("kind", [SETSID, DOUBLE, DEAF, OWN_GROUP])
async def test_when_the_node_is_killed_they_end(kind: str, buried: set[int]) -> None:
    """As do those that are in a group of their own, but in its session, whose signals are not the group's."""
    code = DAEMON.format(kind=kind, then=STAYS)
    node = subprocess.Popen(  # noqa: ASYNC220 - it is this test that is to see it die
        [sys.executable, "-c", NODE, code, "1"], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert node.stdout is not None
    try:
        pids = [int(pid) for pid in node.stdout.readline().split()]
        buried.update(pids)
        assert len(pids) == 2
        assert not any(map(has_ended, pids))
    finally:
        node.kill()
        node.communicate()
    await until(lambda: all(map(has_ended, pids)), "everything ended")
