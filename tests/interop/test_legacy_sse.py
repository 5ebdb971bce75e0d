"""HTTP+SSE as clients find it that do not know how old the server is, and as they end it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from .conftest import ROOT, Node
from .driving import Driver, Way

pytestmark = pytest.mark.interop

SERVER = "tests.interop.servers.everything:server"


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("sse"), "--server", SERVER)
    yield running
    assert running.stop() == 0


@pytest.mark.parametrize(
    ("path", "transport"),
    [("everything/sse", "SSEClientTransport"), ("everything", "StreamableHTTPClientTransport")],
)
def test_a_client_that_probes(everything: Node, path: str, transport: str) -> None:
    way = Way("typescript_1", "probe", "legacy")
    client = Driver(way, {"url": everything.url(path), "probe": True})
    assert client.about["transport"] == transport
    assert client.text("echo", text="hi") == "hi"
    assert client.close() == 0


@pytest.mark.parametrize("path", ["/sse", "/mcp/everything/sse"])
def test_the_command_line_of_the_official_sdk(everything: Node, path: str) -> None:
    """It takes any URL for one of HTTP+SSE, shakes hands, and reads until its input ends."""
    command = [sys.executable, "-W", "ignore", "-m", "mcp.client", everything.base + path]
    program = subprocess.run(
        command, cwd=ROOT, input="", capture_output=True, text=True, timeout=60, check=False
    )
    assert program.returncode == 0, program.stderr
    assert "Initialized" in program.stdout + program.stderr
