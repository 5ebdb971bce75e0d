"""Programs to own, and what /proc says of them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import trio

from erlmcp_py.ports import Command
from supervisors import Runtime


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


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No child, no zombie and no descriptor is left when the runtime has closed."""
    before, open_before = children(), descriptors()
    yield
    assert children() == before
    assert descriptors() <= open_before
