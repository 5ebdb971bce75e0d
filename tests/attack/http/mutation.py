"""Requests that were good, damaged at random; the same ones again from the same seed."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from typing import Final

from tests.erlmcp_py.transports.http.client import (
    ACCEPT,
    LEGACY,
    http,
    initialize,
    legacy_call,
    meta,
    modern_call,
)

_CHUNKED: Final = (
    b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: "
    + ACCEPT.encode()
    + b"\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
_PIECES: Final = (
    b"\r\n", b"\r", b"\n", b"\0", b" ", b"\t", b":", b",", b";", b"\r\n\r\n", b"\r\n ", b"\xff", b"%00", b"%2f",
    b"/../", b"//", b"#", b"?", b"0\r\n\r\n", b"1\r\nx\r\n", b"ffffffffffffffff\r\n", b"-1", b"+", b"0x", b"_",
    b"GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n", b"Content-Length: 0\r\n", b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding : chunked\r\n",
    b"Connection: close\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Expect: 100-continue\r\n",
    b"Host: evil.example\r\n", b"X: " + b"y" * 3000 + b"\r\n", b"X: y\r\n" * 60, b"HTTP/1.0", b"HTTP/2.0",
    b"{", b'"', b"[" * 300, b"Mcp-Session-Id: x\r\n", b"Origin: http://evil.example\r\n",
)  # fmt: skip


def call(rng: random.Random, text: str) -> bytes:
    """A modern call of `echo`."""
    request = modern_call("echo", rng.randrange(1000), text=text)
    return http("POST", request["path"], request["body"], request["headers"])


def chunked_call(rng: random.Random, text: str) -> bytes:
    """The same in chunks, perhaps with extensions and trailers."""
    params = {"name": "echo", "arguments": {"text": text}, "_meta": meta()}
    body = {"jsonrpc": "2.0", "id": rng.randrange(1000), "method": "tools/call", "params": params}
    return _CHUNKED + chunks(rng, json.dumps(body).encode())


def chunks(rng: random.Random, body: bytes) -> bytes:
    """A body, cut anywhere."""
    wire = []
    at = 0
    while at < len(body):
        piece = body[at : at + rng.choice([1, 2, 7, 50, 1000])]
        at += len(piece)
        extension = rng.choice([b"", b"", b"", b";a", b";a=b", b';a="b;c"'])
        size = rng.choice([b"%x", b"%X", b"%04x"]) % len(piece)
        wire.append(size + extension + b"\r\n" + piece + b"\r\n")
    return b"".join([*wire, b"0\r\n", rng.choice([b"", b"", b"X-Late: y\r\n"]), b"\r\n"])


def _seeds(session: str) -> list[Callable[[random.Random], bytes]]:
    legacy = {"Mcp-Session-Id": session, "MCP-Protocol-Version": LEGACY}
    old = {"Connection": "keep-alive"}
    echo = modern_call("echo", 1, text="a")
    return [
        lambda rng: call(rng, "a"),
        lambda rng: call(rng, "a"),
        lambda rng: chunked_call(rng, "b" * rng.randrange(300)),
        lambda rng: chunked_call(rng, "c"),
        lambda rng: http("POST", "/mcp", legacy_call("echo", rng.randrange(1000), text="a"), legacy),
        lambda rng: http("POST", "/mcp", legacy_call("later", rng.randrange(1000), text="a"), legacy),
        lambda rng: http("POST", "/mcp", {"jsonrpc": "2.0", "method": "notifications/x"}, legacy),
        lambda rng: http("POST", "/mcp/probe", initialize()),
        lambda rng: http("DELETE", "/mcp", b"", {"Mcp-Session-Id": "nobody"}),
        lambda rng: http("GET", "/mcp", b"", {"Mcp-Session-Id": "nobody"}),
        lambda rng: http("GET", "/mcp", b"", legacy),
        lambda rng: http("OPTIONS", "*"),
        lambda rng: http("HEAD", "/health"),
        lambda rng: http("GET", "http://localhost/health?x=1"),
        lambda rng: http("POST", "/mcp", echo["body"], {**echo["headers"], "Expect": "100-continue"}),
        lambda rng: http("POST", "/mcp", echo["body"], {**echo["headers"], "Connection": "Upgrade", "Upgrade": "h2c"}),
        lambda rng: http("POST", "/mcp", echo["body"], echo["headers"] | old).replace(b"HTTP/1.1", b"HTTP/1.0"),
    ]  # fmt: skip


def _place(rng: random.Random, data: bytes) -> int:
    """Anywhere; as often as not in the head, where more depends on a byte."""
    head = data.find(b"\r\n\r\n")
    return rng.randrange((head if head > 0 and rng.random() < 0.5 else len(data)) + 1)


def _flip(rng: random.Random, data: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + bytes([rng.choice([rng.randrange(256), 0, 10, 13, 32, 58])]) + data[at + 1 :]


def _bit(rng: random.Random, data: bytes) -> bytes:
    at = min(_place(rng, data), len(data) - 1)
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def _cut(rng: random.Random, data: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + data[at + rng.choice([1, 2, 5, 40]) :]


def _end(rng: random.Random, data: bytes) -> bytes:
    return data[: _place(rng, data)]


def _double(rng: random.Random, data: bytes) -> bytes:
    at = _place(rng, data)
    piece = data[at : at + rng.choice([1, 2, 10, 100, 1000])]
    return data[:at] + piece * rng.choice([2, 2, 3, 20]) + data[at + len(piece) :]


def _put(rng: random.Random, data: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + rng.choice(_PIECES) + data[at:]


def _line(rng: random.Random, data: bytes) -> bytes:
    """A line is put in, behind another."""
    lines = data.split(b"\r\n")
    lines.insert(rng.randrange(len(lines)), rng.choice(_PIECES).strip(b"\r\n"))
    return b"\r\n".join(lines)


def _swap(rng: random.Random, data: bytes) -> bytes:
    """Two lines change places, or one is there twice, or not at all."""
    lines = data.split(b"\r\n")
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    how = rng.randrange(3)
    if how == 0:
        lines[first], lines[second] = lines[second], lines[first]
    elif how == 1:
        lines.insert(first, lines[second])
    else:
        del lines[first]
    return b"\r\n".join(lines)


def _case(rng: random.Random, data: bytes) -> bytes:
    at = _place(rng, data)
    end = at + rng.choice([1, 10, 100])
    return data[:at] + data[at:end].swapcase() + data[end:]


def _number(rng: random.Random, data: bytes) -> bytes:
    """The announced length becomes another."""
    head, mark, rest = data.partition(b"Content-Length: ")
    if not mark:
        return _flip(rng, data)
    digits, end, rest = rest.partition(b"\r\n")
    wrong = [
        b"0",
        b"1",
        digits[:-1],
        digits + b"0",
        b"0" + digits,
        b"+" + digits,
        digits + b", " + digits,
    ]
    return head + mark + rng.choice(wrong) + end + rest  # fmt: skip


def _ends(rng: random.Random, data: bytes) -> bytes:
    """One CRLF, or all of them, become something else."""
    other = rng.choice([b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n ", b" \r\n"])
    if rng.random() < 0.2:
        return data.replace(b"\r\n", other)
    at = data.find(b"\r\n", _place(rng, data))
    return data if at < 0 else data[:at] + other + data[at + 2 :]


def _again(rng: random.Random, data: bytes) -> bytes:
    """The body is sent in chunks; nothing is wrong with that."""
    head, mark, body = data.partition(b"\r\n\r\n")
    if not mark or b"Content-Length: " not in head:
        return data
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    lines.append(b"Transfer-Encoding: chunked")
    return b"\r\n".join(lines) + mark + chunks(rng, body)


_WAYS: Final = (
    _flip, _flip, _bit, _bit, _cut, _end, _double, _put, _put, _line, _swap, _case, _number, _ends, _again,
)  # fmt: skip


class Shot:
    """One stream of bytes. pieces: as it is sent; wire: the same in one."""

    def __init__(self, seed: int, number: int, session: str) -> None:
        self.seed = seed
        self.number = number
        rng = random.Random(f"{seed} {number}")
        seeds = _seeds(session)
        data = b"".join(rng.choice(seeds)(rng) for _ in range(rng.choice([1, 1, 1, 2, 3])))
        for _ in range(rng.choice([1, 1, 1, 2, 3, 5])):
            data = rng.choice(_WAYS)(rng, data) if data else data
        self.wire = data
        cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice([0, 0, 0, 1, 3])))
        edges = [0, *cuts, len(data)]
        self.pieces = [data[a:b] for a, b in itertools.pairwise(edges) if a < b]

    def __repr__(self) -> str:
        return f"Shot(seed {self.seed}, number {self.number}):\n{self.wire!r}"
