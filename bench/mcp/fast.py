"""The fastest upstream there can be in Python: the tool `add` over standard input and output, one read, one
pass, one write for all that has come. 2026-07-28 and 2025-11-25.

Run as a program, so that what is measured beside it is the gateway.
"""

import os
from typing import Any

import msgspec

_LISTED = {"ttlMs": 0, "cacheScope": "private"}
_CAPABILITIES = {"tools": {}}
_SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
}
_RESULTS: dict[str, dict[str, Any]] = {
    "tools/list": {"tools": [{"name": "add", "inputSchema": _SCHEMA}], **_LISTED},
    "server/discover": {
        "supportedVersions": ["2026-07-28"],
        "capabilities": _CAPABILITIES,
        **_LISTED,
    },
    "initialize": {
        "protocolVersion": "2025-11-25",
        "capabilities": _CAPABILITIES,
        "serverInfo": {"name": "fast", "version": "1"},
    },
    "ping": {},
}


class _Asked(msgspec.Struct):
    method: str
    id: int | None = None
    params: dict[str, Any] = {}


_decode = msgspec.json.Decoder(_Asked).decode
_encode = msgspec.json.Encoder().encode


def answer(line: bytes) -> bytes:
    """The line that answers; empty to a notification."""
    asked = _decode(line)
    if asked.id is None:
        return b""
    if asked.method == "tools/call":
        given = asked.params["arguments"]
        result: Any = {"content": [{"type": "text", "text": str(given["a"] + given["b"])}]}
    elif asked.method in _RESULTS:
        result = _RESULTS[asked.method]
    else:
        error = {"code": -32601, "message": f"Method not found: {asked.method}"}
        return _encode({"jsonrpc": "2.0", "id": asked.id, "error": error}) + b"\n"
    result = {"resultType": "complete", **result}
    return _encode({"jsonrpc": "2.0", "id": asked.id, "result": result}) + b"\n"


def main() -> None:
    rest = b""
    while data := os.read(0, 1 << 16):
        *lines, rest = (rest + data).split(b"\n")
        answers = memoryview(b"".join(map(answer, lines)))
        while answers:
            answers = answers[os.write(1, answers) :]


if __name__ == "__main__":
    main()
