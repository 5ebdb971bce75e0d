"""What a node answers to what no client should send, over real sockets and pipes."""

from __future__ import annotations

import json
import socket
import subprocess
from typing import Any

import pytest

from .conftest import COMMAND, ROOT, Node
from .raw import ACCEPT, Raw

pytestmark = pytest.mark.interop

JSON = {"Content-Type": "application/json", "Accept": ACCEPT}


@pytest.fixture
def raw(node: Node) -> Any:
    with Raw(node.port) as client:
        yield client


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{not json", -32700),
        (b"", -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
        (b'{"id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'"text"', -32600),
    ],
)
def test_broken_messages(raw: Raw, body: bytes, code: int) -> None:
    answer = raw.request(body=body, headers=JSON)
    assert answer.status == 400
    assert answer.message["error"]["code"] == code
    assert raw.echo("modern").status == 200


def test_headers_that_are_refused(raw: Raw) -> None:
    ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    assert raw.request(body=ping, headers=JSON | {"Origin": "http://evil.example"}).status == 403
    assert raw.request(body=ping, headers=JSON | {"Host": "evil.example"}).status == 421
    assert raw.request(body=ping, headers=JSON | {"Accept": "text/html"}).status == 406
    assert raw.request(body=ping, headers=JSON | {"Content-Type": "text/plain"}).status == 415
    assert raw.request(body=ping, headers=JSON).status == 400  # no session
    gone = raw.request(body=ping, headers=JSON | {"Mcp-Session-Id": "nobody"})
    assert gone.status == 404
    allowed = raw.request(
        body=ping, headers=JSON | {"Origin": f"http://localhost:{raw.port}", "Mcp-Session-Id": "x"}
    )
    assert allowed.status == 404


def test_paths_and_methods(raw: Raw) -> None:
    assert raw.request("GET", path="/nothing").status == 404
    with Raw(raw.port, "no_such_server") as lost:
        assert lost.modern("tools/list").status == 404
    answer = raw.request("PUT", body=b"{}", headers=JSON)
    assert answer.status == 405
    assert "POST" in answer.headers["allow"]


def test_an_oversized_body(raw: Raw) -> None:
    assert raw.request(body=b"x" * (4 * 2**20 + 1), headers=JSON).status == 413
    with socket.create_connection(("127.0.0.1", raw.port), timeout=10) as sock:
        sock.sendall(
            b"POST /mcp/simple HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
        )
        assert sock.recv(100).startswith(b"HTTP/1.1 413 ")
    assert raw.echo("modern").status == 200


def test_unknown_methods_and_missing_meta(raw: Raw) -> None:
    assert raw.modern("no/such").status == 404
    assert raw.modern("no/such").message["error"]["code"] == -32601
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = JSON | {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}
    answer = raw.request(body=json.dumps(body).encode(), headers=headers)
    assert (answer.status, answer.message["error"]["code"]) == (400, -32602)
    answer = raw.request(
        body=json.dumps(body).encode(), headers=headers | {"Mcp-Method": "tools/call"}
    )
    assert answer.status == 400
    answer = raw.request(
        body=json.dumps(body).encode(), headers=headers | {"MCP-Protocol-Version": "2099-01-01"}
    )
    assert answer.status == 400


def test_a_disconnect_in_the_middle_of_a_call(raw: Raw, node: Node) -> None:
    """Modern era: it cancels the call; whoever else calls is served."""
    import http.client
    import time

    with Raw(node.port) as hang, pytest.raises(TimeoutError):
        hang.connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=0.3)
        hang.modern("tools/call", {"name": "hang", "arguments": {}})
    assert raw.echo("modern").status == 200
    deadline = time.monotonic() + 1.5  # the call itself would last two seconds
    while any("hang" in str(p["label"]) for p in node.json("ps")["processes"]):
        assert time.monotonic() < deadline, "the abandoned call still runs"


def test_health_endpoints(raw: Raw) -> None:
    for path in ("/health", "/ready", "/live", "/ping"):
        answer = raw.request("GET", path=path)
        assert answer.status == 200, (path, answer.body)
    assert json.loads(raw.request("GET", path="/health").body)["status"] == "healthy"


def stdio(node: Node, lines: list[bytes]) -> list[Any]:
    """Everything a stdio node says to these lines before it ends by itself on EOF."""
    result = subprocess.run(
        [*COMMAND, "run", "--stdio", "--server", "examples.simple:server"],
        input=b"".join(line + b"\n" for line in lines),
        capture_output=True,
        env=node.env,
        cwd=ROOT,
        timeout=20,
        check=False,
    )
    assert result.returncode == 0, result.stderr.decode()
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_stdio_survives_garbage_and_ends_on_eof(node: Node) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "raw", "version": "1"},
        },
    }
    call = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "echo", "arguments": {"text": "x"}},
    }
    answers = stdio(
        node,
        [
            json.dumps(hello).encode(),
            b"{garbage",
            b"",
            b"x" * (5 * 2**20),
            json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode(),
            json.dumps(call).encode(),
        ],
    )
    by_id = {a.get("id"): a for a in answers if "result" in a}
    errors = [a["error"]["code"] for a in answers if "error" in a]
    assert by_id[1]["result"]["protocolVersion"] == "2025-06-18"
    assert by_id[2]["result"]["content"][0]["text"] == "x"
    assert errors[0] == -32700
    assert len(errors) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--server", "no.such.module:server"], "no.such.module"),
        (["--server", "examples.simple:nothing"], "nothing"),
        (["--server", "examples.simple"], "MODULE:ATTR"),
        (["--config", "/no/such/file.toml"], "/no/such/file.toml"),
        (["--http", "nonsense"], "nonsense"),
    ],
)
def test_a_start_that_cannot_work_is_one_clear_line(
    node: Node, options: list[str], said: str
) -> None:
    result = subprocess.run(
        [*COMMAND, "run", "--name", "other", *options],
        capture_output=True,
        text=True,
        env=node.env,
        cwd=ROOT,
        timeout=20,
        check=False,
    )
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_port_and_a_name_that_are_taken(node: Node) -> None:
    for options in (["--name", "other", "--http", f"127.0.0.1:{node.port}"], ["--name", node.name]):
        result = subprocess.run(
            [*COMMAND, "run", "--http", "127.0.0.1:0", *options],
            capture_output=True,
            text=True,
            env=node.env,
            cwd=ROOT,
            timeout=20,
            check=False,
        )
        assert result.returncode == 2, result.stderr
        assert "Traceback" not in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
