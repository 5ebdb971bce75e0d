"""What may go wrong around the end of a program: late readers, double ends, no descriptors, orphans."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import trio

from erlmcp_py.ports import Command, Exit, Graces, Port, PortError, open_port
from erlmcp_py.ports.warden import warden
from supervisors import Runtime, is_alive, spawn

from .conftest import descriptors, in_process, living, python, state, until

AT_ONCE = Graces(close=0.05, term=0.05)
READS = "import sys; sys.stdin.read(); sys.exit(6)"
DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True:
    signal.pause()
"""
SHARES_STDERR = """
import os, time
if os.fork() == 0:
    os.setsid()
    print(os.getpid(), flush=True)
    time.sleep(600)
time.sleep(600)
"""


async def test_its_number_is_nobody_else_s_as_long_as_it_can_be_signalled(owned) -> None:
    """Also while last lines are waited for, which here a daemon keeps from coming."""
    seen: list[str | None] = []

    async def look(port: Port) -> None:
        while not port.has_ended:
            seen.append(state(port.pid))
            await trio.sleep(0.01)

    async def owner():
        async with open_port(python(SHARES_STDERR), graces=AT_ONCE, on_stderr=print) as port:
            daemon = int(await port.read())
            spawn(look, port)
        os.kill(daemon, signal.SIGKILL)

    await owned(owner)
    assert "Z" in seen
    assert None not in seen


async def test_ended_twice_it_ends_once(owned) -> None:
    async def owner():
        async with open_port(python(DEAF), graces=AT_ONCE) as port:
            await port.read()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(port.end, AT_ONCE)
                nursery.start_soon(port.end, AT_ONCE)
            assert port.has_ended
            await port.end(AT_ONCE)
        return port.exit

    assert await owned(owner) == Exit(None, signal.SIGKILL)


async def test_whoever_waits_is_told_the_same_as_the_owner(owned) -> None:
    told: list[Exit] = []

    async def waiter(port: Port) -> None:
        told.append(await port.wait())

    async def owner():
        async with open_port(python(DEAF), graces=AT_ONCE) as port:
            await port.read()
            waiters = [spawn(waiter, port) for _ in range(9)]
        await until(lambda: not any(map(is_alive, waiters)), "they were told")

    await owned(owner)
    assert told == [Exit(None, signal.SIGKILL)] * 9


async def test_closed_pipes_say_so(owned) -> None:
    async def owner():
        async with open_port(python(READS)) as port:
            port.close_stdin()
            port.close_stdin()
            with pytest.raises(trio.ClosedResourceError, match="has closed this pipe"):
                await port.write(b"x")
        with pytest.raises(trio.ClosedResourceError, match="has closed this pipe"):
            await port.read()

    await owned(owner)


async def test_one_that_closes_its_output_lives_on_and_ends_in_order(owned) -> None:
    async def owner():
        async with open_port(python(f"import os; os.close(1); {READS}")) as port:
            assert await port.read() == b""
            assert port.exit is None
        return port.exit

    assert await owned(owner) == Exit(6)


STRANGER = """
import os, signal, sys, time
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    os.write(1, b"%d\\n" % os.getpid())
    os.write(write, b"x")
    while True:
        {daemon}
os.read(read, 1)
{program}
"""


def stranger(program: str, daemon: str = "time.sleep(600)") -> Command:
    """A program that leaves a daemon behind, which has all of its streams open and says its pid first."""
    return python(STRANGER.format(program=program, daemon=daemon))


@pytest.mark.parametrize(
    "daemon", ["time.sleep(600)", "os.write(1, b'x' * 999)", "os.write(1, b'no end of line')"]
)
async def test_output_ends_with_the_program_whoever_has_it_open(owned, daemon: str) -> None:
    """Nothing of what the program itself has written is lost, be it as much as a pipe holds."""

    async def owner():
        said = bytearray()
        command = stranger("os.write(1, b'y' * 50_000); os._exit(7)", daemon)
        async with open_port(command, graces=AT_ONCE) as port:
            while data := await port.read():
                said += data
            assert await port.read() == b""
            assert port.output_was_cut
        with suppress(ProcessLookupError):  # one that writes has ended by that
            os.kill(int(said.split()[0]), signal.SIGKILL)
        return said.count(b"y"), port.exit

    assert await owned(owner) == (50_000, Exit(7))


