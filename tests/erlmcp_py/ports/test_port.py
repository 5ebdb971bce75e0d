"""A port: a program's life seen by its owner."""

from __future__ import annotations

import os
import signal
import sys

import pytest
import trio

from erlmcp_py.ports import Command, Exit, Graces, Port, open_port, programs
from supervisors import Runtime, exit_signal, monitor, receive, spawn
from supervisors import self as own_pid

from .conftest import in_process, python, state, until

CAT = "import sys\nfor line in sys.stdin.buffer:\n    sys.stdout.buffer.write(line); sys.stdout.flush()"
AT_ONCE = Graces(close=0.05, term=0.05)


async def everything(port: Port) -> bytes:
    parts = []
    while part := await port.read():
        parts.append(part)
    return b"".join(parts)


async def test_an_owner_s_programs_are_known_while_they_are_there(owned) -> None:
    async def owner():
        async with open_port(python(CAT), graces=AT_ONCE) as one:
            async with open_port(python(CAT), graces=AT_ONCE) as two:
                assert programs()[own_pid()] == (one, two)
            assert programs()[own_pid()] == (one,)
        return own_pid() in programs()

    assert not await owned(owner)


async def test_what_is_written_comes_back(owned) -> None:
    async def owner():
        async with open_port(python(CAT)) as port:
            await port.write(b"hello\n")
            first = await port.read()
            port.close_stdin()
            return first, await port.read(), await port.wait()

    assert await owned(owner) == (b"hello\n", b"", Exit(0))


@pytest.mark.parametrize(
    ("code", "expected", "text"),
    [
        ("", Exit(0), "ended with status 0"),
        ("import sys; sys.exit(7)", Exit(7), "ended with status 7"),
        ("import os; os.kill(os.getpid(), 11)", Exit(None, 11), "was ended by SIGSEGV"),
        ("import os; os.abort()", Exit(None, 6), "was ended by SIGABRT"),
        ("import os; os.kill(os.getpid(), 40)", Exit(None, 40), "was ended by signal 40"),
    ],
)
async def test_how_it_ended(owned, code, expected, text) -> None:
    async def owner():
        async with open_port(python(code)) as port:
            exits = []
            async with trio.open_nursery() as nursery:
                for _ in range(2):

                    @nursery.start_soon
                    async def _() -> None:
                        exits.append(await port.wait())

            return exits

    exits = await owned(owner)
    assert exits == [expected, expected]
    assert str(exits[0]) == text


async def test_the_surroundings_are_those_of_the_command(owned, tmp_path) -> None:
    code = "import os; print(os.getcwd(), os.environ.get('MINE'), 'HOME' in os.environ)"

    async def owner():
        said = []
        for inherit in (True, False):
            command = python(code, env={"MINE": "x y"}, inherit_env=inherit, cwd=str(tmp_path))
            async with open_port(command) as port:
                said.append((await everything(port)).decode().strip())
        return said

    os.environ.setdefault("HOME", "/")
    assert await owned(owner) == [f"{tmp_path} x y True", f"{tmp_path} x y False"]


async def test_descriptors_are_handed_on_by_their_numbers(owned) -> None:
    ours, theirs = os.pipe()

    async def owner():
        code = f"import os; os.write({theirs}, b'here')"
        async with open_port(python(code, descriptors=(theirs,))) as port:
            await port.wait()

    await owned(owner)
    assert os.read(ours, 10) == b"here"
    os.close(ours)
    os.close(theirs)


async def test_standard_error_comes_line_by_line(owned) -> None:
    code = "import sys; sys.stderr.write('one\\ntwo\\r\\n' + 'x' * 100 + '\\n\\xff'); sys.exit(3)"
    lines: list[str] = []

    async def owner():
        async with open_port(python(code), on_stderr=lines.append, line_limit=10) as port:
            return await port.wait()

    assert await owned(owner) == Exit(3)
    assert lines[:3] == ["one", "two", "xxxxxxxxxx…"]
    assert len(lines) == 4, "the last line needs no newline"


async def test_a_flood_of_standard_error_costs_no_memory_and_stops_nobody(owned) -> None:
    code = "import os; os.write(2, b'y' * (1 << 24)); print('through')"
    lines: list[str] = []

    async def owner():
        async with open_port(python(code), on_stderr=lines.append) as port:
            return await everything(port)

    assert await owned(owner) == b"through\n"
    assert lines == ["y" * 8192 + "…"]


async def test_output_that_nobody_reads_does_not_keep_it_from_ending(owned) -> None:
    code = "import sys, os; sys.stdin.read(); os.write(1, b'z' * (1 << 22)); sys.exit(5)"

    async def owner():
        async with open_port(python(code), graces=Graces(close=20)) as port:
            pass
        return port.exit

    assert await owned(owner) == Exit(5), "its last words were taken"


async def test_writing_waits_for_the_reader(owned) -> None:
    data = os.urandom(1 << 20) + b"\n"

    async def owner():
        async with open_port(python(CAT)) as port:
            got = bytearray()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(port.write, data)
                while len(got) < len(data):
                    got += await port.read()
            return bytes(got)

    assert await owned(owner) == data


async def test_writing_to_one_that_is_gone_is_a_broken_pipe(owned) -> None:
    async def owner():
        async with open_port(python("")) as port:
            await port.wait()
            with pytest.raises(BrokenPipeError):
                await port.write(b"x" * 100_000)
            port.signal(signal.SIGTERM)

    await owned(owner)


