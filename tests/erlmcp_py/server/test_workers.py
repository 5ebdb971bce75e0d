"""`isolation="process"`: results and failures come back, and no process is left behind."""

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import supervisors
from erlmcp_py.server import Server
from erlmcp_py.server.process import Cancel

from . import working
from .conftest import Connect, Peer


def alive(pid: int) -> bool:
    """Whether there is such a process, as a zombie too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def gone(pid: int) -> None:
    with trio.fail_after(20):
        while alive(pid):
            await trio.sleep(0.01)


def written(path: Path) -> str:
    return path.read_text() if path.exists() else ""


async def spinning(path: Path) -> int:
    """The process of the tool `spin`, as soon as it runs."""
    with trio.fail_after(20):
        while not written(path):
            await trio.sleep(0.01)
    return int(written(path))


async def number(peer: Peer) -> int:
    return int((await peer.tool("who"))["content"][0]["text"])


async def test_work_is_done_in_another_process(connect: Connect) -> None:
    peer = await connect(working.server)
    result = await peer.tool("factor", number=2**4 * 65537)
    assert result["structuredContent"] == {"number": 1048592, "factors": [2, 2, 2, 2, 65537]}
    first = await number(peer)
    assert first != os.getpid()
    assert await number(peer) == first, "a worker is used again"
    assert alive(first)


async def test_meant_failures_are_answers(connect: Connect) -> None:
    peer = await connect(working.server)
    first = await number(peer)
    assert await peer.failure("refuse", why="not today") == "not today"
    assert peer.reports == []
    assert await number(peer) == first, "the worker lives on"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("value", "ValueError: no such value"),
        ("odd", "Odd: one"),
        ("exit", "system_exit"),
        ("lambda", "pickle"),
        ("hard", "WorkerDied: the worker process ended with status 7"),
        ("segfault", "WorkerDied: the worker process was ended by SIGSEGV"),
    ],
)
async def test_crashes_are_answered_and_reported(connect: Connect, kind: str, text: str) -> None:
    peer = await connect(working.server)
    failure = await peer.failure("fail", kind=kind)
    assert failure.startswith("Tool 'fail' crashed: ")
    assert text in failure
    assert [type(report).__name__ for report in peer.reports] != []
    assert await number(peer) != os.getpid(), "others go on"


async def test_where_it_failed_is_reported(connect: Connect) -> None:
    peer = await connect(working.server)
    first = await number(peer)
    await peer.failure("fail", kind="value")
    assert await number(peer) == first, "an exception is no harm to the worker"
    (report,) = [report for report in peer.reports if "fail" in str(report.label)]  # type: ignore[union-attr]
    error, _ = report.reason  # type: ignore[union-attr]
    assert "working.py" in error.__notes__[0]


async def test_a_timeout_kills_the_process(connect: Connect, tmp_path: Path) -> None:
    peer = await connect(working.server)
    path = tmp_path / "pid"
    await number(peer)  # the time is for the call, and not for the start of its worker
    async with trio.open_nursery() as nursery:
        answers: list[str] = []

        async def call() -> None:
            answers.append(await peer.failure("spin", path=str(path)))

        nursery.start_soon(call)
        pid = await spinning(path)
    assert answers == ["Tool 'spin' timed out after 1.5 s"]
    await gone(pid)
    # Its place is free.
    path.unlink()
    await number(peer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await gone(await spinning(path))


async def test_a_cancellation_kills_the_process(connect: Connect, tmp_path: Path) -> None:
    peer = await connect(working.server)
    path = tmp_path / "pid"
    async with trio.open_nursery() as nursery:
        params = {"name": "spin_on", "arguments": {"path": str(path)}}
        nursery.start_soon(peer.error, "tools/call", params)
        pid = await spinning(path)
        supervisors.cast(peer.pid, Cancel((peer.pid, 1)))
    await gone(pid)


async def test_what_a_call_has_started_ends_with_it(connect: Connect, tmp_path: Path) -> None:
    peer = await connect(working.server)
    path = tmp_path / "pid"
    async with trio.open_nursery() as nursery:
        params = {"name": "found_on", "arguments": {"path": str(path)}}
        nursery.start_soon(peer.error, "tools/call", params)
        pid = await spinning(path)
        supervisors.cast(peer.pid, Cancel((peer.pid, 1)))
    await gone(pid)


@pytest.mark.parametrize("how", ["kill", "shutdown", "normal"])
async def test_the_end_of_the_server_ends_its_workers(
    connect: Connect, tmp_path: Path, how: str
) -> None:
    peer = await connect(working.server)
    path = tmp_path / "pid"

    async def call() -> None:
        with contextlib.suppress(supervisors.CallExit):
            params = {"name": "spin_on", "arguments": {"path": str(path)}}
            assert "is stopping" in (await peer.error("tools/call", params))["message"]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        busy = await spinning(path)
        idle = await number(peer)
        assert idle != busy
        if how == "kill":
            supervisors.exit(peer.pid, how)
        else:
            await supervisors.stop(peer.pid, how)
    await gone(busy)
    await gone(idle)


async def test_calls_run_side_by_side(connect: Connect) -> None:
    peer = await connect(working.server)
    async with trio.open_nursery() as nursery:
        for id in range(4):
            params = {"name": "factor", "arguments": {"number": 2 ** (id + 1)}}
            nursery.start_soon(lambda p=params, i=id: peer.result("tools/call", p, id=i))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (working.local(), "a function at the top of a module"),
        (lambda: None, "a function at the top of a module"),
        (working.wants_context, "leave out the Context"),
    ],
)
def test_functions_that_are_refused(function: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Server("s", version="1").tool("t", isolation="process")(function)


def test_a_script_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working.who, "__module__", "__main__")
    with pytest.raises(TypeError, match="this one is a script"):
        Server("s", version="1").tool("t", isolation="process")(working.who)


NODE = """
import os
import sys
import supervisors
from erlmcp_py.server.process import ServerProcess
from tests.erlmcp_py.server import working
from tests.erlmcp_py.server.conftest import Peer

async def main():
    peer = Peer(await ServerProcess.start(working.server, "working"))
    os.write(1, (await peer.tool(sys.argv[1]))["content"][0]["text"].encode())
    os.kill(os.getpid(), 9)

supervisors.run(main)
"""


@pytest.mark.parametrize("tool", ["who", "leave_behind"])
async def test_nothing_outlives_a_node_that_is_killed(tool: str) -> None:
    done = await trio.run_process(
        [sys.executable, "-c", NODE, tool],
        capture_stdout=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == -signal.SIGKILL
    await gone(int(done.stdout))
