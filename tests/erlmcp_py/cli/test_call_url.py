"""`erlmcp-node call` and `inspect`, to a server at a URL, in both eras."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.interop.conftest import Node

from .calls import ASKING, SIMPLE, as_json, at_terminal, run

__all__ = ["at_terminal"]

pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'httpx2:ResourceWarning")

ERAS = pytest.mark.parametrize("era", ["auto", "legacy"])
FIXTURE = "tests.conformance.server:server"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    servers = [SIMPLE, ASKING, "examples.weather:server", FIXTURE]
    options = [word for server in servers for word in ("--server", server)]
    running = Node(tmp_path_factory.mktemp("node"), *options)
    yield running
    assert running.stop() == 0


@ERAS
def test_the_result_progress_and_the_exit_code(node: Node, era: str) -> None:
    words = ["city=Oslo", "days=2", "--era", era]
    result = run("call", node.url("weather"), "forecast", *words)
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)) == 2
    assert result.stderr == "progress 1 of 2: day 1\nprogress 2 of 2: day 2\n"
    assert run("call", node.url("simple"), "refuse", "wish=fly", "--era", era).exit_code == 1


@ERAS
@pytest.mark.usefixtures("at_terminal")
def test_questions_are_asked(node: Node, era: str) -> None:
    answers = "y\nAda\ny\nno\n"
    result = run("call", node.url("asking"), "order", "--era", era, answers=answers)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Ada ")
    assert result.stdout.endswith(" False\n")


@ERAS
def test_questions_are_declined_without_a_terminal(node: Node, era: str) -> None:
    result = run("call", node.url("asking"), "careful", "--era", era)
    assert (result.exit_code, result.stdout) == (0, "refused: decline\n")


def test_an_answer_is_fetched_after_the_server_let_go(node: Node) -> None:
    result = run("call", node.url("conformance"), "test_reconnection", "--era", "legacy")
    assert result.exit_code == 0, result.output


def test_arguments_are_repeated_in_headers(node: Node) -> None:
    """The server refuses a call in which they are missing."""
    result = run("call", node.url("conformance"), "test_x_mcp_header", "region=süd")
    assert result.exit_code == 0, result.output


@ERAS
def test_inspect(node: Node, era: str) -> None:
    offer = as_json("inspect", node.url("simple"), "--era", era)
    assert offer["server"]["name"] == "simple"
    assert offer["protocolVersion"] == ("2026-07-28" if era == "auto" else "2025-11-25")
    assert "echo" in [tool["name"] for tool in offer["tools"]]


def test_no_server_there(node: Node) -> None:
    result = run("call", node.url("nothing"), "echo")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "there is no server 'nothing'" in result.stderr
    result = run("call", "http://127.0.0.1:1/mcp", "echo")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert result.stderr == ("erlmcp-node: http://127.0.0.1:1: no connection: Connection refused\n")


class Old(BaseHTTPRequestHandler):
    """A server that has never heard of 2026-07-28, or worse."""

    protocol_version = "HTTP/1.1"
    turned_away: tuple[int, bytes] = (400, b"Bad Request: unsupported protocol version")
    seen: list[tuple[str, str | None]]

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method = message["method"]
        self.seen.append((method, self.headers["mcp-protocol-version"]))
        if self.headers["mcp-protocol-version"] == "2026-07-28":
            status, body = self.turned_away
            kind = "application/json" if body.startswith(b"{") else "text/plain"
            self.respond(status, body, kind)
        elif method == "initialize":
            self.result(message, {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "old", "version": "1"},
            })  # fmt: skip
        elif "id" not in message:
            self.respond(202, b"")
        elif self.headers["mcp-session-id"] != "s1":
            self.respond(400, b"no session")
        elif method == "tools/list":
            self.result(message, {"tools": [{"name": "hi", "inputSchema": {"type": "object"}}]})
        else:
            self.result(message, {"content": [{"type": "text", "text": "hello"}]})

    def do_DELETE(self) -> None:
        self.seen.append(("DELETE", self.headers["mcp-protocol-version"]))
        self.respond(405, b"")

    def result(self, message: Any, result: Any) -> None:
        body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        self.respond(200, json.dumps(body).encode(), "application/json")

    def respond(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("mcp-session-id", "s1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def old() -> Iterator[type[Old]]:
    handler = type("Handler", (Old,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    handler.url = f"http://127.0.0.1:{server.server_port}/mcp"
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def refusal(code: int, **data: Any) -> bytes:
    error = {"code": code, "message": "no", "data": data}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode()


@pytest.mark.parametrize(
    "turned_away",
    [
        (400, b"Bad Request: unsupported protocol version"),
        (404, b""),
        (400, refusal(-32000)),
        (200, refusal(-32601)),
        (400, refusal(-32022, supported=["2025-06-18"])),
    ],
)
def test_an_older_server_gets_a_handshake(old: Any, turned_away: tuple[int, bytes]) -> None:
    old.turned_away = turned_away
    result = run("call", old.url, "hi")
    assert (result.exit_code, result.stdout) == (0, "hello\n"), result.output
    assert old.seen == [
        ("server/discover", "2026-07-28"),
        ("initialize", None),
        ("notifications/initialized", "2025-06-18"),
        ("tools/list", "2025-06-18"),
        ("tools/call", "2025-06-18"),
        ("DELETE", "2025-06-18"),
    ]


@pytest.mark.parametrize(
    ("turned_away", "told"),
    [
        ((400, refusal(-32022, supported=["2031-01-01"])), "the server speaks 2031-01-01"),
        ((400, refusal(-32020)), "the server refused: no (-32020)"),
        ((401, b"who are you?"), "HTTP 401: who are you?"),
        ((500, b"oh"), "HTTP 500: oh"),
    ],
)
def test_where_a_handshake_would_not_help_none_is_tried(
    old: Any, turned_away: tuple[int, bytes], told: str
) -> None:
    old.turned_away = turned_away
    result = run("call", old.url, "hi")
    assert (result.exit_code, result.stderr) == (2, f"erlmcp-node: {old.url}: {told}\n")
    assert [method for method, _ in old.seen] == ["server/discover"]


def test_the_era_can_be_told(old: Any) -> None:
    assert run("call", old.url, "hi", "--era", "modern").exit_code == 2
    assert [method for method, _ in old.seen] == ["server/discover"]
    old.seen.clear()
    assert run("call", old.url, "hi", "--era", "legacy").exit_code == 0
    assert old.seen[0] == ("initialize", None)