IGNORES = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True:
    time.sleep(60)
"""


async def test_what_ignores_the_end_of_input_and_sigterm_is_killed(owned) -> None:
    async def owner():
        async with open_port(python(IGNORES), graces=AT_ONCE) as port:
            await port.read()
        return port.pid, port.exit

    pid, exit = await owned(owner)
    assert exit == Exit(None, signal.SIGKILL)
    assert state(pid) is None


HEADLESS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
print("ready", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


async def test_one_whose_first_thread_has_ended_still_runs(owned) -> None:
    """The system shows it as a zombie, as it does any program with threads in its last moment."""

    async def owner():
        async with open_port(python(HEADLESS), graces=AT_ONCE) as port:
            await port.read()
            await until(lambda: state(port.pid) == "Z", "its first thread ended")
            assert port.statistics().usage.processes == 1
        return port.pid, port.exit

    pid, exit = await owned(owner)
    assert exit == Exit(None, signal.SIGTERM)
    assert state(pid) is None


async def test_sigterm_comes_before_sigkill(owned) -> None:
    code = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
print("ready", flush=True)
time.sleep(60)
"""

    async def owner():
        async with open_port(python(code), graces=Graces(close=0.05, term=20)) as port:
            await port.read()
        return port.exit

    assert await owned(owner) == Exit(9)


FAMILY = """
import os, signal, sys, time
def child(leave):
    pid = os.fork()
    if pid == 0:
        if leave:
            os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    return pid
print(child(False), child(True), flush=True)
{then}
"""


@pytest.mark.parametrize("then", ["time.sleep(600)", "sys.exit(4)"])
async def test_grandchildren_end_with_it(owned, then) -> None:
    """Also those that went into a group of their own, and those whose parent has ended."""

    async def owner():
        async with open_port(python(FAMILY.format(then=then)), graces=AT_ONCE) as port:
            family = [int(pid) for pid in (await port.read()).split()]
            if "exit" in then:
                await port.wait()
                await until(lambda: all(state(pid) == "S" for pid in family), "both sleep")
                assert port.statistics().usage.processes == 2
        return [port.pid, *family]

    family = await owned(owner)
    await until(lambda: all(state(pid) in (None, "Z") for pid in family), "the family ended")
    assert state(family[0]) is None


async def test_its_usage_is_that_of_all_its_processes(owned) -> None:
    async def owner():
        code = FAMILY.format(then="bytearray(30_000_000)\nwhile True: pass")
        async with open_port(python(code), graces=AT_ONCE) as port:
            await port.read()
            while (statistics := port.statistics()).usage.cpu < 0.05:
                await trio.sleep(0.01)
        return statistics, port.statistics()

    running, ended = await owned(owner)
    assert running.usage.processes == 3
    assert running.usage.memory > 3 * 2_000_000
    assert running.exit is None
    assert running.argv[0] == sys.executable
    assert ended.exit == Exit(None, signal.SIGTERM)
    assert ended.usage.processes == 0


async def test_a_daemon_that_keeps_standard_error_does_not_keep_the_port(owned) -> None:
    code = """
import os, time
if os.fork() == 0:
    os.setsid()
    print(os.getpid(), flush=True)
    time.sleep(600)
time.sleep(0.05)
"""

    async def owner():
        async with open_port(python(code), on_stderr=print) as port:
            return int(await port.read())

    daemon = await owned(owner)
    os.kill(daemon, signal.SIGKILL)


async def test_what_on_stderr_raises_ends_the_owner_and_so_the_program(runtime: Runtime) -> None:
    pids: list[int] = []

    def take(line: str) -> None:
        raise ValueError(line)

    async def owner() -> None:
        code = "import sys, time; sys.stderr.write('bad\\n'); sys.stderr.flush(); time.sleep(600)"
        async with open_port(python(code), graces=AT_ONCE, on_stderr=take) as port:
            pids.append(port.pid)
            await trio.sleep_forever()

    reasons = []

    async def watch() -> None:
        reasons.append(await in_process(owner))

    spawn(watch)
    await until(lambda: reasons, "the owner ended")
    assert isinstance(reasons[0][0], ValueError)
    assert state(pids[0]) is None


async def test_a_killed_owner_is_heard_of_when_its_program_is_gone(runtime: Runtime) -> None:
    seen: list[object] = []
    ports: list[Port] = []

    async def owner() -> None:
        async with open_port(python(IGNORES), graces=AT_ONCE) as port:
            ports.append(port)
            await port.read()
            await port.read()

    async def watch() -> None:
        pid = spawn(owner)
        monitor(pid)
        await until(lambda: ports, "it was started")
        exit_signal(pid, "kill")
        message = await receive(timeout=20)
        seen.append((message[4], state(ports[0].pid)))

    spawn(watch)
    await until(lambda: seen, "the owner ended")
    assert seen == [("killed", None)]


async def test_closing_the_runtime_ends_its_ports() -> None:
    ports: list[Port] = []

    async def owner() -> None:
        async with open_port(python(IGNORES), graces=AT_ONCE) as port:
            ports.append(port)
            await trio.sleep_forever()

    async with Runtime("test"):
        spawn(owner)
        await until(lambda: ports, "it was started")
    assert state(ports[0].pid) is None


async def test_only_a_process_owns_ports(runtime: Runtime) -> None:
    with pytest.raises(RuntimeError):
        async with open_port(Command(argv=("cat",))):
            pass
