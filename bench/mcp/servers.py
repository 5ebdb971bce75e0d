"""Start the measured servers, and know when they are ready."""

import contextlib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, sleep

from tests.conformance import node as nodejs

from ..worker import ROOT, WorkerError, environment

READY_WITHIN = 20.0
"""Seconds a server gets to answer its first request."""


@dataclass(frozen=True, slots=True)
class Peer:
    """How to start one side over HTTP and over stdio, and where it answers.

    http, stdio: commands; ``{port}`` is filled in. env: added to the environment.
    """

    name: str
    http: tuple[str, ...]
    stdio: tuple[str, ...]
    path: str
    ready_path: str
    ready_below: int
    env: Mapping[str, str] = field(default_factory=dict)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**environment(), **self.env, **(more or {})}


@dataclass(frozen=True, slots=True)
class Running:
    peer: Peer
    pid: int
    port: int
    ready_seconds: float


def _node() -> str:
    return str(Path(sys.executable).with_name("erlmcp-node"))


ROOM = {"ERLMCP__HTTP__CONNECTIONS": "100000", "ERLMCP__HTTP__IDLE_TIMEOUT": "3600"}
"""As many connections as the descriptors allow, and none closed for being idle."""


def ours(*servers: str) -> Peer:
    """The node: with the measured server, or as it comes (the three examples)."""
    options = [word for server in servers for word in ("--server", server)]
    run = (_node(), "run")
    return Peer(
        name="erlmcp-node",
        http=(*run, *options, "--name", "bench-{port}", "--http", "127.0.0.1:{port}"),
        stdio=(*run, *options, "--stdio"),
        path="/mcp",
        ready_path="/ready",
        ready_below=300,
        env=ROOM if servers else {},
    )


def _python(name: str, module: str) -> Peer:
    command = (sys.executable, "-W", "ignore", "-m", f"bench.mcp.rivals.{module}")
    return Peer(name, (*command, "{port}"), (*command, "stdio"), "/mcp", "/mcp", 500)


TYPESCRIPT = "official TypeScript SDK"


def typescript() -> Peer:
    """Installs its packages the first time."""
    nodejs.package("@modelcontextprotocol/server")
    command = (str(nodejs.node()), str(Path(__file__).parent / "rivals" / "typescript.mjs"))
    return Peer(
        TYPESCRIPT,
        (*command, "{port}"),
        (*command, "stdio"),
        "/mcp",
        "/mcp",
        500,
        {"ERLMCP_NODE_HOME": str(nodejs.HOME), "NODE_ENV": "production"},
    )


OURS = ours("bench.mcp.ours:server")
AS_IT_COMES = ours()
SDK = _python("official Python SDK", "official")
FASTMCP = _python("FastMCP", "fast_mcp")
PEERS = (SDK.name, FASTMCP.name, TYPESCRIPT)


def peers() -> tuple[Peer, ...]:
    """Those of `PEERS`, in this order."""
    return SDK, FASTMCP, typescript()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def trusting() -> ssl.SSLContext:
    """TLS to a certificate that was made a moment ago."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _status(port: int, path: str, *, tls: bool) -> int | None:
    """The status of one GET; None while nobody listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as plain:
            connection = trusting().wrap_socket(plain) if tls else plain
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
                "Accept: */*\r\n\r\n".encode()
            )
            answer = connection.recv(4096)
    except OSError:
        return None
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else None


@contextlib.contextmanager
def running(
    peer: Peer, env: Mapping[str, str] | None = None, *, tls: bool = False
) -> Iterator[Running]:
    """The peer's HTTP server as a process of its own; ended when the block is left.

    env: added to its environment. tls: whether it speaks TLS.
    """
    port = free_port()
    command = [word.format(port=port) for word in peer.http]
    start = perf_counter()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=peer.environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as server:
        try:
            while True:
                status = _status(port, peer.ready_path, tls=tls)
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
