"""`erlmcp-node run --mcp-json FILE`, as somebody starts it who has such a file."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from erlmcp_py.client import Client
from tests import schema_gate

from .upstreams import OLD, said

ROOT = Path(__file__).parents[3]


def started(file: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "erlmcp_py", "run"]
    env = {"ERLMCP__CONTROL__ENABLED": "false", "PYTHONPATH": schema_gate.PYTHONPATH}
    return subprocess.Popen(
        [*command, "--mcp-json", str(file), "--http", "127.0.0.1:0"],
        cwd=ROOT,
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lives(pid: str) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_servers_of_a_desktop_client_are_served_and_end_with_the_node(
    tmp_path: Path, number: signal.Signals
) -> None:
    file = tmp_path / "mcp.json"
    entry = {"command": sys.executable, "args": ["-c", OLD], "env": {"A": "b"}}
    file.write_text(json.dumps({"mcpServers": {"old": entry}}))
    node = started(file)
    try:
        assert node.stdout is not None
        told = ""
        while "/health" not in told:
            told += node.stdout.readline()
        found = re.search(r"(http://\S+)/mcp/old", told)
        assert found
        assert "/mcp   (all upstreams together, also " in told
        async with Client(f"{found[1]}/mcp/old") as client, Client(f"{found[1]}/mcp") as every:
            pid = said(await client.call_tool("pid"))
            assert pid == said(await every.call_tool("old_pid"))
    finally:
        node.send_signal(number)
        _, errors = node.communicate(timeout=20)
    assert node.returncode == 0
    assert "old: hello from standard error" in errors
    assert "upstream old is up: 2025-06-18, pid " in errors
    assert not lives(pid)


def test_a_mistake_in_the_file_is_one_line_and_status_2(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"old": {"args": []}}}))
    done = subprocess.run(
        [sys.executable, "-m", "erlmcp_py", "run", "--mcp-json", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "upstreams.old: has neither command nor url" in done.stderr
    assert done.stderr.count("\n") == 1
