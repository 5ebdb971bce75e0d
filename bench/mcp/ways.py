"""The rows of other ways to call: 4 KB payloads, event streams, a connection for each request, TLS, TCP
and WebSocket.
"""

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..series import Goal, Measured
from . import certificate, loads, node_ways
from .beside import Beside, Figure
from .goals import FAST
from .servers import OURS, PEERS, SDK, TYPESCRIPT, free_port, peers, running, typescript

ROUNDS = 3
ERA = "modern"
CONNECTIONS = 10
TLS_PEERS = (SDK.name, TYPESCRIPT)
SOCKET = "/mcp/bench/ws"


PUBLISHED = {"": (Goal("ours", 43_000.0, FAST),)}
"""Messages per second."""


def _figures(key: str, title: str) -> tuple[Figure, ...]:
    return (
        Figure(f"{key}.rate", "ways rate", title, "/s", "more", "per_second"),
        Figure(f"{key}.cpu", "ways cpu", title, "µs", "less", "cpu_us"),
    )


def _messages(
    key: str, title: str, goals: Mapping[str, tuple[Goal, ...]] = PUBLISHED
) -> tuple[Figure, ...]:
    """With the messages of both directions, on a channel of messages."""
    both = f"{title}: messages, both directions"
    count = Figure(f"{key}.messages", "ways rate", both, "/s", "more", "messages_per_second", goals)
    return (*_figures(key, title), count)


def _tables() -> dict[str, Beside]:
    where = f"{CONNECTIONS} connections"
    channel = f"4 KB, {loads.CHANNELS} connections, {loads.CHANNEL_WINDOW} in flight on each"
    return {
        "payload": Beside(_figures("http.4k", f"HTTP, 4 KB there and back, {where}"), PEERS),
        "fresh": Beside(_figures("http.fresh", f"HTTP, a connection per call, {where}"), PEERS),
        "stream": Beside(_figures("http.sse", f"HTTP, answers as event streams, {where}"), PEERS),
        "tls": Beside(_figures("http.tls", f"HTTP over TLS, {where}"), TLS_PEERS),
        "newline": Beside(_messages("tcp.lines", f"TCP, lines, {channel}"), ()),
        "length": Beside(_messages("tcp.lengths", f"TCP, lengths, {channel}"), ()),
        "websocket": Beside(_messages("websocket", f"WebSocket, {channel}", {}), ()),
    }


def ways(say: Callable[[str], None], rounds: int = ROUNDS) -> list[Measured]:
    """Fresh servers every round, and for each way that a server is started for."""
    tables = _tables()
    with tempfile.TemporaryDirectory(prefix="erlmcp-bench-") as directory:
        files = certificate.write(Path(directory))
        for round in range(rounds):
            say(f"ways: round {round + 1} of {rounds}")
            _plain(tables)
            _streams(tables["stream"])
            _tls(tables["tls"], files)
            for framing in node_ways.TCP:
                _tcp(tables[framing], framing)
            _websocket(tables["websocket"])
    return [line for table in tables.values() for line in table.lines()]


def _add(table: Beside, results: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    ours, *theirs = results
    table.add(ours, dict(zip(names, theirs, strict=True)))


def _plain(tables: dict[str, Beside]) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(running(peer)) for peer in (OURS, *peers())]
        for server in servers:
            loads.http(server, ERA, CONNECTIONS)
        payload = [loads.http(server, ERA, CONNECTIONS, case="echo") for server in servers]
        _add(tables["payload"], payload, PEERS)
        fresh = [loads.http(server, ERA, CONNECTIONS, "--fresh") for server in servers]
        _add(tables["fresh"], fresh, PEERS)


def _streams(table: Beside) -> None:
    results = []
    for peer in (OURS, *peers()):
        with running(peer, {"BENCH_STREAM": "1"}) as server:
            results.append(loads.http(server, ERA, CONNECTIONS, case="report"))
    _add(table, results, PEERS)


def _tls(table: Beside, files: tuple[Path, Path]) -> None:
    lacking = node_ways.TLS.lacking()
    if lacking:
        table.absent(lacking)
        return
    names = dict(zip(("certificate", "key"), map(str, files), strict=True))
    settings = {name: value.format(**names) for name, value in node_ways.TLS.env.items()}
    results = []
    for peer in (OURS, SDK, typescript()):
        # The peers take the files as arguments.
        words, env = ((), settings) if peer is OURS else (tuple(names.values()), {})
        secure = dataclasses.replace(peer, http=(*peer.http, *words))
        with running(secure, env, tls=True) as server:
            results.append(loads.http(server, ERA, CONNECTIONS, "--tls"))
    _add(table, results, TLS_PEERS)


def _tcp(table: Beside, framing: str) -> None:
    way = node_ways.TCP[framing]
    lacking = way.lacking()
    if lacking:
        table.absent(lacking)
        return
    port = free_port()
    settings = {name: value.format(port=port) for name, value in way.env.items()}
    with running(OURS, settings) as server:
        table.add(loads.framed(server, port, framing, ERA))


def _websocket(table: Beside) -> None:
    with running(OURS) as server:
        lacking = node_ways.lacks_websocket(server.port, SOCKET)
        if lacking:
            table.absent(lacking)
            return
        table.add(loads.framed(server, server.port, "websocket", ERA, SOCKET))
