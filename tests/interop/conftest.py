"""A node in a process of its own, as a user starts it, and the official client's ways in."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests import schema_gate

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "erlmcp_py"]


class Node:
    """A running `erlmcp-node run`: its base URL, its name, its control commands."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.name = f"test-{uuid4().hex[:8]}"
        self.env = os.environ | {
            "ERLMCP__CONTROL__DIRECTORY": str(directory),
            "PYTHONPATH": schema_gate.PYTHONPATH,
        }
        self.log = (directory / "node.log").open("w+")
        self.process = subprocess.Popen(
            [*COMMAND, "run", "--name", self.name, "--http", "127.0.0.1:0", *options],
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=self.env,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        self.banner = ""
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", self.banner)):
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(f"the node did not start:\n{self.banner}\n{self.read_log()}")
            self.banner += line
        self.base = found[0]
        self.port = int(self.base.rpartition(":")[2])

    def url(self, server: str) -> str:
        return f"{self.base}/mcp/{server}"

    def read_log(self) -> str:
        self.log.flush()
        return Path(self.log.name).read_text()

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `erlmcp-node ARGUMENTS` against this node."""
        result = subprocess.run(
            [*COMMAND, *arguments, "--name", self.name],
            capture_output=True,
            text=True,
            env=self.env,
            cwd=ROOT,
            timeout=60,
            check=False,
        )
        if check:
            assert result.returncode == 0, result.stdout + result.stderr
        return result

    def json(self, *arguments: str) -> Any:
        return json.loads(self.command(*arguments, "--json").stdout)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.log.close()
        return code


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def start(*options: str) -> Node:
        nodes.append(Node(tmp_path, *options))
        return nodes[-1]

    yield start
    for node in nodes:
        if not node.log.closed:
            node.stop()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node with the examples for all tests of a module that do no lasting harm."""
    running = Node(tmp_path_factory.mktemp("node"))
    yield running
    assert running.stop() == 0
