"""The one-shot commands and ``attach``, typed against a node that runs as a program of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from erlmcp_py.cli import cli
from erlmcp_py.console.place import DIRECTORY_VARIABLE

ROOT = Path(__file__).parents[3]
NAME = "under-test"


@dataclass
class Program:
    """A node in a process of its own."""

    process: subprocess.Popen[str]
    directory: Path

    def type(self, *words: str, name: str = NAME, stdin: str = "") -> Result:
        env = {DIRECTORY_VARIABLE: str(self.directory)}
        return CliRunner().invoke(cli, [*words, "--name", name], input=stdin, env=env)

    def json(self, *words: str) -> Any:
        result = self.type(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


def start(directory: Path, name: str = NAME) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "erlmcp_py", "run", "--name", name, "--http", "127.0.0.1:0"],
        cwd=ROOT,
        env=os.environ | {DIRECTORY_VARIABLE: str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    directory = tmp_path_factory.mktemp("node") / "run"
    process = start(directory)
    assert process.stdout is not None
    assert "is up" in process.stdout.readline(), process.communicate()[1]
    yield Program(process, directory)
    process.terminate()
    process.communicate(timeout=20)


def places(tree: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {tree["path"]: tree}
    for child in tree["children"]:
        found |= places(child)
    return found


def test_ping(node: Program) -> None:
    result = node.type("ping")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.strip() == f"pong from {NAME} (pid {node.process.pid})"
    assert node.json("ping") == {"pong": NAME, "pid": node.process.pid}


def test_status(node: Program) -> None:
    status = node.json("status")
    assert status["node"] == NAME
    assert status["pid"] == node.process.pid
    assert "restarts" in node.type("status").stdout


def test_tree_draws_each_place_once_with_its_figures(node: Program) -> None:
    tree = places(node.json("tree"))
    assert {"node", "node/core", "node/core/registry", "node/console/control"} <= set(tree)
    assert all(place["state"] == "running" for place in tree.values())

    lines = node.type("tree").stdout.splitlines()
    assert lines[0].split() == [
        "process", "state", "pid", "restarts", "mailbox", "memory", "uptime",
    ]  # fmt: skip
    (registry,) = [line for line in lines if "registry" in line]
    assert tree["node/core/registry"]["pid"] in registry

    part = node.json("tree", "core")
    assert part["id"] == "core"


def test_ps(node: Program) -> None:
    listed = node.json("ps", "--sort", "uptime", "--limit", "2")
    assert listed["sorted_by"] == "uptime"
    assert len(listed["processes"]) == 2
    assert "processes by mailbox" in node.type("ps").stdout


def test_info_and_state_by_name_path_and_pid(node: Program) -> None:
    by_name = node.json("info", "registry")
    assert node.json("info", "core/registry")["pid"] == by_name["pid"]
    assert node.json("info", by_name["pid"])["name"] == "registry"
    assert "registry" in node.type("info", "registry").stdout

    assert node.json("state", "registry")["status"] == "running"
    assert "running" in node.type("state", "registry").stdout


def test_refusals(node: Program) -> None:
    address = node.json("status")["transports"]["http"]["address"]
    with closing(HTTPConnection(address)) as client:
        for _ in range(2):
            client.request("GET", "/nowhere")
            answer = client.getresponse()
            assert (answer.status, bool(answer.read())) == (404, True)
    (found,) = [each for each in node.json("refusals") if each["code"] == 1037]
    assert (found["name"], found["severity"], found["count"]) == ("path_unknown", "warning", 2)
    assert "path_unknown" in node.type("refusals").stdout


def test_applications_and_alarms(node: Program) -> None:
    assert [found["name"] for found in node.json("applications")] == ["erlmcp_py", "chaos"]
    assert "experiments on a running node" in node.type("applications").stdout
    assert isinstance(node.json("alarms"), list)
    refused = node.type("attach", stdin="application stop erlmcp_py\n")
    assert refused.exit_code == 1
    assert "erlmcp_py is the node itself; use stop" in refused.stderr


def test_a_failed_command_is_exit_code_1_and_one_line(node: Program) -> None:
    result = node.type("info", "regstry")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        "erlmcp-node: no process is called 'regstry'; did you mean 'registry'?\n"
    )
    as_json = node.type("info", "regstry", "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["error"]["code"] == "unknown_target"


@pytest.mark.parametrize("command", [["ping"], ["tree"], ["info", "x"], ["stop"], ["attach"]])
def test_no_such_node_is_exit_code_2_and_names_the_others(
    node: Program, command: list[str]
) -> None:
    result = node.type(*command, name="nobody")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "no node named 'nobody' is running" in result.stderr
    assert f"running there: {NAME}" in result.stderr


def test_a_wrong_command_line_is_exit_code_2(node: Program) -> None:
    assert node.type("info").exit_code == 2
    assert node.type("ps", "--sort", "size").exit_code == 2


def test_what_is_no_finite_number_is_refused_and_not_taken_for_the_default(node: Program) -> None:
    result = node.type("state", "registry", "--timeout", "nan")
    assert result.exit_code == 1
    assert result.stderr == "erlmcp-node: timeout must be a finite number, not nan\n"
    result = node.type("attach", stdin="state registry inf\n")
    assert result.exit_code == 1
    assert "timeout must be a finite number, not inf" in result.output


def test_attach_does_lines_from_stdin(node: Program) -> None:
    script = "suspend sessions\ninfo sessions --json\n"
    result = node.type("attach", stdin="suspend sessions\ntree core\nresume sessions\n")
    assert result.exit_code == 0, result.output
    assert "is suspended" in result.stdout
    assert "is running" in result.stdout
    assert node.type("attach", stdin=script).exit_code == 1
    assert node.type("attach", stdin="resume sessions\n").exit_code == 0


def test_chaos_kill_brings_the_registry_back(node: Program) -> None:
    before = node.json("info", "registry")["pid"]
    result = node.type("chaos", "kill", "registry")
    assert result.exit_code == 0, result.output
    assert "the tree was whole again" in result.stdout
    after = node.json("tree")
    assert places(after)["node/core/registry"]["restarts"] == 1
    assert places(after)["node/core/registry"]["pid"] != before


def test_attach_knows_how_to_draw_chaos(node: Program) -> None:
    result = node.type("attach", stdin="chaos kill health\n")
    assert result.exit_code == 0
    assert "the tree was whole again" in result.stdout


def test_a_second_node_of_the_name_is_refused(node: Program) -> None:
    second = start(node.directory)
    out, err = second.communicate(timeout=20)
    assert second.returncode == 2
    assert out == ""
    assert f"a node named '{NAME}' is running already (pid {node.process.pid}" in err
    assert node.type("ping").exit_code == 0


def test_stop_waits_until_the_node_is_gone(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    process = start(directory)
    assert process.stdout is not None
    process.stdout.readline()
    node = Program(process, directory)

    result = node.type("stop")

    assert (result.exit_code, result.stdout) == (0, f"node {NAME} stopped\n")
    _, log = process.communicate(timeout=20)
    assert process.returncode == 0
    assert f"uid {os.getuid()}" in log
    assert "console stop" in log
    assert node.type("ping").exit_code == 2


def test_a_node_that_was_killed_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    first = start(directory)
    assert first.stdout is not None
    first.stdout.readline()
    first.kill()
    first.communicate(timeout=20)
    assert Program(first, directory).type("ping").exit_code == 2

    second = start(directory)
    assert second.stdout is not None
    assert "is up" in second.stdout.readline()
    assert Program(second, directory).type("ping").exit_code == 0
    second.terminate()
    second.communicate(timeout=20)
    assert second.returncode == 0


def test_attach_without_a_standard_input_ends_at_once(node: Program) -> None:
    ended = subprocess.run(
        f"{sys.executable} -m erlmcp_py attach --name {NAME} <&-",
        shell=True,
        cwd=ROOT,
        env=os.environ | {DIRECTORY_VARIABLE: str(node.directory)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", 0)


def test_the_banner_is_the_one_of_getting_started(tmp_path: Path) -> None:
    node = start(tmp_path / "run", "one")
    try:
        assert node.stdout is not None
        banner = [node.stdout.readline()]
        while not banner[-1].startswith("attach: "):
            banner.append(node.stdout.readline())
    finally:
        node.terminate()
        node.communicate(timeout=30)
    came = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8080", "".join(banner))
    came = came.replace(" --name one", "").replace("node one ", "node erlmcp ")
    assert came in (ROOT / "docs" / "getting-started.md").read_text("utf-8")


def test_a_node_whose_banner_cannot_be_written_serves(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    env = os.environ | {DIRECTORY_VARIABLE: str(directory)}
    words = [sys.executable, "-m", "erlmcp_py", "run", "--name", "full", "--http", "127.0.0.1:0"]
    with Path("/dev/full").open("w") as full:
        node = subprocess.Popen(
            words, cwd=ROOT, env=env, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert node.stderr is not None
    said = ""
    while " is up, " not in said:
        said = node.stderr.readline()
        assert said, "it ended"
    program = Program(node, directory)
    assert program.type("ping", name="full").exit_code == 0
    assert program.type("stop", name="full").exit_code == 0
    rest = node.communicate(timeout=30)[1]
    assert node.returncode == 0, rest
    assert "Traceback" not in rest
    assert "Exception ignored" not in rest


def test_a_server_of_a_node_that_has_no_port_is_told_in_a_line(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    env = os.environ | {DIRECTORY_VARIABLE: str(directory)}
    words = [sys.executable, "-m", "erlmcp_py", "run", "--name", "u", "--http"]
    node = subprocess.Popen(
        [*words, f"unix:{tmp_path}/m.sock"],
        cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert node.stdout is not None
        assert "is up" in node.stdout.readline()
        words = ["client", "simple@u", "ping"]
        asked = CliRunner().invoke(cli, words, env={DIRECTORY_VARIABLE: str(directory)})
    finally:
        node.terminate()
        node.communicate(timeout=30)
    assert asked.exit_code == 2
    assert asked.stderr.startswith(
        f"erlmcp-node: node 'u' listens for HTTP on unix:{tmp_path}/m.sock only, "
    )
