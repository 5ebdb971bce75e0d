"""The bytes of the load: one `tools/call`, the same for every peer, in both eras.

Every request gets a fresh id of constant length, so bodies have a constant length too and
making one costs a single `bytes` formatting.
"""

import json
from dataclasses import dataclass

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
FIRST_ID = 1_000_000
_HOLE = 7_777_777
TEXT = "All work and no play makes a server fast, says whoever measures.".ljust(64, ".") * 64
"""4,096 bytes that mean the same in JSON."""


@dataclass(frozen=True, slots=True)
class Case:
    """A call and its right answer. progress: asks for progress notifications."""

    tool: str
    arguments: dict[str, object]
    answer: str
    progress: bool = False

    @property
    def needle(self) -> bytes:
        """What the bytes of every right answer hold."""
        return json.dumps(self.answer).encode()


_SUM: dict[str, object] = {"a": 19, "b": 23}
CASES = {
    "add": Case("add", _SUM, "42"),
    "echo": Case("echo", {"text": TEXT}, TEXT),
    "report": Case("report", _SUM, "42", progress=True),
    "spin": Case("spin", _SUM, "42"),
    "through": Case("fast_add", _SUM, "42"),
}


def _message(method: str, params: dict[str, object], id: int = _HOLE) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def _meta() -> dict[str, object]:
    return {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1.0.0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }


def template(era: str, case: Case = CASES["add"]) -> bytes:
    """The call as a %-template whose one hole takes the id."""
    params: dict[str, object] = {"name": case.tool, "arguments": case.arguments}
    meta = _meta() if era == "modern" else {}
    if case.progress:
        meta["progressToken"] = "told"
    if meta:
        params["_meta"] = meta
    body = json.dumps(_message("tools/call", params), separators=(",", ":")).encode()
    assert b"%" not in body
    return body.replace(str(_HOLE).encode(), b"%d")


def initialize() -> bytes:
    """The first request of a session in the old era."""
    params: dict[str, object] = {
        "protocolVersion": LEGACY,
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1.0.0"},
    }
    return json.dumps(_message("initialize", params, 1), separators=(",", ":")).encode()


def initialized() -> bytes:
    return b'{"jsonrpc":"2.0","method":"notifications/initialized"}'


def head(
    path: str, host: str, era: str, length: int, session: str | None = None, tool: str | None = None
) -> bytes:
    """The head of a POST with a body of `length` bytes. tool: None for the handshake."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"Content-Length: {length}",
    ]
    if era == "modern":
        lines += [f"MCP-Protocol-Version: {MODERN}", "Mcp-Method: tools/call", f"Mcp-Name: {tool}"]
    elif tool is not None or session is not None:
        lines.append(f"MCP-Protocol-Version: {LEGACY}")
    if session is not None:
        lines.append(f"Mcp-Session-Id: {session}")
    return "\r\n".join([*lines, "", ""]).encode()


def messages(body: bytes) -> list[bytes]:
    """The JSON-RPC messages of a body: itself, or the data of its events."""
    if not body.startswith((b"event:", b"data:", b"id:", b":", b"retry:")):
        return [body]
    lines = body.replace(b"\r\n", b"\n").split(b"\n")
    return [data for line in lines if line.startswith(b"data:") and (data := line[5:].strip())]


def is_right(body: bytes, id: int, case: Case = CASES["add"]) -> bool:
    """Whether `body` answers request `id`; the thorough check, for the first answer."""
    *told, last = (json.loads(message) for message in messages(body))
    result = last.get("result", {})
    return (
        last.get("id") == id
        and not result.get("isError", False)
        and [part.get("text") for part in result.get("content", [])] == [case.answer]
        and (not case.progress or [one["method"] for one in told] == ["notifications/progress"])
    )


def looks_right(body: bytes, needle: bytes = CASES["add"].needle) -> bool:
    """The cheap check, for every answer: a result that holds the answer and says no error."""
    return needle in body and b'"error"' not in body and b'"isError":true' not in body
