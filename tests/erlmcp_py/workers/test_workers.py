"""`erlmcp-node run --workers`: one node to its clients, several to its operator."""

from __future__ import annotations

import os
import signal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import trio

from erlmcp_py.console import render
from erlmcp_py.console.client import CommandFailed
from tests.erlmcp_py.ports.conftest import state, until
from tests.erlmcp_py.transports.http.client import Client

from .conftest import Node, descriptors


async def reaped(pids: list[int]) -> None:
    await until(lambda: {state(pid) for pid in pids} == {None}, "they were reaped")


async def served(node: Node) -> bool:
    client = await node.connect()
    with trio.move_on_after(1):
        try:
            return (await client.call("who")).status == 200
        except AssertionError:
            return False
    return False


async def all_pids(node: Node, connections: int = 20) -> set[int]:
    """The processes behind as many connections."""
    found = set()
    for _ in range(connections):
        client = await node.connect()
        found.add(int((await client.call("who")).text))
        await client.stream.aclose()
    return found


async def test_each_worker_serves_the_same_port_and_is_a_node_of_its_own(node: Node) -> None:
    workers = await node.until_healthy()
    assert [worker["worker"] for worker in workers] == ["erlmcp-1", "erlmcp-2"]
    pids = [worker["os_pid"] for worker in workers]
    assert await all_pids(node) == set(pids)
    assert (await node.ask("status"))["health"] == "healthy"
    for worker in workers:
        assert (await node.ask("ping", worker["worker"]))["pid"] == worker["os_pid"]
        assert worker["memory"] > 10_000_000
        assert worker["restarts"] == 0, "this test is the first"
    assert await node.ask("upstreams") == []  # which the parent has none of, nor a registry
    tree = await node.ask("tree", target="workers")
    assert [child["id"] for child in tree["children"]] == ["erlmcp-1", "erlmcp-2", "doors"]
    drawn = StringIO()
    render.show(render.screen(drawn), "tree", tree, as_json=False)
    assert f"├── erlmcp-1, os pid {pids[0]}, healthy " in drawn.getvalue()
    labels = [row["label"] for row in (await node.ask("ps"))["processes"]]
    assert f"erlmcp-1, os pid {pids[0]}, healthy" in labels


