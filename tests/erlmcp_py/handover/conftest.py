"""Real nodes that follow one another, and clients that never stop asking."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.programs import Program

SERVER = """
import os
import trio
from erlmcp_py.server import Server

server = Server("where", version="1")


@server.tool()
def who() -> str:
    "The process that answers."
    return str(os.getpid())


@server.tool(timeout=3600)
async def later(word: str) -> str:
    "Work until the word is given: a file of this name."
    while not os.path.exists(word):
        await trio.sleep(0.02)
    return str(os.getpid())
"""
VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def message(tool: str, arguments: dict[str, Any], id: int = 1) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments, "_meta": META}
    return {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}


def headers(tool: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": VERSION,
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
    }


def call(port: int, tool: str = "who", timeout: float = 30, **arguments: Any) -> Any:
    """The JSON-RPC answer to one call, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        return ask(connection, tool, **arguments)
    finally:
        connection.close()


def ask(connection: http.client.HTTPConnection, tool: str = "who", **arguments: Any) -> Any:
    connection.request("POST", "/mcp", json.dumps(message(tool, arguments)), headers(tool))
    answer = connection.getresponse()
    body = answer.read()
    if answer.headers["Content-Type"] == "text/event-stream":
        body = [line for line in body.splitlines() if line.startswith(b"data: {")][-1][6:]
    return json.loads(body)


def text(answer: Any) -> str:
    return str(answer["result"]["content"][0]["text"])


class Waiting:
    """A call that is at work until `release`, made beside. word: where that is said."""

    def __init__(self, node: Program, word: Path) -> None:
        self.answer: Any = None
        self._word = word
        self._thread = threading.Thread(target=self._work, args=(node.port,))
        self._thread.start()

    def _work(self, port: int) -> None:
        try:
            self.answer = call(port, "later", timeout=90, word=str(self._word))
        except OSError as error:
            self.answer = error

    def release(self) -> None:
        """Let it end, and all others that wait for the same word."""
        self._word.touch()

    def result(self) -> Any:
        """Its answer, or what became of the connection."""
        self._thread.join(90)
        assert not self._thread.is_alive(), "the call was never answered"
        return self.answer


def begun(program: Any, node: Program) -> None:
    """Wait until the call is at work."""
    while True:
        status = json.loads(program("state", "server_where", "--json").finish()[1])
        if '"in_flight": 1' in json.dumps(status):
            return
        assert node.process.poll() is None


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Any]:
    """``program(*words, **env)``: `erlmcp-node` with these; stopped in the end."""
    (tmp_path / "serving.py").write_text(SERVER)
    with ExitStack() as programs:

        def start(*words: str, **env: str) -> Program:
            return programs.enter_context(closing(Program(tmp_path, *words, **env)))

        yield start


class Crowd:
    """Clients that ask without a pause, until told to stop; what went wrong is kept."""

    def __init__(self, port: int, kept: int = 3, fresh: int = 3) -> None:
        self.port = port
        self.wrong: list[str] = []
        self.answered: dict[str, int] = {}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=work)
            for work in [self._keep] * kept + [self._come_and_go] * fresh
        ]

    def __enter__(self) -> Crowd:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def served_by(self, pid: int) -> None:
        """Wait until a node has answered somebody."""
        end = time.monotonic() + 30
        while str(pid) not in self.answered:
            assert time.monotonic() < end, f"{pid} answered nobody: {self.answered}, {self.wrong}"
            time.sleep(0.01)

    def _keep(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self._stop.is_set():
            self._ask(connection)
        connection.close()

    def _come_and_go(self) -> None:
        while not self._stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            self._ask(connection)
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        try:
            pid = text(ask(connection))
        except Exception as error:
            self.wrong.append(repr(error))
            connection.close()
        else:
            with self._lock:
                self.answered[pid] = self.answered.get(pid, 0) + 1
