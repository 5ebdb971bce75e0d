"""Closed-loop HTTP load on raw sockets: one request in flight per connection.

    python -m bench.mcp.http_load --port P --path /mcp --pid SERVER --connections N
        --seconds S --warm-up W --era modern|legacy [--case add|echo|report|spin]
        [--fresh] [--tls] [--turns] [--mark SECONDS]

Prints one JSON line. cpu_us: of the server's processes, per request. shares: of the requests' CPU time,
for each of those processes. kib_per_connection: what the server's memory grew by when every connection
was open and had been answered once, which means something on a fresh server only. rss_mib: the server's
memory every `--mark` seconds of the load. fresh: every request on a connection of its own, which the
client opens and closes. turns: server and load on one core (`process.taking_turns`).

WHY not an HTTP client library: on two cores the load must cost less
than what it measures. Here a request is one `send`, one `recv`, two searches in bytes, and
one epoll wake-up may serve every connection that has an answer. One connection alone needs no epoll.
"""

import argparse
import contextlib
import json
import math
import select
import socket
import ssl
import struct
from time import perf_counter

from . import wire
from .process import cpu_seconds, family, percentile, resident_mib, taking_turns
from .servers import trusting

_PATIENCE = 10.0
"""Seconds in which some answer must come."""


class Connection:
    __slots__ = ("buffer", "head", "port", "sent_at", "session", "socket", "tls")

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.tls = tls
        self.buffer = b""
        self.head = b""
        self.sent_at = 0.0
        self.session: str | None = None
        self.open()

    def open(self) -> None:
        plain = socket.socket()
        plain.settimeout(_PATIENCE)
        plain.connect(("127.0.0.1", self.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = plain if self.tls is None else self.tls.wrap_socket(plain)


def split_response(buffer: bytes) -> tuple[int, bytes, bytes, bytes] | None:
    """Status, head, body and the rest, when a whole response is there."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = buffer[:end]
    folded = head.lower()
    at = folded.find(b"\r\ncontent-length:")
    if at < 0:
        if b"\r\ntransfer-encoding: chunked" not in folded:
            raise RuntimeError(
                f"the load generator needs a Content-Length or chunks, got {buffer[:300]!r}"
            )
        chunks = _chunks(buffer, end + 4)
        return None if chunks is None else (int(buffer[9:12]), head, *chunks)
    stop = folded.find(b"\r", at + 2)
    length = int(folded[at + 17 : stop if stop > 0 else len(folded)])
    whole = end + 4 + length
    if len(buffer) < whole:
        return None
    return int(buffer[9:12]), head, buffer[end + 4 : whole], buffer[whole:]


def _chunks(buffer: bytes, at: int) -> tuple[bytes, bytes] | None:
    """A chunked body without trailers, and the rest; None while some is missing."""
    parts: list[bytes] = []
    while True:
        line = buffer.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(buffer[at:line], 16)
        at = line + 2 + size + 2
        if len(buffer) < at:
            return None
        if size == 0:
            return b"".join(parts), buffer[at:]
        parts.append(buffer[line + 2 : line + 2 + size])


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
    status, head, answer = exchange(connection, wire.head(path, host, "legacy", len(body)) + body)
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
    """fresh: every request on a connection of its own."""

    def __init__(
        self, connections: list[Connection], era: str, case: wire.Case, *, fresh: bool = False
    ) -> None:
        self.connections = connections
        self.case = case
        self.needle = case.needle
        self.body = wire.template(era, case)
        self.fresh = fresh
        self.next_id = wire.FIRST_ID
        self.latencies: list[float] = []
        self.errors = 0
        self.first_error = ""
        self.epoll = select.epoll()
        self.by_fd: dict[int, Connection] = {}

    def send(self, connection: Connection) -> None:
        self.next_id += 1
        connection.sent_at = perf_counter()
        connection.socket.send(connection.head + self.body % self.next_id)

    def again(self, connection: Connection) -> None:
        """The next request, in `fresh` on the next connection."""
        if not self.fresh:
            self.send(connection)
            return
        self.leave(connection)
        connection.socket.close()
        sent_at = perf_counter()
        connection.open()
        self.enter(connection)
        self.send(connection)
        connection.sent_at = sent_at

    def enter(self, connection: Connection) -> None:
        connection.socket.setblocking(False)
        self.epoll.register(connection.socket, select.EPOLLIN)
        self.by_fd[connection.socket.fileno()] = connection

    def leave(self, connection: Connection) -> None:
        self.epoll.unregister(connection.socket)
        del self.by_fd[connection.socket.fileno()]

    def check_first(self) -> None:
        """Judge one whole answer on every connection before anything is counted."""
        for connection in self.connections:
            self.next_id += 1
            status, _, body = exchange(connection, connection.head + self.body % self.next_id)
            if status != 200 or not wire.is_right(body, self.next_id, self.case):
                raise RuntimeError(f"tools/call was answered with {status}: {body[:500]!r}")

    def run(self, seconds: float, mark: float = 0.0, pid: int = 0) -> tuple[float, list[float]]:
        """Keep every connection busy for `seconds`; answers the seconds it took, and the server's
        memory in MiB every `mark` seconds.
        """
        self.latencies, self.errors = [], 0
        if len(self.connections) == 1 and not (self.fresh or mark):
            return self.one_by_one(self.connections[0], seconds), []
        marks: list[float] = []
        start = perf_counter()
        end = start + seconds
        next_mark = start + mark if mark else math.inf
        for connection in self.connections:
            self.enter(connection)
            self.send(connection)
        open_requests = len(self.connections)
        while open_requests:
            events = self.epoll.poll(_PATIENCE)
            if not events:
                raise RuntimeError(f"{open_requests} requests were not answered within 10 s")
            for fd, _ in events:
                connection = self.by_fd[fd]
                if self.receive(connection):
                    if perf_counter() < end:
                        self.again(connection)
                    else:
                        open_requests -= 1
            if perf_counter() >= next_mark:
                marks.append(resident_mib(pid))
                next_mark += mark
        took = perf_counter() - start
        for connection in self.connections:
            self.leave(connection)
            connection.socket.settimeout(_PATIENCE)
        return took, marks

    def one_by_one(self, connection: Connection, seconds: float) -> float:
        """The same with one connection, whose socket waits by itself. Requests are of one length, and so
        are answers: what has the length of the first one is whole, and judged when all have come.
        """
        sock, head, template = connection.socket, connection.head, self.body
        # A time-out of Python's is one system call more for every read.
        sock.settimeout(None)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(_PATIENCE), 0))
        answers: list[bytes] = []
        usual = 0
        start = now = perf_counter()
        end = start + seconds
        while now < end:
            self.next_id += 1
            sock.send(head + template % self.next_id)
            answer = sock.recv(65536)
            while len(answer) != usual and split_response(answer) is None:
                answer += self.more(sock)
            usual = usual or len(answer)
            answers.append(answer)
            began, now = now, perf_counter()
            self.latencies.append(now - began)
        sock.settimeout(_PATIENCE)
        for answer in answers:
            self.judge(answer)
        return now - start

    def more(self, sock: socket.socket) -> bytes:
        """Bytes that have come."""
        received = sock.recv(65536)
        if not received:
            raise RuntimeError("the server closed a connection under load")
        return received

    def receive(self, connection: Connection) -> bool:
        """Take what has come; True when a response is complete."""
        try:
            received = self.more(connection.socket)
        except ssl.SSLWantReadError:
            return False
        buffer = connection.buffer + received if connection.buffer else received
        rest = self.judge(buffer, connection.sent_at)
        connection.buffer = buffer if rest is None else rest
        return rest is not None

    def judge(self, buffer: bytes, sent_at: float | None = None) -> bytes | None:
        """Look whether the answer is right, and count it as one to what was sent then; what comes behind
        it. None if it is not whole.
        """
        response = split_response(buffer)
        if response is None:
            return None
        status, _, body, rest = response
        if sent_at is not None:
            self.latencies.append(perf_counter() - sent_at)
        if status != 200 or not wire.looks_right(body, self.needle):
            self.errors += 1
            self.first_error = self.first_error or f"{status} {body[:200]!r}"
        return rest


def connect(
    port: int, path: str, count: int, era: str, case: wire.Case, *, tls: bool = False
) -> list[Connection]:
    """Connections that know what to send; in the old era each with a session, if the server has them."""
    context = trusting() if tls else None
    host = f"127.0.0.1:{port}"
    length = len(wire.template(era, case) % wire.FIRST_ID)
    connections = [Connection(port, context) for _ in range(count)]
    for connection in connections:
        if era == "legacy":
            open_session(connection, path, host)
        connection.head = wire.head(path, host, era, length, connection.session, case.tool)
    return connections


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm-up", type=float, required=True)
    parser.add_argument("--era", choices=("modern", "legacy"), required=True)
    parser.add_argument("--case", choices=wire.CASES, default="add")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--turns", action="store_true")
    parser.add_argument("--mark", type=float, default=0.0)
    options = parser.parse_args()

    case = wire.CASES[options.case]
    memory = resident_mib(options.pid)
    connections = connect(
        options.port, options.path, options.connections, options.era, case, tls=options.tls
    )
    load = Load(connections, options.era, case, fresh=options.fresh)
    load.check_first()
    memory = resident_mib(options.pid) - memory
    pids = family(options.pid)
    with taking_turns(options.pid) if options.turns else contextlib.nullcontext():
        load.run(options.warm_up)
        before = [cpu_seconds(pid) for pid in pids]
        took, marks = load.run(options.seconds, options.mark, options.pid)
        spent = [cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
    cpu = sum(spent)
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
                "shares": [one / cpu for one in spent] if cpu else [],
                "p50_ms": percentile(latencies, 0.50) * 1e3,
                "p99_ms": percentile(latencies, 0.99) * 1e3,
                "kib_per_connection": memory * 1024 / options.connections,
                "rss_mib": marks,
            }
        )
    )


if __name__ == "__main__":
    main()