async def test_it_says_once_where_it_serves_and_whose_a_log_line_is(node: Node) -> None:
    base = f"http://127.0.0.1:{node.port}"
    assert node.said == [
        "node erlmcp is up with 2 workers",
        f"  {base}/mcp/where   (also {base}/mcp)",
        f"  ws{base[4:]}/mcp/ws   (WebSocket; each server has one at its path and /ws)",
        f"  {base}/health",
        "attach: erlmcp-node attach --name erlmcp-1   stop: erlmcp-node stop, or Ctrl-C",
    ]
    assert (await (await node.connect()).call("chatter")).text == "done"
    await until(lambda: "somebody prints" in node.log, "what a server prints is in the log")
    for number in (1, 2):
        assert f"[erlmcp-{number}] " in node.log
    assert any(
        line.startswith("[erlmcp-") and line.endswith("] somebody prints")
        for line in node.log.splitlines()
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_all_in_order(lone: Node, number: int) -> None:
    pids = await lone.pids()
    lone.process.send_signal(number)
    assert (await trio.to_thread.run_sync(lone.finish))[0] == 0
    assert [state(pid) for pid in pids] == [None, None]
    lines = lone.log.splitlines()
    for worker in (1, 2):
        assert any(line.endswith(f"node erlmcp-{worker} is down") for line in lines)
    assert lines[-1].endswith("node erlmcp is down")
    assert " error " not in lone.log
    assert list(lone.control.glob("*.sock")) + list(lone.control.glob("*.post")) == []


async def test_stop_on_the_console_stops_all(lone: Node) -> None:
    pids = await lone.pids()
    await lone.ask("stop")
    assert (await trio.to_thread.run_sync(lone.finish))[0] == 0
    assert [state(pid) for pid in pids] == [None, None]


async def test_workers_end_with_a_parent_that_is_killed(lone: Node) -> None:
    pids = await lone.pids()
    lone.process.kill()
    await until(lambda: all(state(pid) in (None, "Z") for pid in pids), "the workers ended")
    left = {path.name for path in lone.control.iterdir() if path.suffix != ".lock"}
    assert left == {"erlmcp.sock"}, "they have ended in order, the parent has not"


async def test_a_worker_that_dies_or_is_stopped_is_replaced(node: Node) -> None:
    before = [worker["restarts"] for worker in await node.workers()]
    first, second = await node.pids()
    os.kill(first, signal.SIGKILL)
    await until(lambda: state(first) is None, "it was reaped")
    workers = await node.until_healthy()
    assert workers[0]["os_pid"] not in (None, first)
    assert workers[0]["restarts"] == before[0] + 1
    assert workers[0]["last_exit"] == "was ended by SIGKILL"
    assert workers[1]["os_pid"] == second
    assert await all_pids(node) == {workers[0]["os_pid"], second}
    await node.ask("stop", "erlmcp-2")
    await until(lambda: state(second) is None, "it was reaped")
    workers = await node.until_healthy()
    assert [worker["restarts"] for worker in workers] == [count + 1 for count in before]
    assert workers[1]["last_exit"] == "ended with status 0"


async def test_a_worker_is_killed_by_the_console_of_its_parent(node: Node) -> None:
    first, _ = await node.pids()
    result = await node.ask("kill", target="workers/erlmcp-1")
    assert result["sent"] == "kill"
    await until(lambda: state(first) is None, "it ended")
    assert (await node.until_healthy())[0]["os_pid"] != first


async def test_the_port_is_kept_while_every_worker_is_gone(node: Node) -> None:
    pids = await node.pids()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    client = await node.connect()  # waits in a queue that the parent keeps
    assert int((await client.call("who")).text) not in pids


async def test_a_worker_that_cannot_come_back_leaves_its_clients_to_the_others(node: Node) -> None:
    broken = node.control.with_name("broken")
    first, second = await node.pids()
    broken.write_text("")
    try:
        os.kill(first, signal.SIGKILL)
        await reaped([first])
        with trio.fail_after(30):
            while (await node.workers())[0]["last_exit"] != "ended with status 2":
                await trio.sleep(0.05)
            in_a_row = 0
            while in_a_row < 30:  # before its door is closed, clients wait for it in vain
                in_a_row = in_a_row + 1 if await served(node) else 0
        assert await all_pids(node) == {second}
        assert (await node.ask("status"))["health"] == "degraded"
        assert "RuntimeError: it is broken" in node.log
    finally:
        broken.unlink()
    assert (await node.until_healthy())[1]["os_pid"] == second


async def test_a_stopped_worker_is_unresponsive_and_the_others_serve(node: Node) -> None:
    first, _ = await node.pids()
    os.kill(first, signal.SIGSTOP)
    try:
        with trio.fail_after(30):
            while (await node.workers())[0]["health"] != "unresponsive":
                await trio.sleep(0.1)
        assert (await node.ask("status"))["health"] == "degraded"
    finally:
        os.kill(first, signal.SIGCONT)
    await node.until_healthy()


def test_workers_that_cannot_start_end_the_node_with_their_reason(start: Any) -> None:
    node = start("--workers", "2", "--server", "no.such:server")
    assert node.finish()[0] == 2
    assert "erlmcp-node: server 'no.such:server': there is no module 'no'" in node.log


def test_a_port_that_is_taken_ends_the_start(start: Any) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        node = start("--workers", "2", "--http", f"127.0.0.1:{port}")
        assert node.finish()[0] == 2
    assert f"erlmcp-node: http: 127.0.0.1 port {port} is in use; stop who uses it" in node.log


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--workers", "0"), "node.workers"),
        (("--workers", "2", "--stdio"), "node.workers: standard input has one client"),
        (("--workers", "2", "--name", "n" * 63), "node.name: workers are called"),
    ],
)
def test_what_makes_no_sense_is_refused(start: Any, options: tuple[str, ...], text: str) -> None:
    node = start(*options)
    assert node.finish()[0] == 2
    assert text in node.log


async def test_nothing_piles_up_in_the_parent(lone: Node) -> None:
    parent = lone.process.pid
    before = 0
    for _ in range(2):
        pids = [worker["os_pid"] for worker in await lone.until_healthy()]
        before = before or descriptors(parent)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await reaped(pids)
    await lone.until_healthy()
    assert descriptors(parent) <= before + 1
    with pytest.raises(CommandFailed):
        await lone.ask("info", target="workers/erlmcp-3")


async def test_workers_share_a_socket_in_the_file_system(start: Any, tmp_path: Path) -> None:
    path = tmp_path / "mcp.sock"
    node = start("--workers", "2", "--http", f"unix:{path}")
    await until(lambda: "is up with all its workers" in node.log, "both are up")
    found = set()
    for _ in range(40):
        client = Client(await trio.open_unix_socket(str(path)))  # type: ignore[arg-type]
        found.add(int((await client.call("who")).text))
        await client.stream.aclose()
    assert found <= set(await node.pids())
    node.process.terminate()
    assert (await trio.to_thread.run_sync(node.finish))[0] == 0
    assert not path.exists()
