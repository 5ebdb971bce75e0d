"""Run a load generator against a server, and hand back what it measured."""

import sys
from typing import Any

from ..worker import measure
from .beside import checked
from .servers import Peer, Running

SECONDS = 1.2
WARM_UP = 0.3
CLIENT_SECONDS = 0.8
WINDOW = 64
"""Requests in flight over stdio."""
CHANNELS, CHANNEL_WINDOW = 10, 16
"""Connections of TCP and WebSocket, and requests in flight on each."""
TURNS = "--turns"
"""The option of a load that takes turns with its server on one core (`process.taking_turns`)."""


def _server(server: Running) -> list[str]:
    return ["--port", str(server.port), "--pid", str(server.pid)]


def _for(seconds: float) -> list[str]:
    return ["--seconds", str(seconds), "--warm-up", str(WARM_UP)]


def http(
    server: Running,
    era: str,
    connections: int,
    *more: str,
    case: str = "add",
    seconds: float = SECONDS,
) -> dict[str, Any]:
    """more: further options of `http_load`."""
    command = [sys.executable, "-m", "bench.mcp.http_load", *_server(server), *_for(seconds)]
    command += ["--path", server.peer.path, "--connections", str(connections), "--era", era]
    command += ["--case", case, *more]
    name = f"{server.peer.name} over HTTP, {era}, {connections} connections"
    return checked(measure(command, timeout=seconds + 110), name)


def idle(server: Running, connections: int, calls: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.mcp.idle_load", *_server(server)]
    command += ["--path", server.peer.path, "--connections", str(connections)]
    return measure([*command, "--calls", str(calls)])


def framed(
    server: Running, port: int, framing: str, era: str, path: str | None = None
) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.mcp.framed_load", "--framing", framing]
    command += ["--port", str(port), "--pid", str(server.pid), *_for(SECONDS), "--era", era]
    command += ["--connections", str(CHANNELS), "--window", str(CHANNEL_WINDOW)]
    command += [] if path is None else ["--path", path]
    return checked(measure(command), f"{server.peer.name} by {framing}")


def stdio(peer: Peer, era: str, case: str = "add") -> dict[str, Any]:
    """Starts the server itself."""
    command = [sys.executable, "-m", "bench.mcp.stdio_load", "--era", era, *_for(SECONDS)]
    command += ["--window", str(WINDOW), "--case", case, "--", *peer.stdio]
    return checked(measure(command, env=peer.environment()), f"{peer.name} over stdio, {era}")


def client(name: str, server: Running, transport: str, era: str) -> dict[str, Any]:
    """Somebody's client, by the number of calls in flight. transport: "http", of this server, or "stdio",
    for which the client starts a server itself: one that takes no time, so that the client is measured.
    """
    peer = server.peer
    command = [sys.executable, "-W", "ignore", "-m", "bench.mcp.client_load", "--client", name]
    command += ["--era", era, *_for(CLIENT_SECONDS)]
    if transport == "http":
        command += ["--url", f"http://127.0.0.1:{server.port}{peer.path}", "--pid", str(server.pid)]
    else:
        command += ["--", sys.executable, "-m", "bench.mcp.fast"]
    results = measure(command, env=peer.environment())
    return {
        flight: checked(result, f"the client {name} over {transport}, {era}")
        for flight, result in results.items()
    }
