"""One change and thousands who want to be told: what it costs the node's process.

    python -m bench.mcp.fan_out --streams N --changes C

Opens N connections with a `subscriptions/listen` stream each, real sockets on the loopback, to a node
of its own. Prints one JSON line: `cpu_ms`, processor time (user and system) of the node's process for
a change, from the call that makes it until the last client has read it, the best of C; `cpu_all_ms`,
each of them; `wall_ms`, how long that took.

WHY the best: the other process on the machine's few cores disturbs, and nothing makes it faster.
"""

import argparse
import json
import select
import socket
import subprocess
import sys
from time import perf_counter

from ..worker import ROOT, environment
from . import wire
from .changing import URI
from .http_load import split_response

_PAUSE = 0.2
_COMMENT = b": keep-alive\n\n\r\n"


def request(method: str, params: dict[str, object], name: str | None = None) -> bytes:
    """A modern request of id 1 as bytes."""
    meta = json.loads(wire.template("modern").replace(b"%d", b"1"))["params"]["_meta"]
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    body = json.dumps(message).encode()
    lines = [
        "POST /mcp HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"MCP-Protocol-Version: {wire.MODERN}",
        f"Mcp-Method: {method}",
        *([] if name is None else [f"Mcp-Name: {name}"]),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def call(connection: socket.socket, tool: str) -> float:
    """The number that a tool answers."""
    connection.sendall(request("tools/call", {"name": tool, "arguments": {}}, tool))
    buffer = b""
    while (response := split_response(buffer)) is None:
        buffer += connection.recv(65536)
    return float(json.loads(response[2])["result"]["content"][0]["text"])


def listen(port: int) -> socket.socket:
    """A stream that has been acknowledged."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    wanted = {"notifications": {"resourceSubscriptions": [URI]}}
    connection.sendall(request("subscriptions/listen", wanted))
    buffer = b""
    while b"acknowledged" not in buffer or not buffer.endswith(b"\n\n\r\n"):
        buffer += connection.recv(65536)
    if URI.encode() not in buffer:
        raise RuntimeError(f"the subscription is not honoured: {buffer!r}")
    return connection


def told(streams: dict[int, socket.socket], poll: select.epoll) -> None:
    """Wait until every stream was told once."""
    waiting = set(streams)
    while waiting:
        for descriptor, _ in poll.poll(30.0):
            data = streams[descriptor].recv(65536)
            heard = data.count(b"notifications/resources/updated")
            if heard > 1 or (heard == 0 and not data.endswith(_COMMENT)):
                raise RuntimeError(f"a stream was told {data!r}")
            if heard:
                waiting.remove(descriptor)


def measure(port: int, count: int, changes: int) -> dict[str, object]:
    control = socket.create_connection(("127.0.0.1", port), timeout=30)
    poll = select.epoll()
    streams = {}
    for _ in range(count):
        stream = listen(port)
        streams[stream.fileno()] = stream
        poll.register(stream, select.EPOLLIN)
    spent, walls = [], []
    for _ in range(changes):
        select.select([], [], [], _PAUSE)
        before = call(control, "spent")
        began = perf_counter()
        call(control, "touch")
        told(streams, poll)
        walls.append((perf_counter() - began) * 1000)
        spent.append(call(control, "spent") - before)
    return {"cpu_ms": min(spent), "cpu_all_ms": spent, "wall_ms": min(walls)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.mcp.fan_out")
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--changes", type=int, default=5)
    options = parser.parse_args()
    command = [sys.executable, "-m", "bench.mcp.changing"]
    command += ["--connections", str(options.streams + 10)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as node:
        assert node.stdout is not None
        assert node.stdin is not None
        port = int(node.stdout.readline())
        print(json.dumps(measure(port, options.streams, options.changes)))
        node.kill()


if __name__ == "__main__":
    main()
