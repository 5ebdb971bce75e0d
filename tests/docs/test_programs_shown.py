"""The programs on pages that are not about MCP, run against a node that is a program of its own.

What a page cannot know is filled in: the addresses of this run, and what it leaves to the reader.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from erlmcp_py.console.place import DIRECTORY_VARIABLE

from .pages import ROOT

ADDING = '''
from erlmcp_py.server import Server

server = Server("adding", version="1")


@server.tool()
def add(a: int, b: int) -> int:
    """Add."""
    return a + b
'''


@dataclass
class Addresses:
    """Of the node: HOST:PORT of HTTP, the port of TCP."""

    http: str
    tcp: str


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    place = tmp_path_factory.mktemp("shown")
    (place / "adding.py").write_text(ADDING)
    program = subprocess.Popen(
        [
            sys.executable, "-m", "erlmcp_py", "run", "--name", "shown",
            "--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0",
            "--server", "examples.calculator:server", "--server", "adding:server",
        ],
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(ROOT), DIRECTORY_VARIABLE: str(place / "run")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    assert program.stdout is not None
    banner = ""
    while "attach: " not in banner:
        line = program.stdout.readline()
        assert line, f"it ended: {banner}"
        banner += line
    http = re.search(r"http://([\d.]+:\d+)/mcp/calculator", banner)
    tcp = re.search(r"tcp://127\.0\.0\.1:(\d+)   calculator over TCP", banner)
    assert http is not None, banner
    assert tcp is not None, banner
    yield Addresses(http[1], tcp[1])
    program.terminate()
    program.communicate(timeout=30)


def program_of(page: str, begin: str) -> str:
    """The block of the page that begins like this, fenced or indented."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    fenced = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", text, re.MULTILINE)
    blocks = [*fenced, *map(textwrap.dedent, indented)]
    return next(block for block in blocks if block.startswith(begin))


def said_by(program: str) -> str:
    """What it prints; it has to end well."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_a_socket_is_enough_for_tcp(node: Addresses) -> None:
    program = program_of("transports/tcp.md", "import json, socket")
    assert said_by(program.replace("8090", node.tcp)) == "{'expression': '6 * 7', 'value': 42.0}\n"


def test_a_websocket(node: Addresses) -> None:
    program = program_of("transports/websocket.md", "import json")
    assert (
        said_by(program.replace("127.0.0.1:8080", node.http))
        == "{'expression': '6 * 7', 'value': 42.0}\n"
    )


def test_the_client(node: Addresses) -> None:
    program = program_of("client.md", "import trio\nfrom erlmcp_py.client import Client")
    said = said_by(program.replace("127.0.0.1:8000/mcp", f"{node.http}/mcp/adding"))
    assert said == "add\n[TextContent(text='3', annotations=None, meta=None)] 3\n"


def test_a_port() -> None:
    program = program_of("ports.md", "from erlmcp_py.ports import Command")
    assert said_by(f"{program}\nimport supervisors\nsupervisors.run(owner)") == "b'hello\\n'\n"


def test_two_nodes_of_one_program() -> None:
    program = program_of("distribution.md", "import trio\nimport supervisors")
    assert "supervisors.spawn(...)" in program
    filled = program.replace("spawn(...)", "spawn(trio.sleep_forever)")
    assert said_by(f"{filled}\ntrio.run(main)\nprint('whole')") == "whole\n"


def test_a_fault_proxy(node: Addresses) -> None:
    program = program_of("fault-proxy.md", "from chaos import proxy")
    host, port = node.http.split(":")
    body = program.replace('("127.0.0.1", 8080)', f'("{host}", {port})')
    said = said_by(
        "import supervisors\nasync def main():\n"
        "    from chaos import proxy\n    await proxy.Proxies.start_link(name=proxy.PROXIES)\n"
        + textwrap.indent(body, "    ")
        + "supervisors.run(main)\n"
    )
    assert "'loss'" in said or "Loss(" in said
