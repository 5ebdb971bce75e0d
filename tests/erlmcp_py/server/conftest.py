"""A server process on the real kernel, spoken to in JSON; every answer is checked by its schema."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

import supervisors
from erlmcp_py.protocol import jsonrpc
from erlmcp_py.protocol.versions import LATEST, era_of
from erlmcp_py.server import Server
from erlmcp_py.server.process import Dispatch, ServerProcess
from erlmcp_py.server.scope import Scope
from tests import schema_gate


@dataclass
class Peer:
    """A client of one server process, in one revision."""

    pid: supervisors.Pid
    version: str = LATEST
    log_level: Any = None
    notifications: list[dict[str, Any]] = field(default_factory=list)
    reports: list[supervisors.Report] = field(default_factory=list)

    def scope(self, id: int | str = 1) -> Scope:
        return Scope(
            era=era_of(self.version),
            version=self.version,
            key=(self.pid, id),
            notify=self._notified,
            log_level=self.log_level,
        )

    def dispatch(
        self, method: str, params: Any = None, *, id: int | str = 1, token: Any = None
    ) -> Dispatch:
        """The message a transport would send for this request."""
        body = dict(params or {})
        if token is not None:
            body["_meta"] = {"progressToken": token}
        line = msgspec.json.encode({"jsonrpc": "2.0", "id": id, "method": method, "params": body})
        request = jsonrpc.decode(line)
        assert isinstance(request, jsonrpc.Request)
        return Dispatch(request, self.scope(id))

    async def answer(self, method: str, params: Any = None, **options: Any) -> dict[str, Any]:
        """The whole response object."""
        response = await supervisors.call(
            self.pid, self.dispatch(method, params, **options), timeout=math.inf
        )
        value: dict[str, Any] = json.loads(jsonrpc.encode(response))
        version = value.get("result", {}).get("protocolVersion", self.version)
        assert schema_gate.of_response(method, version, value) == []
        return value

    async def result(self, method: str, params: Any = None, **options: Any) -> dict[str, Any]:
        value = await self.answer(method, params, **options)
        assert "result" in value, value
        return value["result"]

    async def error(self, method: str, params: Any = None, **options: Any) -> dict[str, Any]:
        value = await self.answer(method, params, **options)
        assert "error" in value, value
        return value["error"]

    async def tool(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        return await self.result("tools/call", {"name": name, "arguments": arguments})

    async def failure(self, name: str, /, **arguments: Any) -> str:
        """The text of a tool call that must fail."""
        result = await self.tool(name, **arguments)
        assert result.get("isError") is True, result
        (block,) = result["content"]
        return block["text"]

    async def info(self) -> dict[str, Any]:
        return await supervisors.call(self.pid, ("info",))

    def _notified(self, notification: jsonrpc.Notification) -> None:
        value = json.loads(jsonrpc.encode(notification))
        assert schema_gate.of_call(self.version, value) == []
        self.notifications.append(value)


Connect = Callable[..., Awaitable[Peer]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """`await connect(server, version)` starts the server and gives a client of it."""
    async with supervisors.Runtime() as runtime:

        async def start(server: Server, version: str = LATEST, log_level: Any = None) -> Peer:
            peer = Peer(await ServerProcess.start(server, server.name), version, log_level)
            runtime.subscribe(peer.reports.append)
            return peer

        yield start