async def test_the_end_of_output_is_heard_by_who_waits_for_more(owned) -> None:
    async def owner():
        async with open_port(stranger("time.sleep(0.1); os._exit(7)"), graces=AT_ONCE) as port:
            daemon = int(await port.read())
            end = await port.read()
        os.kill(daemon, signal.SIGKILL)
        return end, port.exit

    assert await owned(owner) == (b"", Exit(7))


async def test_those_it_has_left_behind_may_pass_on_what_it_wrote_last(owned) -> None:
    """As in ``exec program > >(tee log)``, where the pipe is not the program's own."""
    code = """
import os, time
read, write = os.pipe()
if os.fork():
    os.write(write, b"last")
    os._exit(7)
os.close(write)
time.sleep(0.1)
while data := os.read(read, 99):
    os.write(1, data)
"""

    async def owner():
        said = bytearray()
        async with open_port(python(code), graces=AT_ONCE) as port:
            await port.wait()
            while data := await port.read():
                said += data
            assert not port.output_was_cut
        return bytes(said)

    assert await owned(owner) == b"last"


async def test_last_words_to_a_reader_that_has_crashed_hold_nobody_up(runtime: Runtime) -> None:
    code = """
import os, sys
os.write(2, b"first\\n")
sys.stdin.read()
os.write(2, b"x" * (1 << 20))
sys.exit(5)
"""
    ports: list[Port] = []

    def take(line: str) -> None:
        raise ValueError(line)

    async def owner() -> None:
        async with open_port(python(code), graces=Graces(close=10), on_stderr=take) as port:
            ports.append(port)
            await trio.sleep_forever()

    spawn(in_process, owner)
    await until(lambda: ports and ports[0].has_ended, "it ended")
    assert ports[0].exit == Exit(5)


async def test_a_flood_of_lines_lets_others_have_their_turn(owned) -> None:
    turns, lines = 0, dict[int, int]()

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    def take(line: str) -> None:
        lines[turns] = lines.get(turns, 0) + 1

    async def owner():
        code = r"import os, time; os.write(2, b'\n' * (1 << 16)); time.sleep(0.2)"
        async with open_port(python(code), on_stderr=take) as port, trio.open_nursery() as nursery:
            nursery.start_soon(other)
            await port.wait()
            await port.wait_stderr()
            nursery.cancel_scope.cancel()

    await owned(owner)
    assert sum(lines.values()) == 1 << 16
    assert max(lines.values()) <= 1 << 14


async def test_one_that_closes_its_input_lives_on_and_ends_in_order(owned) -> None:
    async def owner():
        code = "import os, time; os.close(0); print('closed', flush=True); time.sleep(600)"
        async with open_port(python(code), graces=AT_ONCE) as port:
            await port.read()
            with pytest.raises(BrokenPipeError):
                await port.write(b"x")
            assert port.exit is None
        return port.exit

    assert await owned(owner) == Exit(None, signal.SIGTERM)


@pytest.mark.parametrize("when", ["sys.stdin.read(); asked()", "signal.pause()"])
async def test_those_it_starts_at_its_end_end_as_well(owned, tmp_path: Path, when: str) -> None:
    """At the end of its input, and when it is asked to."""
    code = f"""
import os, signal, sys, time
def asked(*_):
    read, write = os.pipe()
    if os.fork() == 0:
        os.setpgid(0, 0)
        open("forked", "w").write(str(os.getpid()))
        os.write(write, b"x")
        time.sleep(600)
    os.read(read, 1)
    os._exit(3)
signal.signal(signal.SIGTERM, asked)
print("ready", flush=True)
{when}
"""

    async def owner():
        command = python(code, cwd=str(tmp_path))
        async with open_port(command, graces=Graces(close=0.1, term=20)) as port:
            await port.read()
        return port.exit

    assert await owned(owner) == Exit(3)
    assert state(int((tmp_path / "forked").read_text())) in (None, "Z")


