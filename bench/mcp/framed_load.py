"""Pipelined load on channels of messages: TCP in both framings, and WebSocket.

    python -m bench.mcp.framed_load --framing newline|length|websocket --port P [--path /mcp/bench/ws]
        --pid SERVER --connections N --window W --seconds S --warm-up T --era modern|legacy
        [--case add|echo]

Every connection has W requests in flight, refilled by quarters of that. Prints one JSON line;
messages_per_second counts requests and answers.

WHY blocking sends: a window is smaller than the system's buffers of a connection, so the server always
has room for its answers and a send waits for nothing but the server's next read.
"""

import argparse
import json
import re
import select
import socket
from time import perf_counter

from . import wire
from .framing import FRAMINGS, Framing, upgrade
from .process import cpu_seconds, family, percentile

_ID = re.compile(rb'"id":\s*(\d+)')
_PATIENCE = 10.0


class Channel:
    """One connection. sent_at: when the requests in flight were sent, by id."""

    def __init__(self, port: int, framing: Framing, path: str | None) -> None:
        self.framing = framing
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.sent_at: dict[int, float] = {}
        self.spare = 0
        if path is not None:
            self._upgrade(path, f"127.0.0.1:{port}")

    def _upgrade(self, path: str, host: str) -> None:
        self.socket.sendall(upgrade(path, host))
        answer = b""
        while b"\r\n\r\n" not in answer:
            received = self.socket.recv(65536)
            if not received:
                raise RuntimeError(f"the server closed the connection after {answer!r}")
            answer += received
        if not answer.startswith(b"HTTP/1.1 101"):
            raise RuntimeError(f"the upgrade was answered with {answer[:300]!r}")
        self.buffer = answer.partition(b"\r\n\r\n")[2]

    def receive(self) -> list[bytes]:
        """The messages that have become whole."""
        received = self.socket.recv(262_144)
        if not received:
            raise RuntimeError("the server closed a connection under load")
        messages, self.buffer = self.framing.split(self.buffer + received)
        return messages

    def ask(self, message: bytes) -> bytes:
        """One request and its answer, waiting for it."""
        self.socket.sendall(self.framing.frame(message))
        while not (messages := self.receive()):
            pass
        return messages[0]


class Load:
    def __init__(self, channels: list[Channel], era: str, case: wire.Case) -> None:
        self.channels = channels
        self.case = case
        self.needle = case.needle
        # A frame is as long as its message, and all messages are of one length.
        self.body = wire.template(era, case)
        self.next_id = wire.FIRST_ID
        self.latencies: list[float] = []
        self.errors = 0
        self.first_error = ""

    def check_first(self) -> None:
        for channel in self.channels:
            self.next_id += 1
            answer = channel.ask(self.body % self.next_id)
            if not wire.is_right(answer, self.next_id, self.case):
                raise RuntimeError(f"tools/call was answered with {answer[:500]!r}")

    def send(self, channel: Channel, count: int) -> None:
        now = perf_counter()
        data = []
        frame = channel.framing.frame
        for _ in range(count):
            self.next_id += 1
            channel.sent_at[self.next_id] = now
            data.append(frame(self.body % self.next_id))
        channel.socket.sendall(b"".join(data))

    def run(self, seconds: float, window: int) -> float:
        """Keep the windows full for `seconds`; answers the seconds it took."""
        self.latencies, self.errors = [], 0
        poll = select.epoll()
        by_fd = {channel.socket.fileno(): channel for channel in self.channels}
        start = perf_counter()
        end = start + seconds
        for fd, channel in by_fd.items():
            poll.register(fd, select.EPOLLIN)
            channel.spare = 0
            self.send(channel, window)
        busy = len(self.channels)
        while busy:
            events = poll.poll(_PATIENCE)
            if not events:
                raise RuntimeError(f"{busy} connections were not answered within 10 s")
            for fd, _ in events:
                channel = by_fd[fd]
                for message in channel.receive():
                    self.take(channel, message)
                if perf_counter() < end:
                    if channel.spare >= window // 4:
                        self.send(channel, channel.spare)
                        channel.spare = 0
                elif not channel.sent_at:
                    busy -= 1
        poll.close()
        return perf_counter() - start

    def take(self, channel: Channel, message: bytes) -> None:
        # The id stands at an end of the message: searching 4 KB for it would be the load's main cost.
        found = _ID.search(message, 0, 80) or _ID.search(message, max(0, len(message) - 80))
        sent = channel.sent_at.pop(int(found[1]), None) if found else None
        if sent is None:
            raise RuntimeError(f"an answer to nothing that was asked: {message[:300]!r}")
        channel.spare += 1
        self.latencies.append(perf_counter() - sent)
        if not wire.looks_right(message, self.needle):
            self.errors += 1
            self.first_error = self.first_error or repr(message[:200])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--framing", choices=FRAMINGS, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path")
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--window", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm-up", type=float, required=True)
    parser.add_argument("--era", choices=("modern", "legacy"), required=True)
    parser.add_argument("--case", choices=wire.CASES, default="echo")
    options = parser.parse_args()

    framing = FRAMINGS[options.framing]
    channels = [Channel(options.port, framing, options.path) for _ in range(options.connections)]
    if options.era == "legacy":
        for channel in channels:
            channel.ask(wire.initialize())
            channel.socket.sendall(framing.frame(wire.initialized()))
    load = Load(channels, options.era, wire.CASES[options.case])
    load.check_first()
    load.run(options.warm_up, options.window)
    pids = family(options.pid)
    cpu = sum(map(cpu_seconds, pids))
    took = load.run(options.seconds, options.window)
    cpu = sum(map(cpu_seconds, pids)) - cpu
    done = len(load.latencies)
    latencies = sorted(load.latencies)
    print(
        json.dumps(
            {
                "requests": done,
                "errors": load.errors,
                "first_error": load.first_error,
                "per_second": done / took,
                "messages_per_second": 2 * done / took,
                "cpu_us": cpu / done * 1e6,
                "p50_ms": percentile(latencies, 0.50) * 1e3,
                "p99_ms": percentile(latencies, 0.99) * 1e3,
            }
        )
    )


if __name__ == "__main__":
    main()
