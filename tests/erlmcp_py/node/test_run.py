"""`erlmcp-node run` as a user meets it: a process of its own, its streams, signals and exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests import schema_gate
from tests.programs import Program

ROOT = Path(__file__).parents[3]
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_tree_in_order(start, number) -> None:
    program = start("--http", "127.0.0.1:0")
    program.until("attach: erlmcp-node attach   stop:")
    program.process.send_signal(number)
    code, _, err = program.finish()
    assert code == 0, err
    assert f"stops: {number.name}" in err
    assert err.rstrip().endswith("is down")


def test_nothing_below_the_level_is_logged_from_the_start_to_the_end(start) -> None:
    program = start("--http", "127.0.0.1:0", ERLMCP__LOG__LEVEL="error")
    program.until("attach: ")
    program.process.send_signal(signal.SIGINT)
    code, _, err = program.finish()
    assert (code, err) == (0, "")


def test_it_says_where_it_serves_and_how_to_attach(start) -> None:
    program = start("--http", "127.0.0.1:0", "--name", "mine")
    base = program.until(r"(http://127\.0\.0\.1:\d+)/mcp/simple   \(also \1/mcp\)")[1]
    for path in ("mcp/calculator", "mcp/weather", "health"):
        program.until(re.escape(f"{base}/{path}"))
    program.until("attach: erlmcp-node attach --name mine")
    with urllib.request.urlopen(f"{base}/ping") as answer:
        assert answer.read() == b"pong"


STUCK = """
import time
from erlmcp_py.server import Server
server = Server("stuck", version="1")

@server.tool()
def hold() -> str:
    "Hold the loop."
    print("holding", flush=True)
    time.sleep(3600)
    return "never"