@contextmanager
def no_descriptors(but: int = 0) -> Iterator[None]:
    """Not one more can be had, but so many."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = [os.open("/dev/null", os.O_RDONLY) for _ in range(but + 1)]
    for descriptor in free:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[-1], limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_a_node_without_descriptors_ends_its_programs_all_the_same(owned) -> None:
    async def owner():
        with ExitStack() as until_it_has_ended:
            async with open_port(python(DEAF), graces=AT_ONCE) as port:
                await port.read()
                port.close_stdin()  # else its end would have this one
                until_it_has_ended.enter_context(no_descriptors())
        return port.exit, port.has_ended, state(port.pid), living(port.pid)

    assert await owned(owner) == (Exit(None, signal.SIGKILL), True, None, [])


async def test_a_start_that_fails_half_way_leaves_nothing(
    owned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it is the warden that cannot be started."""
    command = python(DEAF)

    async def owner():
        before = descriptors()
        with monkeypatch.context() as broken:
            broken.setattr(sys, "executable", "/nowhere/python")
            with pytest.raises(PortError):
                async with open_port(command):
                    pass
        after = descriptors()
        async with open_port(command, graces=AT_ONCE):
            assert warden.pid is not None
        return after - before, warden.pid

    assert await owned(owner) == (0, None)


@pytest.mark.parametrize("number", range(20))
async def test_a_start_that_fails_for_want_of_descriptors_leaves_nothing(
    owned, number: int
) -> None:
    """At whatever step of it."""
    command = python(DEAF)
    started: list[int] = []

    async def owner():
        before = descriptors()
        with ExitStack() as until_it_was_tried:
            until_it_was_tried.enter_context(no_descriptors(but=number))
            with suppress(PortError):
                async with open_port(command, graces=AT_ONCE, on_stderr=print) as port:
                    started.append(port.pid)
                    until_it_was_tried.close()
                    await port.read()
        return descriptors() - before, warden.pid

    assert await owned(owner) == (0, None)
    assert started or number < 15  # and `nothing_left` looks for children


async def test_orphans_that_become_the_node_s_are_reaped_with_it(owned, adopts_orphans) -> None:
    code = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        if os.fork() == 0:
            print("here", flush=True)
            time.sleep(600)
        os._exit(0)
time.sleep(600)
"""

    async def owner():
        async with open_port(python(code), graces=AT_ONCE) as port:
            said = b""
            while said.count(b"here") < 3:
                said += await port.read()

    await owned(owner)  # `nothing_left` looks for zombies


TRACER = """
import ctypes, sys, time
if ctypes.CDLL(None).ptrace(0x4206, int(sys.argv[1]), None, None):  # PTRACE_SEIZE
    print("no", flush=True)
else:
    print("yes", flush=True)
sys.stdin.read()
"""


async def test_a_tracer_that_is_told_first_of_the_end_keeps_nobody_from_hearing_it(owned) -> None:
    """As `strace -p` is, which has the exit status before the parent has it."""
    code = f"print(1, flush=True); {READS}"
    told: list[Exit] = []

    async def waiter(port: Port) -> None:
        told.append(await port.wait())

    async def owner():
        async with open_port(python(code)) as port:
            await port.read()
            tracer = Command(argv=(sys.executable, "-c", TRACER, str(port.pid)))
            async with open_port(tracer) as other:
                if not (await other.read()).startswith(b"y"):
                    return False
                waiting = spawn(waiter, port)
                port.close_stdin()
                await until(lambda: state(port.pid) == "Z", "it has ended")
                await until(lambda: not told, "the tracer has not been told")
            await until(lambda: not is_alive(waiting), "it was told")
        return True

    if not await owned(owner):
        pytest.skip("this system lets nobody trace another")
    assert told == [Exit(6)]
