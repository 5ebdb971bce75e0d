"""Connections that are open and idle, and what a call costs while they are.

    python -m bench.mcp.idle_load --port P --path /mcp --pid SERVER --connections N --calls C

Opens N connections, each answered once, and leaves them alone; then makes C calls, one after the other,
on a connection of its own. Prints one JSON line. kib_per_connection: growth of the server's memory.
alone_…: the same calls before any connection was open. alive: idle connections that still answer at the
end, of a hundred that are asked.

The server's descriptors and this process's are two budgets: each end of a connection costs one.
"""

import argparse
import json
from time import perf_counter

from . import wire
from .http_load import Connection, connect, exchange
from .process import percentile, resident_mib

ERA = "modern"
CASE = wire.CASES["add"]
_SPOTS = 100


def call(connection: Connection, id: int, body: bytes) -> float:
    """The seconds that a call took."""
    began = perf_counter()
    status, _, answer = exchange(connection, connection.head + body % id)
    took = perf_counter() - began
    if status != 200 or not wire.looks_right(answer):
        raise RuntimeError(f"tools/call was answered with {status}: {answer[:500]!r}")
    return took


def calls(connection: Connection, count: int, body: bytes) -> dict[str, float]:
    latencies = sorted(call(connection, wire.FIRST_ID + n, body) for n in range(count))
    return {
        "p50_ms": percentile(latencies, 0.5) * 1e3,
        "p99_ms": percentile(latencies, 0.99) * 1e3,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--calls", type=int, required=True)
    options = parser.parse_args()

    body = wire.template(ERA, CASE)
    (busy,) = connect(options.port, options.path, 1, ERA, CASE)
    calls(busy, options.calls // 10, body)
    alone = calls(busy, options.calls, body)
    memory = resident_mib(options.pid)
    began = perf_counter()
    idle = []
    for n in range(options.connections):
        idle += connect(options.port, options.path, 1, ERA, CASE)
        call(idle[-1], wire.FIRST_ID + n, body)
    took = perf_counter() - began
    memory = resident_mib(options.pid) - memory
    among = calls(busy, options.calls, body)
    spots = idle[:: max(1, len(idle) // _SPOTS)][:_SPOTS]
    for spot in spots:
        call(spot, wire.FIRST_ID, body)
    print(
        json.dumps(
            {
                "connections": len(idle),
                "kib_per_connection": memory * 1024 / len(idle),
                "opened_per_second": len(idle) / took,
                **among,
                "alone_p50_ms": alone["p50_ms"],
                "alone_p99_ms": alone["p99_ms"],
                "alive": len(spots),
            }
        )
    )


if __name__ == "__main__":
    main()
