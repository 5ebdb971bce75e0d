"""The bytes of the load: one `tools/call`, the same for every peer, in both eras.

Every request gets a fresh id of constant length, so bodies have a constant length too and
making one costs a single `bytes` formatting.
"""

import json

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
FIRST_ID = 1_000_000
_HOLE = 7_777_777


def _message(method: str, params: dict[str, object], id: int = _HOLE) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def _meta() -> dict[str, object]:
    return {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1.0.0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }


def template(era: str) -> bytes:
    """The call add(19, 23) as a %-template whose one hole takes the id."""
    params: dict[str, object] = {"name": "add", "arguments": {"a": 19, "b": 23}}
    if era == "modern":
        params["_meta"] = _meta()
    body = json.dumps(_message("tools/call", params), separators=(",", ":")).encode()
    assert b"%" not in body
    return body.replace(str(_HOLE).encode(), b"%d")


def initialize() -> bytes:
    """The first request of a session in the old era."""
    params = {
        "protocolVersion": LEGACY,
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1.0.0"},
    }
    return json.dumps(_message("initialize", params, 1), separators=(",", ":")).encode()


def initialized() -> bytes:
    return b'{"jsonrpc":"2.0","method":"notifications/initialized"}'


def head(path: str, host: str, era: str, length: int, session: str | None) -> bytes:
    """The head of a POST with a body of `length` bytes."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"Content-Length: {length}",
    ]
    if era == "modern":
        lines += [f"MCP-Protocol-Version: {MODERN}", "Mcp-Method: tools/call", "Mcp-Name: add"]
    elif session is not None:
        lines += [f"MCP-Protocol-Version: {LEGACY}", f"Mcp-Session-Id: {session}"]
    elif session is None and length != len(initialize()):
        lines.append(f"MCP-Protocol-Version: {LEGACY}")
    return "\r\n".join([*lines, "", ""]).encode()


def is_right(body: bytes, id: int) -> bool:
    """Whether `body` answers request `id` with 42; the thorough check, for the first answer."""
    answer = json.loads(body)
    result = answer.get("result", {})
    return (
        answer.get("id") == id
        and not result.get("isError", False)
        and [part.get("text") for part in result.get("content", [])] == ["42"]
    )


def looks_right(body: bytes) -> bool:
    """The cheap check, for every answer: a result that holds 42 and says no error."""
    return b'"42"' in body and b'"error"' not in body and b'"isError":true' not in body
