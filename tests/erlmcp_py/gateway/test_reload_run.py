"""`erlmcp-node reload` and SIGHUP, at a node that was started from a file."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from erlmcp_py.cli import cli
from erlmcp_py.client import Client
from erlmcp_py.console.place import DIRECTORY_VARIABLE
from tests import schema_gate

from .upstreams import OLD, said

ROOT = Path(__file__).parents[3]
NAME = "reloaded"
AT = "127.0.0.1:0"


class Program:
    """A node in a process of its own, with what it says on standard error."""

    def __init__(self, directory: Path, *words: str, **how: Any) -> None:
        self.directory = directory
        self.log = directory / "log"
        command = [sys.executable, "-m", "erlmcp_py", "run", "--name", NAME, "--http", AT, *words]
        env = {DIRECTORY_VARIABLE: str(directory / "run"), "PYTHONPATH": schema_gate.PYTHONPATH}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | env,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                **how,
            )
        assert self.process.stdout is not None
        told = ""
        while "/health" not in told:
            line = self.process.stdout.readline()
            assert line, self.log.read_text()
            told += line
        self.base = re.findall(r"(http://\S+)/health", told)[0]

    def type(self, *words: str) -> Result:
        env = {DIRECTORY_VARIABLE: str(self.directory / "run")}
        return CliRunner().invoke(cli, [*words, "--name", NAME], env=env)

    def says(self, text: str) -> None:
        """Wait for a line of its log."""
        until = time.monotonic() + 60
        while text not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)


def told(result: Result) -> list[str]:
    """What it says on standard error, but for what somebody is told who has to wait."""
    return [line for line in result.stderr.splitlines() if not line.startswith("waiting ")]


Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the node."""
    started: list[Program] = []

    def begin(*words: str, **how: Any) -> Program:
        started.append(Program(tmp_path, *words, **how))
        return started[-1]

    yield begin
    for program in started:
        program.process.terminate()
        program.process.communicate(timeout=30)


def upstream(name: str, **further: str) -> str:
    command = json.dumps([sys.executable, "-c", OLD])
    lines = "".join(f"{key} = {value}\n" for key, value in further.items())
    return f"[upstreams.{name}]\ncommand = {command}\n{lines}"


async def test_changing_the_file_and_reload(tmp_path: Path, start: Start) -> None:
    file = tmp_path / "node.toml"
    file.write_text(upstream("one") + upstream("two"))
    node = start("--config", str(file))

    def reloaded(text: str) -> list[str]:
        file.write_text(text)
        done = node.type("reload")
        assert done.exit_code == 0, done.output
        return done.stdout.splitlines()

    async with Client(f"{node.base}/mcp/two") as client:
        kept = said(await client.call_tool("pid"))
        assert reloaded(
            upstream("two", timeout="9")
            + upstream("three")
            + "[http]\nport = 7\nstreams = 5\n[log]\nlevel = 'debug'\n"
        ) == [
            "added: three",
            "removed: one",
            "adjusted: two (timeout)",
            "applied: log.level",
            "needs a restart of the node: http.streams",
        ]
        assert said(await client.call_tool("pid")) == kept
        async with Client(f"{node.base}/mcp") as every:
            tools = [tool.name for tool in await every.list_tools()]
            assert {name.split("_")[0] for name in tools} == {"two", "three"}
        assert json.loads(node.type("status", "--json").output)["servers"] == [
            "all",
            "three",
            "two",
        ]

        for text, problem in (
            (upstream("two")[:-9], "node.toml: not TOML: "),
            (upstream("two") + upstream("two"), "node.toml: not TOML: "),
            (upstream("two", timeot="3"), "upstreams.two.timeot: no such key; did you mean"),
            (upstream("two", url="'http://h'"), "upstreams.two: has both command and url"),
        ):
            file.write_text(text)
            refused = node.type("reload")
            assert (refused.exit_code, refused.stdout) == (1, "")
            assert [problem in line for line in told(refused)] == [True]
        file.unlink()
        refused = node.type("reload", "--json")
        assert refused.exit_code == 1
        error = json.loads(refused.stdout)["error"]
        assert error["code"] == "bad_configuration"
        assert error["message"].endswith("node.toml: cannot be read: No such file or directory")
        assert said(await client.call_tool("pid")) == kept

        file.write_text(upstream("two", timeout="8"))
        done = json.loads(node.type("reload", "--json").stdout)
        assert done["changes"]["upstreams"]["removed"] == ["three"]
        assert done["changes"]["upstreams"]["adjusted"] == {"two": ["timeout"]}
        assert done["changes"]["applied"] == ["log.level"]
        assert done["cut_off"] == {"three": 0}


async def test_the_file_of_a_desktop_client_is_read_again(tmp_path: Path, start: Start) -> None:
    file = tmp_path / "mcp.json"
    entry = {"command": sys.executable, "args": ["-c", OLD]}
    file.write_text(json.dumps({"mcpServers": {"one": entry}}))
    node = start("--mcp-json", str(file))
    file.write_text(json.dumps({"mcpServers": {"one": entry, "my two": entry}}))
    assert node.type("reload").stdout == "added: my-two\n"
    file.write_text('{"mcpServers": {"one": {"command": "a"}, "one": {"command": "b"}}}')
    assert "'one' is there twice in one object" in node.type("reload").stderr


def test_a_hang_up_reads_it_again(tmp_path: Path, start: Start) -> None:
    file = tmp_path / "node.toml"
    file.write_text(upstream("one"))
    node = start("--config", str(file), start_new_session=True)
    file.write_text(upstream("two"))
    node.process.send_signal(signal.SIGHUP)
    node.says("reload (SIGHUP): added: two")
    node.says("reload (SIGHUP): removed: one")
    file.write_text("[upstreams")
    node.process.send_signal(signal.SIGHUP)
    node.says("nothing has changed")
    assert node.type("ping").exit_code == 0


def test_a_node_whose_terminal_is_gone_ends_in_order(tmp_path: Path, start: Start) -> None:
    file = tmp_path / "node.toml"
    file.write_text(upstream("one"))
    terminal, inside = pty.openpty()

    def take_it() -> None:
        os.setsid()
        fcntl.ioctl(inside, termios.TIOCSCTTY, 0)

    node = start("--config", str(file), preexec_fn=take_it)
    os.close(inside)
    os.close(terminal)
    assert node.process.wait(30) == 0
    assert "stops: its terminal is gone" in node.log.read_text()


def test_a_node_that_ignores_hang_ups_goes_on_to(tmp_path: Path, start: Start) -> None:
    file = tmp_path / "node.toml"
    file.write_text(upstream("one"))
    node = start(
        "--config", str(file), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    file.write_text(upstream("two"))
    node.process.send_signal(signal.SIGHUP)
    assert node.type("reload").stdout == "added: two\nremoved: one\n"
    assert "SIGHUP" not in node.log.read_text()


def test_who_has_no_configuration_of_its_own_says_so(tmp_path: Path, start: Start) -> None:
    node = start("--workers", "2")
    refused = node.type("reload")
    assert refused.exit_code == 1
    assert "does not read its configuration again" in refused.stderr
    nobody = CliRunner().invoke(
        cli, ["reload", "--name", "nobody"], env={DIRECTORY_VARIABLE: str(tmp_path / "run")}
    )
    assert nobody.exit_code == 2
