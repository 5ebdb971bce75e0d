"""A client under load: somebody's client calls our server, one call after the other and many at once.

    python -m bench.mcp.client_load --client ours|official --era modern|legacy --seconds S --warm-up W
        --url URL --pid SERVER | -- COMMAND…

Prints one JSON line: for one call at a time, with the server on the same core (`1`, `process.taking_turns`)
and where the system puts it (`1 apart`), and for 64 (`64`) calls per second and the client's own processor
time for a call. The official client runs on uvloop, ours on trio.
"""

import argparse
import contextlib
import json
import os
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import perf_counter, process_time
from typing import Any

import anyio

from . import wire
from .process import family, percentile, taking_turns

FLIGHTS = {"1": 1, "1 apart": 1, "64": 64}
"""Calls under way at a time, by the names of the results."""
TURNS = "1"
CASE = wire.CASES["add"]

Call = Callable[[], Awaitable[Any]]


@asynccontextmanager
async def ours(url: str, command: list[str], era: str) -> AsyncIterator[Call]:
    from erlmcp_py.client import Client

    mode: Any = era
    client = Client(url, mode=mode) if url else Client.stdio(*command, mode=mode)
    async with client:
        yield lambda: client.call_tool(CASE.tool, CASE.arguments)


@asynccontextmanager
async def official(url: str, command: list[str], era: str) -> AsyncIterator[Call]:
    from mcp import StdioServerParameters, stdio_client
    from mcp.client.client import Client

    target: Any = url
    if command:
        program, *arguments = command
        target = stdio_client(
            StdioServerParameters(command=program, args=arguments, env=dict(os.environ))
        )
    async with Client(target, mode=wire.MODERN if era == "modern" else "legacy") as client:
        yield lambda: client.call_tool(CASE.tool, CASE.arguments)


CLIENTS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "ours": (ours, "trio", {}),
    "official": (official, "asyncio", {"use_uvloop": True}),
}


class Load:
    def __init__(self, call: Call) -> None:
        self.call = call
        self.latencies: list[float] = []
        self.errors = 0
        self.first_error = ""

    async def run(self, seconds: float, flight: int) -> dict[str, Any]:
        """`flight` callers, each with one call after the other, for `seconds`."""
        self.latencies, self.errors, self.first_error = [], 0, ""
        began, spent = perf_counter(), process_time()
        async with anyio.create_task_group() as group:
            for _ in range(flight):
                group.start_soon(self.caller, began + seconds)
        took, spent = perf_counter() - began, process_time() - spent
        done = len(self.latencies)
        latencies = sorted(self.latencies)
        return {
            "requests": done,
            "errors": self.errors,
            "first_error": self.first_error,
            "per_second": done / took,
            "cpu_us": spent / done * 1e6,
            "p50_ms": percentile(latencies, 0.50) * 1e3,
            "p99_ms": percentile(latencies, 0.99) * 1e3,
        }

    async def caller(self, end: float) -> None:
        now = perf_counter()
        while now < end:
            result = await self.call()
            if [part.text for part in result.content] != [CASE.answer] or result.is_error:
                self.errors += 1
                self.first_error = self.first_error or repr(result)[:200]
            began, now = now, perf_counter()
            self.latencies.append(now - began)


async def _load(client: Any, options: argparse.Namespace) -> dict[str, Any]:
    results = {}
    async with client(options.url, options.command, options.era) as call:
        load = Load(call)
        server = options.pid or family(os.getpid())[1]
        for name, flight in FLIGHTS.items():
            with taking_turns(server) if name == TURNS else contextlib.nullcontext():
                await load.run(options.warm_up, flight)
                results[name] = await load.run(options.seconds, flight)
    return results


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--client", choices=CLIENTS, required=True)
    parser.add_argument("--era", choices=("modern", "legacy"), required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm-up", type=float, required=True)
    parser.add_argument("--url", default="")
    parser.add_argument("--pid", type=int, default=0)
    parser.add_argument("command", nargs="*")
    options = parser.parse_args()
    if bool(options.url) == bool(options.command):
        parser.error(f"a URL or a command, not {options.url!r} and {shlex.join(options.command)!r}")
    client, backend, settings = CLIENTS[options.client]
    print(json.dumps(anyio.run(_load, client, options, backend=backend, backend_options=settings)))


if __name__ == "__main__":
    main()
