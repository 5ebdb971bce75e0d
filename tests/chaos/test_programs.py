"""``chaos kill program:NAME``: the programs of upstreams, killed, stopped, and deaf to a signal."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from click.testing import CliRunner, Result

from chaos.application import application as chaos
from chaos.commands import commands
from erlmcp_py import registry
from erlmcp_py.application import ROOT, start_node
from erlmcp_py.client import Client as McpClient
from erlmcp_py.config import Config, HttpConfig, LogConfig, UpstreamConfig
from erlmcp_py.console.client import Client, CommandFailed
from erlmcp_py.console.place import DIRECTORY_VARIABLE
from erlmcp_py.console.service import Console
from erlmcp_py.parts import Parts
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.tree import child_specs
from supervisors import Runtime, application
from tests.erlmcp_py.gateway.upstreams import EXITS, OLD, program, said

DEAF = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
SILENT_ONCE = """
import os, sys, time
try:
    os.close(os.open(sys.argv[1], os.O_CREAT | os.O_EXCL))
except FileExistsError:
    pass
else:
    time.sleep(3600)
"""
WELL = {
    "one": program(OLD),
    "two": program(DEAF + OLD, ping_interval=0.2, ping_timeout=3.0),
    "three": program(OLD, pool=2),
}
ILL = {
    "one": program(OLD),
    "three": program(OLD, pool=2),
    "never": program(EXITS, restarts=0),
    "web": UpstreamConfig(url="http://127.0.0.1:9/mcp"),
}


class Node:
    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.port = port

    async def ask(self, command: str, **args: Any) -> Any:
        def talk() -> Any:
            with Client.connect("demo", self.directory) as client:
                return client.request(command, args, patience=130)

        return await trio.to_thread.run_sync(talk)

    async def type(self, *words: str) -> Result:
        env = {DIRECTORY_VARIABLE: str(self.directory)}
        return await trio.to_thread.run_sync(
            lambda: CliRunner().invoke(commands, [*words, "--name", "demo"], env=env)
        )

    def at(self, name: str) -> McpClient:
        return McpClient(f"http://127.0.0.1:{self.port}/mcp/{name}")

    async def pid(self, name: str) -> int:
        async with self.at(name) as client:
            return int(said(await client.call_tool("pid")))


@asynccontextmanager
async def running(directory: Path, upstreams: dict[str, UpstreamConfig]) -> AsyncIterator[Node]:
    config = msgspec.structs.replace(
        Config(),
        http=HttpConfig(port=0),
        log=LogConfig(level="critical"),
        servers=(),
        upstreams=upstreams,
    )
    async with Runtime("demo"):
        with Console.open("demo", directory, root=ROOT, stop=lambda: None) as console:
            parts = Parts({}, console.child_spec(), lambda _: None)
            try:
                with trio.fail_after(30):
                    await start_node(child_specs(config, parts))
                    await application.start(chaos)
                info = (await registry.transports())["http"].info
                yield Node(directory, info["port"])
            finally:
                with trio.CancelScope(shield=True):
                    await application.stop_all()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with running(tmp_path / "run", WELL) as started:
        yield started


@pytest.fixture
async def ill_node(tmp_path: Path) -> AsyncIterator[Node]:
    async with running(tmp_path / "run", ILL) as started:
        yield started


async def test_a_program_that_is_killed_and_the_calls_that_it_costs(node: Node) -> None:
    before, other = await node.pid("one"), await node.pid("two")
    async with node.at("one") as client, trio.open_nursery() as nursery:

        async def wait_for_ever() -> None:
            with pytest.raises(McpError, match="was ended by SIGKILL"):
                await client.call_tool("never")

        nursery.start_soon(wait_for_ever)
        while (await client.call_tool("count")).content[0].text != "1":
            await trio.sleep(0.01)
        report = await node.ask("chaos.kill", target="program:one")

    assert report["died"] and report["whole"], report
    recovery = report["recovery"]
    assert report["process"] == "program of one"
    assert (report["pid"], recovery["was"]) == (str(before), before)
    assert recovery["ended"] == "was ended by SIGKILL"
    assert 0 <= recovery["noticed_ms"] <= recovery["up_ms"]
    assert recovery["lost"] == 1
    assert recovery["pid"] == await node.pid("one") != before
    assert [entry["place"].rpartition("/")[2] for entry in report["restarted"]] == ["connection"]
    assert await node.pid("two") == other


async def test_a_program_that_is_stopped_is_noticed_by_its_pings(node: Node) -> None:
    before = await node.pid("two")
    result = await node.type("kill", "program:two", "--reason", "stop")
    assert result.exit_code == 0, result.output
    assert f"sent stop to program of two {before}" in result.stdout
    assert f"pid {before} was ended by SIGTERM; up again after" in result.stdout
    assert "0 calls lost" in result.stdout
    assert await node.pid("two") != before


async def test_a_signal_that_does_nothing_kills_nothing(node: Node) -> None:
    before = await node.pid("two")
    result = await node.type("kill", "program:two", "--reason", "hup", "--within", "0.5")
    assert result.exit_code == 1
    assert "two was up all the time" in result.stdout
    assert "nothing was killed" in result.stdout
    assert await node.pid("two") == before


async def until(node: Node, name: str, **wanted: Any) -> dict[str, Any]:
    with trio.fail_after(30):
        while True:
            (row,) = [row for row in await node.ask("upstreams") if row["name"] == name]
            if all(row[key] == value for key, value in wanted.items()):
                return row
            await trio.sleep(0.02)


async def test_one_that_has_not_answered_yet_dies_as_well(tmp_path: Path) -> None:
    # Its connection takes the end for the answer of an older program, and starts another at once.
    command = (sys.executable, "-c", SILENT_ONCE + OLD, str(tmp_path / "started"))
    async with running(tmp_path / "run", {"slow": UpstreamConfig(command=command)}) as node:
        with trio.fail_after(30):
            while not (tmp_path / "started").exists():
                await trio.sleep(0.02)
        before = await until(node, "slow", state="starting")
        report = await node.ask("chaos.kill", target="program:slow")
        assert report["died"] and report["whole"], report
        assert report["recovery"]["was"] == before["pid"]
        assert report["recovery"]["ended"] == "was ended by SIGKILL"


async def test_a_program_that_ends_after_its_successor_has_begun(tmp_path: Path) -> None:
    upstreams = {"slow": program(OLD + "time.sleep(0.7)")}
    async with running(tmp_path / "run", upstreams) as node:
        before = await node.pid("slow")
        report = await node.ask("chaos.kill", target="core/upstreams/slow/instances")
        assert report["whole"], report
        after = await node.pid("slow")
        with trio.fail_after(30):
            while (row := await until(node, "slow"))["last_exit"] is None:
                await trio.sleep(0.02)
        assert (row["pid"], row["last_exit"]["pid"]) == (after, before)
        assert row["last_exit"]["text"] == "ended with status 0"


async def test_one_instance_of_several(node: Node) -> None:
    await node.pid("three")
    with trio.fail_after(30):
        while (await node.ask("upstreams"))[2]["instances"][1]["state"] != "up":
            await trio.sleep(0.02)
    first, second = (one["pid"] for one in (await node.ask("upstreams"))[2]["instances"])
    report = await node.ask("chaos.kill", target="program:three/2")
    assert report["whole"], report
    assert (report["recovery"]["upstream"], report["recovery"]["was"]) == ("three/2", second)
    instances = (await node.ask("upstreams"))[2]["instances"]
    assert instances[0]["pid"] == first
    assert instances[1]["pid"] == report["recovery"]["pid"] != second


async def test_one_that_does_not_come_back_is_not_whole(ill_node: Node) -> None:
    # `never` runs for a moment, so its connection can be hit, or it is told that it does not run.
    told = pytest.raises(CommandFailed, match=r"program:never does not run: .* no licence")
    with trio.fail_after(60), told:
        while True:
            report = await ill_node.ask("chaos.kill", target="program:never", within=0.2)
            assert not report["whole"]


@pytest.mark.parametrize(
    ("target", "reason", "problem"),
    [
        ("program:none", "kill", "there is no upstream 'none'; did you mean 'one'"),
        ("program:web", "kill", "web is at http://127.0.0.1:9/mcp: this node has no program of it"),
        ("program:three/7", "kill", "there is no such instance; there are 1, 2"),
        ("program:one", "kil", "a program gets a signal: kill, .* did you mean 'kill'"),
    ],
)
async def test_what_is_no_target(ill_node: Node, target: str, reason: str, problem: str) -> None:
    with pytest.raises(CommandFailed, match=problem):
        await ill_node.ask("chaos.kill", target=target, reason=reason)


async def test_the_processes_of_an_upstream_are_victims_like_all_others(node: Node) -> None:
    before = await node.pid("one")
    for target in ("core/upstreams/one/instances/1/client/connection", "upstream_one"):
        report = await node.ask("chaos.kill", target=target)
        assert report["whole"], report
    assert await node.pid("one") != before
    assert sys.executable in (await node.ask("upstreams"))[0]["where"]
