"""``erlmcp-node upstreams ...`` typed against a node that runs as a program of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner, Result

from erlmcp_py.cli import cli
from erlmcp_py.client import Client
from erlmcp_py.console.place import DIRECTORY_VARIABLE
from erlmcp_py.protocol.errors import McpError
from tests import schema_gate
from tests.erlmcp_py.gateway.upstreams import EXITS, OLD, said

ROOT = Path(__file__).parents[3]
NAME = "with-upstreams"


class Program:
    """A node in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], directory: Path, base: str) -> None:
        self.process = process
        self.directory = directory
        self.base = base

    def type(self, *words: str, stdin: str = "") -> Result:
        env = {DIRECTORY_VARIABLE: str(self.directory)}
        return CliRunner().invoke(cli, [*words, "--name", NAME], input=stdin, env=env)

    def json(self, *words: str) -> Any:
        result = self.type(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def row(self, name: str) -> dict[str, Any]:
        (found,) = (row for row in self.json("upstreams") if row["name"] == name)
        return dict(found)

    async def until(self, name: str, state: str) -> dict[str, Any]:
        with trio.fail_after(60):
            while (row := await trio.to_thread.run_sync(self.row, name))["state"] != state:
                await trio.sleep(0.05)
        return row


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    directory = tmp_path_factory.mktemp("node")
    config = directory / "node.toml"
    upstreams = {
        "one": {"command": [sys.executable, "-c", OLD, "--token", "s3cret"]},
        "two": {"command": [sys.executable, "-c", OLD], "restarts": 0},
        "never": {"command": [sys.executable, "-c", EXITS], "restarts": 0},
        "lazy": {"command": [sys.executable, "-c", OLD], "on_demand": True},
        "web": {"url": "http://127.0.0.1:9/mcp?key=s3cret", "restarts": 0},
    }
    tables = [
        f"[upstreams.{name}]\n"
        + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
        for name, table in upstreams.items()
    ]
    config.write_text("\n".join(tables))
    words = [sys.executable, "-m", "erlmcp_py", "run", "--config", str(config)]
    process = subprocess.Popen(
        [*words, "--name", NAME, "--http", "127.0.0.1:0"],
        cwd=ROOT,
        env=os.environ
        | {DIRECTORY_VARIABLE: str(directory / "run"), "PYTHONPATH": schema_gate.PYTHONPATH},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    told = ""
    while "/health" not in told:
        line = process.stdout.readline()
        assert line, "the node has ended"
        told += line
    found = re.search(r"(http://\S+)/mcp/one", told)
    assert found
    yield Program(process, directory / "run", found[1])
    process.terminate()
    process.communicate(timeout=30)


async def test_the_table_has_figures_programs_and_reasons(node: Program) -> None:
    row = await node.until("one", "up")
    async with Client(f"{node.base}/mcp/one") as client:
        pid = said(await client.call_tool("pid"))
        with pytest.raises(McpError):
            await client.call_tool("nothing")
    after = await node.until("one", "up")
    assert after["pid"] == int(pid)
    assert after["requests"] - row["requests"] == 2
    assert after["errors"] - row["errors"] == 1
    assert 0 < after["p50"] <= after["p99"]
    assert after["memory"] > 1 << 20
    assert [each["pid"] for each in after["instances"]] == [int(pid)]

    down = await node.until("never", "down")
    assert "ended with status 4; it said: no licence" in down["reason"]
    assert down["last_exit"]["text"] == "ended with status 4"
    assert (await node.until("web", "down"))["kind"] == "url"

    shown = (await trio.to_thread.run_sync(node.type, "upstreams")).stdout
    assert re.search(rf"^one +up .* {pid} ", shown, re.MULTILINE)
    assert re.search(r"down: .*it said: no licence", shown)
    assert "http://127.0.0.1:9/mcp?key=…" in shown
    assert "s3cret" not in shown


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_restart_ends_the_program_and_waits_for_another(node: Program) -> None:
    before = await node.until("two", "up")
    row = await trio.to_thread.run_sync(node.json, "upstreams", "restart", "two")
    assert "has restarted it" in row["last_failure"]["text"]
    # Once more than may be is no reason to be down, if an operator has said so.
    assert (row["state"], row["restarts"]) == ("up", before["restarts"] + 1)
    assert row["last_exit"]["pid"] == before["pid"] != row["pid"]
    assert not lives(before["pid"])
    async with Client(f"{node.base}/mcp/two") as client:
        assert said(await client.call_tool("pid")) == str(row["pid"])


async def test_an_open_breaker_is_seen(node: Program) -> None:
    await trio.to_thread.run_sync(node.type, "breaker", "open", "lazy", "--reason", "not today")
    row = await trio.to_thread.run_sync(node.row, "lazy")
    assert (row["breaker"], row["breaker_reason"]) == ("open", "not today")
    await trio.to_thread.run_sync(node.type, "breaker", "close", "lazy")
    row = await trio.to_thread.run_sync(node.row, "lazy")
    assert (row["breaker"], row["breaker_reason"]) == ("closed", None)


async def test_what_cannot_be_restarted_is_one_line(node: Program) -> None:
    await node.until("never", "down")
    never = await trio.to_thread.run_sync(
        node.type, "upstreams", "restart", "never", "--within", "0.5"
    )
    assert never.exit_code == 1
    assert re.search(r"the upstream 'never' is .* \(waited for 0\.5 s\)$", never.stderr)
    assert never.stderr.count("\n") == 1
    unknown = await trio.to_thread.run_sync(node.type, "upstreams", "restart", "tow")
    assert unknown.exit_code == 1
    assert unknown.stderr == "erlmcp-node: there is no upstream 'tow'; did you mean 'two'?\n"
    asleep = await trio.to_thread.run_sync(node.type, "upstreams", "restart", "lazy")
    assert asleep.stderr == (
        "erlmcp-node: the upstream 'lazy' is asleep: there is nothing to restart\n"
    )
    row = await trio.to_thread.run_sync(node.row, "lazy")
    assert (row["state"], row["pid"], row["reason"]) == ("asleep", None, None)
    assert [each["state"] for each in row["instances"]] == ["asleep"]
    misplaced = await trio.to_thread.run_sync(
        lambda: CliRunner().invoke(cli, ["upstreams", "--name", NAME, "restart", "two"])
    )
    assert misplaced.exit_code == 2
    assert "options go behind 'restart'" in misplaced.stderr


async def test_the_last_words(node: Program) -> None:
    await node.until("never", "down")
    shown = (await trio.to_thread.run_sync(node.type, "upstreams", "log", "never")).stdout
    assert re.search(r"^\d\d:\d\d:\d\d \d+ \*\*\* started .*python", shown, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d \d+ no licence$", shown, re.MULTILINE)
    assert re.search(r" \d+ \*\*\* ended with status 4$", shown, re.MULTILINE)
    lines = await trio.to_thread.run_sync(node.json, "upstreams", "log", "never", "--lines", "2")
    assert len(lines) == 2


async def test_the_tree_ps_and_info_show_the_program(node: Program) -> None:
    row = await node.until("one", "up")
    label = f"connection to one, pid {row['pid']}: "
    tree = (await trio.to_thread.run_sync(node.type, "tree")).stdout
    assert re.search(rf"─ connection +running .*\n.*─ \S+ -c .* running +{row['pid']} ", tree)
    assert "s3cret" not in tree
    assert label in (await trio.to_thread.run_sync(node.type, "ps", "--limit", "500")).stdout
    place = "core/upstreams/one/instances/1/client/connection"
    for target in ("upstream_one", "server_one", place):
        info = await trio.to_thread.run_sync(node.json, "info", target)
        assert info["upstream"]["pid"] == row["pid"]
    assert "upstream" not in await trio.to_thread.run_sync(node.json, "info", "registry")


async def test_in_the_shell(node: Program) -> None:
    result = await trio.to_thread.run_sync(
        lambda: node.type("attach", stdin="upstreams\nupstreams log one\nupstreams restart none\n")
    )
    assert result.exit_code == 1
    assert "in flight" in result.stdout
    assert "hello from standard error" in result.stdout
    assert "there is no upstream 'none'" in result.stderr
