"""A program that is stopped (SIGSTOP) can do nothing about its end until it is woken."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from erlmcp_py.ports import Exit, Graces, open_port

from .conftest import patience, python, state, until

UNHURRIED = Graces(close=600, term=600)

POLITE = """
import signal, sys
def asked(number, frame):
    sys.exit(9)
signal.signal(signal.SIGTERM, asked)
print("ready", flush=True)
for line in sys.stdin:
    open("worked", "a").write(line)
"""

PARENT = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: None)
pid = os.fork()
if pid:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) + 100)
signal.signal(signal.SIGTERM, lambda *_: os._exit(3))
print(os.getpid(), flush=True)
for line in sys.stdin:
    pass
"""

AGAIN = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGCONT, lambda *_: os.kill(os.getpid(), signal.SIGSTOP))
print("ready", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
while True:
    signal.pause()
"""


async def test_it_is_asked_and_woken_and_begins_no_work(owned, tmp_path: Path) -> None:
    """What has waited in its pipe was given up by those who wanted it."""

    async def owner():
        with patience() as watch:
            async with open_port(python(POLITE, cwd=str(tmp_path)), graces=UNHURRIED) as port:
                watch(port.pid)
                await port.read()
                os.kill(port.pid, signal.SIGSTOP)
                await until(lambda: state(port.pid) == "T", "it is stopped")
                await port.write(b"a request\n" * 100)
            return port.exit

    assert await owned(owner) == Exit(9)
    assert not (tmp_path / "worked").exists()


async def test_one_that_its_parent_waits_for_is_woken_as_well(owned) -> None:
    async def owner():
        with patience() as watch:
            async with open_port(python(PARENT), graces=UNHURRIED) as port:
                watch(port.pid)
                child = int(await port.read())
                os.kill(child, signal.SIGSTOP)
                await until(lambda: state(child) == "T", "it is stopped")
            return port.exit

    assert await owned(owner) == Exit(103)


async def test_one_that_stops_itself_again_is_killed(owned) -> None:
    async def owner():
        async with open_port(python(AGAIN), graces=Graces(close=0.2, term=0.2)) as port:
            await port.read()
            await until(lambda: state(port.pid) == "T", "it is stopped")
        return port.exit

    assert await owned(owner) == Exit(None, signal.SIGKILL)
