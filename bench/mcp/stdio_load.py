"""Pipelined stdio load: start a server, keep `--window` requests in flight, count answers.

    python -m bench.mcp.stdio_load --era modern|legacy --window 64 --seconds S --warm-up W
        [--case add] -- COMMAND…

Prints one JSON line. Answers may come in any order: they are matched by id.
"""

import argparse
import json
import re
import subprocess
from time import perf_counter
from typing import IO

from . import wire
from .process import cpu_seconds, percentile

_ID = re.compile(rb'"id":\s*(\d+)')


class Load:
    def __init__(self, server: subprocess.Popen[bytes], era: str, case: wire.Case) -> None:
        assert server.stdin is not None
        assert server.stdout is not None
        self.stdin: IO[bytes] = server.stdin
        self.stdout: IO[bytes] = server.stdout
        self.case = case
        self.body = wire.template(era, case) + b"\n"
        self.next_id = wire.FIRST_ID
        self.sent_at: dict[int, float] = {}
        self.latencies: list[float] = []
        self.errors = 0
        self.first_error = ""

    def ask(self, message: bytes) -> bytes:
        self.stdin.write(message + b"\n")
        self.stdin.flush()
        return self.line()

    def line(self) -> bytes:
        line = self.stdout.readline()
        if not line:
            raise RuntimeError("the server closed its standard output under load")
        return line

    def send(self, count: int) -> None:
        now = perf_counter()
        data = []
        for _ in range(count):
            self.next_id += 1
            self.sent_at[self.next_id] = now
            data.append(self.body % self.next_id)
        self.stdin.write(b"".join(data))
        self.stdin.flush()

    def run(self, seconds: float, window: int) -> float:
        """Keep `window` requests in flight for `seconds`; answers the seconds it took.

        Refilled by quarters of the window, as a client that writes what it has ready.
        """
        self.latencies, self.errors = [], 0
        start = perf_counter()
        end = start + seconds
        self.send(window)
        spare = 0
        while self.sent_at:
            line = self.line()
            now = perf_counter()
            self.take(line, now)
            spare += 1
            if now < end and spare >= window // 4:
                self.send(spare)
                spare = 0
        return perf_counter() - start

    def take(self, line: bytes, now: float) -> None:
        found = _ID.search(line)
        sent = self.sent_at.pop(int(found[1]), None) if found else None
        if sent is None:
            raise RuntimeError(f"an answer to nothing that was asked: {line[:300]!r}")
        self.latencies.append(now - sent)
        if not wire.looks_right(line, self.case.needle):
            self.errors += 1
            self.first_error = self.first_error or repr(line[:200])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--era", choices=("modern", "legacy"), required=True)
    parser.add_argument("--window", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm-up", type=float, required=True)
    parser.add_argument("--case", choices=wire.CASES, default="add")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()

    with subprocess.Popen(
        options.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        try:
            load = Load(server, options.era, wire.CASES[options.case])
            if options.era == "legacy":
                load.ask(wire.initialize())
                load.stdin.write(wire.initialized() + b"\n")
                load.stdin.flush()
            load.next_id += 1
            first = load.ask((load.body % load.next_id).rstrip())
            if not wire.is_right(first, load.next_id, load.case):
                raise RuntimeError(f"tools/call was answered with {first[:500]!r}")
            load.run(options.warm_up, options.window)
            cpu = cpu_seconds(server.pid)
            took = load.run(options.seconds, options.window)
            cpu = cpu_seconds(server.pid) - cpu
            load.stdin.close()
            server.wait(timeout=10)
        finally:
            server.kill()
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
            }
        )
    )


if __name__ == "__main__":
    main()
