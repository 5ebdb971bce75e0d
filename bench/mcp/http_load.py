"""Closed-loop HTTP load on raw sockets: one request in flight per connection, keep-alive.

    python -m bench.mcp.http_load --port P --path /mcp --pid SERVER --connections N
        --seconds S --warm-up W --era modern|legacy

Prints one JSON line; its `kib_per_connection` is what the server's memory grew by when every
connection was open and had been answered once, which means something on a fresh server only.

WHY not an HTTP client library: on two cores the load must cost less
than what it measures. Here a request is one `send`, one `recv`, two searches in bytes, and
one epoll wake-up may serve every connection that has an answer.
"""

import argparse
import json
import select
import socket
from time import perf_counter

from . import wire
from .process import cpu_seconds, percentile, resident_mib


class Connection:
    __slots__ = ("buffer", "head", "id", "sent_at", "session", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.head = b""
        self.id = 0
        self.sent_at = 0.0
        self.session: str | None = None


def split_response(buffer: bytes) -> tuple[int, bytes, bytes, bytes] | None:
    """Status, head, body and the rest, when a whole response is there."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = buffer[:end]
    folded = head.lower()
    at = folded.find(b"\r\ncontent-length:")
    if at < 0:
        raise RuntimeError(f"the load generator needs a Content-Length, got {buffer[:300]!r}")
    stop = folded.find(b"\r", at + 2)
    length = int(folded[at + 17 : stop if stop > 0 else len(folded)])
    whole = end + 4 + length
    if len(buffer) < whole:
        return None
    return int(buffer[9:12]), head, buffer[end + 4 : whole], buffer[whole:]


def exchange(connection: Connection, data: bytes) -> tuple[int, bytes, bytes]:
    """One request and its response, waiting for it."""
    connection.socket.sendall(data)
    buffer = b""
    while True:
        response = split_response(buffer)
        if response is not None:
            return response[0], response[1], response[2]
        received = connection.socket.recv(65536)
        if not received:
            raise RuntimeError(f"the server closed the connection after {buffer[:300]!r}")
        buffer += received


def open_session(connection: Connection, path: str, host: str) -> None:
    body = wire.initialize()
    status, head, answer = exchange(
        connection, wire.head(path, host, "legacy", len(body), None) + body
    )
    if status != 200:
        raise RuntimeError(f"initialize was answered with {status}: {answer[:300]!r}")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"mcp-session-id":
            connection.session = value.strip().decode()
    body = wire.initialized()
    status, _, answer = exchange(
        connection, wire.head(path, host, "legacy", len(body), connection.session) + body
    )
    if status != 202:
        raise RuntimeError(f"initialized was answered with {status}: {answer[:300]!r}")


class Load:
    def __init__(self, connections: list[Connection], body: bytes) -> None:
        self.connections = connections
        self.body = body
        self.next_id = wire.FIRST_ID
        self.latencies: list[float] = []
        self.errors = 0
        self.first_error = ""
        self.epoll = select.epoll()
        self.by_fd = {c.socket.fileno(): c for c in connections}

    def send(self, connection: Connection) -> None:
        self.next_id += 1
        connection.id = self.next_id
        connection.sent_at = perf_counter()
        connection.socket.send(connection.head + self.body % self.next_id)

    def check_first(self) -> None:
        """Judge one whole answer on every connection before anything is counted."""
        for connection in self.connections:
            self.next_id += 1
            status, _, body = exchange(connection, connection.head + self.body % self.next_id)
            if status != 200 or not wire.is_right(body, self.next_id):
                raise RuntimeError(f"tools/call was answered with {status}: {body[:500]!r}")

    def run(self, seconds: float) -> float:
        """Keep every connection busy for `seconds`; answers the seconds it took."""
        self.latencies, self.errors = [], 0
        for connection in self.connections:
            connection.socket.setblocking(False)
            self.epoll.register(connection.socket, select.EPOLLIN)
        start = perf_counter()
        end = start + seconds
        for connection in self.connections:
            self.send(connection)
        open_requests = len(self.connections)
        while open_requests:
            events = self.epoll.poll(5.0)
            if not events:
                raise RuntimeError(f"{open_requests} requests were not answered within 5 s")
            for fd, _ in events:
                if self.receive(self.by_fd[fd]):
                    if perf_counter() < end:
                        self.send(self.by_fd[fd])
                    else:
                        open_requests -= 1
        took = perf_counter() - start
        for connection in self.connections:
            self.epoll.unregister(connection.socket)
            connection.socket.settimeout(5)
        return took

    def receive(self, connection: Connection) -> bool:
        """Take what has come; True when a response is complete."""
        received = connection.socket.recv(65536)
        if not received:
            raise RuntimeError("the server closed a connection under load")
        buffer = connection.buffer + received if connection.buffer else received
        response = split_response(buffer)
        if response is None:
            connection.buffer = buffer
            return False
        status, _, body, connection.buffer = response
        self.latencies.append(perf_counter() - connection.sent_at)
        if status != 200 or not wire.looks_right(body):
            self.errors += 1
            self.first_error = self.first_error or f"{status} {body[:200]!r}"
        return True


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm-up", type=float, required=True)
    parser.add_argument("--era", choices=("modern", "legacy"), required=True)
    options = parser.parse_args()

    body = wire.template(options.era)
    length = len(body % wire.FIRST_ID)
    host = f"127.0.0.1:{options.port}"
    memory = resident_mib(options.pid)
    connections = [Connection(options.port) for _ in range(options.connections)]
    for connection in connections:
        if options.era == "legacy":
            open_session(connection, options.path, host)
        connection.head = wire.head(options.path, host, options.era, length, connection.session)
    load = Load(connections, body)
    load.check_first()
    memory = resident_mib(options.pid) - memory
    load.run(options.warm_up)
    cpu = cpu_seconds(options.pid)
    took = load.run(options.seconds)
    cpu = cpu_seconds(options.pid) - cpu
    done = len(load.latencies)
    latencies = sorted(load.latencies)
    print(
        json.dumps(
            {
                "requests": done,
                "errors": load.errors,
                "first_error": load.first_error,
                "per_second": done / took,
                "cpu_us": cpu / done * 1e6,
                "p50_ms": percentile(latencies, 0.50) * 1e3,
                "p99_ms": percentile(latencies, 0.99) * 1e3,
                "kib_per_connection": memory * 1024 / options.connections,
            }
        )
    )


if __name__ == "__main__":
    main()
