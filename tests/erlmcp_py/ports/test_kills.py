"""Owners, wardens and nodes are killed, and nothing is left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from erlmcp_py.ports import Graces, open_port
from erlmcp_py.ports.family import Family
from erlmcp_py.ports.warden import warden
from supervisors import Pid, Runtime, exit_signal, is_alive, spawn

from .conftest import children, descriptors, living, python, state, until

ROOT = Path(__file__).parents[3]
HASTY = Graces(close=0.02, term=0.02)
KINDS = (
    "",
    "raise SystemExit(1)",
    "import sys; sys.stdin.read()",
    "import time; time.sleep(600)",
    "import os\nwhile True: os.write(1, b'garbage' * 9999)",
    "import os\nwhile True: os.write(2, b'garbage' * 9999)",
    "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)",
    "import os, time; os.fork(); os.fork(); time.sleep(600)",
    "import os, time; pid = os.fork(); pid and os._exit(0); time.sleep(600)",
)


@pytest.mark.parametrize("seed", range(2))
async def test_owners_killed_at_any_moment_leave_nothing(seed: int) -> None:
    chance = random.Random(seed)
    started: list[int] = []
    tests_own = children()

    async def owner(code: str, with_stderr: bool) -> None:
        taken = (lambda line: None) if with_stderr else None
        code = code if with_stderr else f"import os; os.dup2(1, 2)\n{code}"
        async with open_port(python(code), graces=HASTY, on_stderr=taken) as port:
            started.append(port.pid)
            while await port.read():
                pass
            await port.wait()

    async with Runtime("test"):
        # The system gives the loop what it needs for good with its first wait.
        owners: list[Pid] = []
        before = descriptors()
        for _ in range(100):
            owners.append(spawn(owner, chance.choice(KINDS), chance.random() < 0.5))
            match chance.randrange(4):
                case 0:
                    pass  # before its first line
                case 1:
                    await trio.lowlevel.checkpoint()  # before the program has run a line
                case _:
                    await trio.sleep(chance.random() * 0.03)
            for pid in owners:
                if chance.random() < 0.3:
                    exit_signal(pid, "kill")
            owners = [pid for pid in owners if is_alive(pid)]
        for pid in owners:
            exit_signal(pid, "kill")
        await until(lambda: children() <= tests_own, "every child was reaped")
        assert [living(pid) for pid in started] == [[]] * len(started)
        assert descriptors() <= before
    assert len(started) > 50


@pytest.mark.parametrize("error", [FileNotFoundError, ProcessLookupError, PermissionError])
def test_who_ends_during_a_look_is_left_out(
    monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    opened = os.open
    gone = f"/proc/{os.getpid()}/stat"

    def open_others(path: str, flags: int) -> int:
        if path == gone:
            raise error(path)
        return opened(path, flags)

    monkeypatch.setattr("erlmcp_py.ports.family.os.open", open_others)
    assert os.getpid() not in living(os.getpid())


@pytest.mark.parametrize("leader_has_ended", [False, True])
async def test_whom_a_look_has_missed_is_ended_as_well(
    monkeypatch: pytest.MonkeyPatch, *, leader_has_ended: bool
) -> None:
    looks: list[int] = []
    groups: list[int] = []

    def blind_at_first(family: Family, **where: bool) -> list[int]:
        """As if all had been started by somebody who ended during the look."""
        looks.append(family.leader)
        return [] if len(looks) == 1 else look(family, **where)

    look = Family.living
    monkeypatch.setattr(Family, "living", blind_at_first)
    code = "import os, time; os.fork() and os._exit(0); print('here', flush=True); time.sleep(600)"
    if not leader_has_ended:
        code = "import os, time; os.fork() or print('here', flush=True); time.sleep(600)"

    async def owner() -> None:
        async with open_port(python(code), graces=HASTY) as port:
            assert await port.read() == b"here\n"
            if leader_has_ended:
                await port.wait()
            groups.append(port.pid)

    async with Runtime("test"):
        pid = spawn(owner)
        await until(lambda: not is_alive(pid), "the owner has ended")
        await until(lambda: not living(groups[0]), "all of its program have ended")
    assert looks


async def test_the_warden_is_there_while_a_port_is_and_comes_back(runtime: Runtime) -> None:
    ready, over = trio.Event(), trio.Event()
    wardens: list[int | None] = []

    async def owner() -> None:
        async with open_port(python("import time; time.sleep(600)"), graces=HASTY):
            wardens.append(warden.pid)
            assert warden.pid is not None
            os.kill(warden.pid, signal.SIGKILL)
            await until(lambda: state(wardens[0] or 0) == "Z", "it died")
            async with open_port(python(""), graces=HASTY):
                wardens.append(warden.pid)
                ready.set()
                await over.wait()
        wardens.append(warden.pid)

    pid = spawn(owner)
    await until(ready.is_set, "the second port")
    over.set()
    await until(lambda: not is_alive(pid), "the owner ended")
    first, second, last = wardens
    assert first != second
    assert second is not None
    assert last is None
    assert state(second) is None


NODE = """
import sys, trio
from erlmcp_py.ports import Command, open_port
from erlmcp_py.ports.warden import warden
from supervisors import run

DEAF = '''
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
pid = os.fork()
if pid:
    print(pid, flush=True)
time.sleep(600)
'''

async def main():
    polite = Command(argv=(sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"))
    deaf = Command(argv=(sys.executable, "-I", "-S", "-c", DEAF))
    async with open_port(polite) as one, open_port(deaf) as other:
        family = (await other.read()).split()
        print(one.pid, warden.pid, other.pid, *map(bytes.decode, family), flush=True)
        await trio.sleep_forever()

run(main)
"""


async def test_when_the_node_is_killed_its_programs_end_and_so_does_the_warden() -> None:
    node = subprocess.Popen(  # noqa: ASYNC220 - it is this test that is to see it die
        [sys.executable, "-c", NODE], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert node.stdout is not None
    try:
        pids = [int(pid) for pid in node.stdout.readline().split()]
        seen = [state(pid) for pid in pids]
    finally:
        node.kill()
        node.communicate()
    assert len(seen) == 4
    assert not {None, "Z"} & set(seen)
    await until(lambda: all(state(pid) in (None, "Z") for pid in pids), "everything ended")


STOPPED = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: (open("asked", "w"), sys.exit()))
os.kill(os.getpid(), signal.SIGSTOP)
while True:
    signal.pause()
"""
NODE_OF_ONE = """
import sys, trio
from erlmcp_py.ports import Command, open_port
from supervisors import run

async def main():
    command = Command(argv=(sys.executable, "-I", "-S", "-c", sys.argv[1]), cwd=sys.argv[2])
    async with open_port(command) as port:
        print(port.pid, flush=True)
        await trio.sleep_forever()

run(main)
"""


async def test_when_the_node_is_killed_a_stopped_program_is_woken_to_end(tmp_path: Path) -> None:
    node = subprocess.Popen(  # noqa: ASYNC220 - as above
        [sys.executable, "-c", NODE_OF_ONE, STOPPED, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert node.stdout is not None
    try:
        pid = int(node.stdout.readline())
        await until(lambda: state(pid) == "T", "it is stopped")
    finally:
        node.kill()
        node.communicate()
    await until(lambda: state(pid) in (None, "Z"), "it ended")
    assert (tmp_path / "asked").exists()
