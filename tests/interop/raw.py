"""A client made of the standard library alone: says exactly what a test wants said."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import Any

LEGACY = "2025-11-25"
MODERN = "2026-07-28"
ACCEPT = "application/json, text/event-stream"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> Any:
        """The JSON-RPC message, also when it came as the last event of a stream."""
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            events = [line[5:] for line in self.body.splitlines() if line.startswith(b"data:")]
            return json.loads(events[-1])
        return json.loads(self.body)


@dataclass
class Raw:
    """One keep-alive connection to a node; reconnects when the node has closed it."""

    port: int
    server: str = "simple"
    session: str | None = None
    sent: int = field(default=0)
    connection: http.client.HTTPConnection | None = None

    def request(
        self,
        method: str = "POST",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        path: str | None = None,
    ) -> Answer:
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            self.connection.request(
                method, path or f"/mcp/{self.server}", body=body, headers=headers or {}
            )
            response = self.connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if response.will_close:
            self.close()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, data)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the two eras -----------------------------------------------------------------

    def modern(self, method: str, params: dict[str, Any] | None = None) -> Answer:
        self.sent += 1
        params = {
            **(params or {}),
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
            },
        }
        headers = {
            "Content-Type": "application/json",
            "Accept": ACCEPT,
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": method,
        }
        name = params.get("name", params.get("uri"))
        if name is not None:
            headers["Mcp-Name"] = name
        message = {"jsonrpc": "2.0", "id": self.sent, "method": method, "params": params}
        return self.request(body=json.dumps(message).encode(), headers=headers)

    def legacy(self, method: str, params: dict[str, Any] | None = None, *, id: Any = 1) -> Answer:
        self.sent += 1
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        if id is not None:
            message["id"] = self.sent
        headers = {"Content-Type": "application/json", "Accept": ACCEPT}
        if self.session is not None:
            headers |= {"Mcp-Session-Id": self.session, "MCP-Protocol-Version": LEGACY}
        return self.request(body=json.dumps(message).encode(), headers=headers)

    def initialize(self) -> None:
        answer = self.legacy(
            "initialize",
            {
                "protocolVersion": LEGACY,
                "capabilities": {},
                "clientInfo": {"name": "raw", "version": "1"},
            },
        )
        assert answer.status == 200, answer
        assert answer.message["result"]["protocolVersion"] == LEGACY
        self.session = answer.headers["mcp-session-id"]
        assert self.legacy("notifications/initialized", id=None).status == 202

    def echo(self, era: str, text: str = "hi") -> Answer:
        params = {"name": "echo", "arguments": {"text": text}}
        return (
            self.modern("tools/call", params)
            if era == "modern"
            else self.legacy("tools/call", params)
        )
