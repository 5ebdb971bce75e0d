"""Start the two measured servers, and know when they are ready."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep

from ..worker import ROOT, WorkerError, environment

READY_WITHIN = 20.0
"""Seconds a server gets to answer its first request."""


@dataclass(frozen=True, slots=True)
class Peer:
    """How to start one side over HTTP and over stdio, and where it answers."""

    name: str
    http: tuple[str, ...]
    stdio: tuple[str, ...]
    path: str
    ready_path: str
    ready_below: int


@dataclass(frozen=True, slots=True)
class Running:
    peer: Peer
    pid: int
    port: int
    ready_seconds: float


def _node() -> str:
    return str(Path(sys.executable).with_name("erlmcp-node"))


def ours(*servers: str) -> Peer:
    """The node: with the measured server, or as it comes (the three examples)."""
    options = [word for server in servers for word in ("--server", server)]
    run = (_node(), "run")
    return Peer(
        name="erlmcp-node",
        http=(*run, *options, "--name", f"bench-{os.getpid()}", "--http", "127.0.0.1:{port}"),
        stdio=(*run, *options, "--stdio"),
        path="/mcp",
        ready_path="/ready",
        ready_below=300,
    )


OURS = ours("bench.mcp.ours:server")
AS_IT_COMES = ours()
SDK = Peer(
    name="official Python SDK",
    http=(sys.executable, "-m", "bench.mcp.sdk", "{port}"),
    stdio=(sys.executable, "-m", "bench.mcp.sdk", "stdio"),
    path="/mcp",
    ready_path="/mcp",
    ready_below=500,
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _status(port: int, path: str) -> int | None:
    """The status of one GET; None while nobody listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
                "Accept: */*\r\n\r\n".encode()
            )
            answer = connection.recv(4096)
    except OSError:
        return None
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else None


@contextlib.contextmanager
def running(peer: Peer) -> Iterator[Running]:
    """The peer's HTTP server as a process of its own; ended when the block is left."""
    port = free_port()
    command = [word.format(port=port) for word in peer.http]
    start = perf_counter()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as server:
        try:
            while True:
                status = _status(port, peer.ready_path)
                if status is not None and status < peer.ready_below:
                    break
                if server.poll() is not None:
                    assert server.stderr is not None
                    tail = server.stderr.read().decode(errors="replace")[-600:]
                    raise WorkerError(f"`{' '.join(command)}` ended at once:\n{tail}")
                if perf_counter() - start > READY_WITHIN:
                    raise WorkerError(
                        f"{peer.name} was not ready after {READY_WITHIN:.0f} s: "
                        f"GET {peer.ready_path} answers {status}"
                    )
                sleep(0.005)
            yield Running(peer, server.pid, port, perf_counter() - start)
        finally:
            server.terminate()
            try:
                server.wait(timeout=5)
            except subprocess.TimeoutExpired:
                server.kill()
