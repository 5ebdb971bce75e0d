"""Programs to own, and what /proc says of them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from erlmcp_py.ports import Command
from erlmcp_py.ports.family import Family
from supervisors import Runtime, receive, spawn, spawn_monitor


def python(code: str, **more: object) -> Command:
    """A small Python program that starts fast."""
    return Command(argv=(sys.executable, "-I", "-S", "-c", code), **more)  # type: ignore[arg-type]


def state(pid: int) -> str | None:
    """The letter that ps shows, None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()[0]


def children() -> set[int]:
    """Of this process, zombies among them."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            found |= {int(pid) for pid in (task / "children").read_text().split()}
        except FileNotFoundError:
            continue  # a thread that has ended since
    return found


def living(leader: int) -> list[int]:
    """The processes of its session or group that have not ended."""
    return Family(leader, 0, "").living()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(condition: Callable[[], object], what: str) -> None:
    with trio.move_on_after(20):
        while not condition():
            await trio.sleep(0.005)
        return
    pytest.fail(f"never: {what}")


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    async with Runtime("test") as running:
        yield running


async def in_process(function, *args):
    """Run it as a process and answer why that ended."""
    _, ref = spawn_monitor(function, *args)
    message = await receive(lambda m: m[0] == "DOWN" and m[1] == ref, timeout=30)
    return message[4]


@pytest.fixture
async def owned(runtime: Runtime):
    """``await owned(async_function)``: in a process that may own ports; what it returns."""

    async def run(function):
        results = []

        async def owner() -> None:
            results.append(await function())

        async def test() -> None:
            reason = await in_process(owner)
            results.insert(0, reason)

        done = trio.Event()

        async def process() -> None:
            try:
                await test()
            finally:
                done.set()

        spawn(process)
        with trio.fail_after(60):
            await done.wait()
        assert results[0] == "normal", results[0]
        return results[1]

    return run


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No child, no zombie and no descriptor is left when the runtime has closed."""
    before, open_before = children(), descriptors()
    yield
    assert children() == before
    assert descriptors() <= open_before


@pytest.fixture
def adopts_orphans() -> Iterator[None]:
    """This process is to orphans what the first process of a container is."""
    set_child_subreaper = 36
    prctl = ctypes.CDLL(None).prctl
    prctl(set_child_subreaper, 1, 0, 0, 0)
    yield
    prctl(set_child_subreaper, 0, 0, 0, 0)


@contextmanager
def patience() -> Iterator[Callable[[int], None]]:
    """What it gives is told a pid: a group that lives when the time of a test is over is killed, which how
    its first program ended tells.
    """
    late: list[threading.Timer] = []

    def watch(pid: int) -> None:
        late.append(threading.Timer(15, os.killpg, (pid, signal.SIGKILL)))
        late[-1].start()

    try:
        yield watch
    finally:
        for timer in late:
            timer.cancel()
            timer.join()
