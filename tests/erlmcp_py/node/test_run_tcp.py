"""`erlmcp-node run --tcp` as a user meets it, and what its clients hear when it is stopped."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
from collections.abc import Iterator
from typing import Any

from tests.erlmcp_py.transports.http.client import legacy_call, meta


@contextlib.contextmanager
def connect(address: str) -> Iterator[Any]:
    host, port = address.rsplit(":", 1)
    with (
        socket.create_connection((host, int(port)), timeout=10) as sock,
        sock.makefile("rwb") as stream,
    ):
        yield stream


def say(stream: Any, message: dict[str, Any]) -> None:
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()


def listen(id: str) -> dict[str, Any]:
    params = {"_meta": meta(), "notifications": {"toolsListChanged": True}}
    return {"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params}


def test_tcp_is_served_beside_http_and_streams_end_in_order_on_sigterm(start) -> None:
    program = start("--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0", "--server",
                    "examples.calculator:server")  # fmt: skip
    found = program.until(r"tcp://(127\.0\.0\.1:\d+) +calculator over TCP, a message per line")
    with connect(found[1]) as stream:
        call = legacy_call("calculate", 1, left=6, operator="*", right=7)
        call["params"]["_meta"] = meta()
        say(stream, call)
        answer = json.loads(stream.readline())
        assert answer["result"]["structuredContent"]["value"] == 42
        say(stream, listen("s"))
        assert "acknowledged" in json.loads(stream.readline())["method"]
        program.process.send_signal(signal.SIGTERM)
        assert json.loads(stream.readline())["method"] == "notifications/cancelled"
        assert json.loads(stream.readline())["id"] == "s"
        assert stream.readline() == b""
    assert program.finish()[0] == 0


def test_stdio_says_goodbye_on_sigterm(start) -> None:
    program = start("--stdio", "--server", "examples.calculator:server")
    assert program.process.stdin is not None
    assert program.process.stdout is not None
    program.process.stdin.write(json.dumps(listen("s")) + "\n")
    program.process.stdin.flush()
    assert "acknowledged" in json.loads(program.process.stdout.readline())["method"]
    program.process.send_signal(signal.SIGTERM)
    assert json.loads(program.process.stdout.readline())["method"] == "notifications/cancelled"
    assert json.loads(program.process.stdout.readline())["id"] == "s"
    assert program.finish()[:2] == (0, "")


def test_a_tcp_port_in_use_is_said_in_one_line(start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = start("--http", "127.0.0.1:0", "--tcp", f"127.0.0.1:{port}")
        code, _, err = program.finish()
    assert code == 2
    assert f"tcp: 127.0.0.1 port {port} is in use" in err
    assert "--tcp HOST:PORT" in err