"""


def test_a_second_signal_ends_at_once_even_while_a_handler_holds_the_loop(start, tmp_path) -> None:
    (tmp_path / "stuck.py").write_text(STUCK)
    program = start("--http", "127.0.0.1:0", "--server", "stuck:server")
    port = int(program.until(r"127\.0\.0\.1:(\d+)/mcp/stuck")[1])
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "hold", "arguments": {}, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    head = (
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n"
        f"Mcp-Method: tools/call\r\nMcp-Name: hold\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall((head + body).encode())
        program.until("holding")
        program.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            program.process.wait(0.3)
        program.process.send_signal(signal.SIGTERM)
        code, _, err = program.finish(timeout=5)
    assert code == 128 + signal.SIGTERM
    assert "second signal, ending at once" in err


def refused(program: Program) -> str:
    code, out, err = program.finish()
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("erlmcp-node: ")
    return lines[0].removeprefix("erlmcp-node: ")


def test_a_taken_port(start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refused(start("--http", f"127.0.0.1:{port}"))
    assert message.startswith(f"http: 127.0.0.1 port {port} is in use; ")


def test_a_taken_name(start) -> None:
    start("--http", "127.0.0.1:0", "--name", "one").until("attach")
    message = refused(start("--http", "127.0.0.1:0", "--name", "one"))
    assert message.startswith("a node named 'one' is running already (pid ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--server", "nowhere:server"], "server 'nowhere:server': there is no module 'nowhere'"),
        (
            ["--server", "examples.simple:srver"],
            "server 'examples.simple:srver': examples.simple has no 'srver'; did you mean 'server'?",
        ),
        (
            ["--server", "examples.simple:echo"],
            "server 'examples.simple:echo': is a function, not an erlmcp_py.server.Server",
        ),
        (["--server", "examples.simple"], "server 'examples.simple': must be MODULE:ATTR"),
        (["--http", "8080"], "--http 8080: must be HOST:PORT"),
        (["--http", "::1:8080"], "--http ::1:8080: must be HOST:PORT"),
        (["--http", "127.0.0.1:65536"], "--http 127.0.0.1:65536: must be HOST:PORT"),
        (["--config", "missing.toml"], "missing.toml: cannot be read: No such file"),
        (["--name", "../up"], "command line: node.name: must be up to 64 letters"),
        (
            ["--server", "examples.simple:server"] * 2,
            "servers: two are named 'simple'",
        ),
    ],
)
def test_a_start_that_cannot_be_is_one_clear_line(start, options, message) -> None:
    assert refused(start(*options)).startswith(message)


def test_a_module_that_fails_to_import_names_the_line(start, tmp_path) -> None:
    (tmp_path / "broken.py").write_text("\nraise ValueError('not\\ntoday')\n")
    message = refused(start("--server", "broken:server"))
    assert message.startswith("server 'broken:server': ValueError: not today (")
    assert message.endswith("broken.py:2)")


def test_a_module_that_is_no_python_names_the_line(start, tmp_path) -> None:
    (tmp_path / "broken.py").write_text("\ndef x(:\n")
    message = refused(start("--server", "broken:server"))
    assert message.startswith("server 'broken:server': SyntaxError: invalid syntax (")
    assert message.endswith("broken.py:2)")


def test_a_module_that_ends_the_program_is_refused(start, tmp_path) -> None:
    (tmp_path / "script.py").write_text("import sys\nsys.exit(3)\n")
    message = refused(start("--server", "script:server"))
    assert message.startswith("server 'script:server': script ends the program when it is imported")


@pytest.mark.parametrize(("closed", "name"), [("<&-", "input"), (">&-", "output")])
def test_stdio_without_a_stream_is_refused(closed: str, name: str) -> None:
    """It served whatever had the number of the stream, and crashed a hundred times."""
    ended = subprocess.run(
        f"{sys.executable} -m erlmcp_py run --stdio --server examples.simple:server {closed}",
        shell=True, cwd=ROOT, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"erlmcp-node: --stdio: standard {name} is closed; ")
    assert ended.stderr.count("\n") == 1


def test_a_socket_in_no_directory(start, tmp_path) -> None:
    message = refused(start("--http", f"unix:{tmp_path}/none/x.sock"))
    assert message.endswith(f": {tmp_path}/none: No such file or directory")


def test_an_unknown_application(start) -> None:
    message = refused(start(ERLMCP__APPLICATIONS__START='["choas"]'))
    assert message.startswith("applications.start: 'choas' is not installed; installed: ")


def test_overlay_file_and_environment_reach_the_node(start, tmp_path) -> None:
    (tmp_path / "node.toml").write_text(
        "[http]\nport = 0\n[[servers]]\nname = 'sums'\ntarget = 'examples.calculator:server'\n"
    )
    program = start("--config", "node.toml", ERLMCP__NODE__NAME="overlaid")
    program.until("node overlaid is up")
    program.until(r"/mcp/sums   \(also")
    program.until("attach --name overlaid")


def test_stdio_speaks_only_protocol_on_stdout_and_ends_with_its_input(start) -> None:
    program = start("--stdio", "--server", "examples.simple:server")
    code, out, err = program.finish(json.dumps(INITIALIZE) + "\n")
    assert code == 0, err
    (line,) = out.splitlines()
    assert json.loads(line)["result"]["protocolVersion"] == "2025-11-25"
    assert "simple on standard input and output" in err
    assert "standard input has ended" in err


def stdio_node(directory: Path, **streams: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "erlmcp_py", "run", "--stdio"]
    return subprocess.Popen(
        [*command, "--server", "examples.simple:server"],
        cwd=directory,
        env=os.environ
        | {
            "ERLMCP__CONTROL__DIRECTORY": str(directory),
            "ERLMCP__LOG__LEVEL": "error",
            "PYTHONPATH": schema_gate.PYTHONPATH,
        },
        stderr=subprocess.PIPE,
        **streams,
    )


def greet(node: subprocess.Popen[bytes]) -> None:
    assert node.stdin is not None
    node.stdin.write(f"{json.dumps(INITIALIZE)}\n".encode())
    node.stdin.flush()


def last_word(node: subprocess.Popen[bytes]) -> str:
    """What it says on standard error behind its banner."""
    assert node.stderr is not None
    banner = ("node ", "  ", "attach: ")
    lines = node.stderr.read().decode().splitlines()
    return "\n".join(line for line in lines if not line.startswith(banner))


def test_output_that_cannot_be_written_is_one_line_and_status_1(tmp_path) -> None:
    """It ended in order, as if the client had gone."""
    with (
        Path("/dev/full").open("w") as full,
        stdio_node(tmp_path, stdin=subprocess.PIPE, stdout=full) as node,
    ):
        greet(node)
        assert node.wait(30) == 1
        assert last_word(node) == (
            "erlmcp-node: standard output cannot be written: No space left on device"
        )


def test_input_that_cannot_be_read_is_one_line_and_status_1(tmp_path) -> None:
    """The process that serves it crashed a hundred times."""
    with (
        (tmp_path / "file").open("w") as file,
        stdio_node(tmp_path, stdin=file, stdout=subprocess.DEVNULL) as node,
    ):
        assert node.wait(30) == 1
        assert last_word(node) == "erlmcp-node: standard input cannot be read: Bad file descriptor"


def test_a_client_that_goes_away_in_the_middle_is_a_normal_end(tmp_path) -> None:
    with stdio_node(tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as node:
        assert node.stdout is not None
        greet(node)
        assert len(os.read(node.stdout.fileno(), 20)) == 20
        node.stdout.close()
        greet(node)
        assert node.wait(30) == 0
        assert last_word(node) == ""


def test_two_stdio_nodes_do_not_fight_over_a_name(start) -> None:
    first = start("--stdio", "--server", "examples.simple:server")
    second = start("--stdio", "--server", "examples.simple:server")
    for program in (first, second):
        code, _, err = program.finish()
        assert code == 0, err
