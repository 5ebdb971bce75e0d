"""HTTP servers that answer as a test says, programs that misbehave on their pipes, calls that are given up."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from erlmcp_py.client import Client

DISCOVERED = {
    "resultType": "complete",
    "supportedVersions": ["2026-07-28"],
    "capabilities": {"tools": {}},
    "ttlMs": 0,
    "cacheScope": "private",
}


class Asked:
    """One request: the line, the headers in lower case, the message in the body (None: no body)."""

    def __init__(self, line: str, headers: dict[str, str], body: bytes) -> None:
        self.verb, self.target, _ = line.split(" ")
        self.headers = headers
        self.message: Any = json.loads(body) if body else None

    @property
    def method(self) -> str | None:
        return None if self.message is None else self.message.get("method")


def json_answer(message: Any, status: str = "200 OK", headers: str = "") -> bytes:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def result(asked: Asked, value: Any, headers: str = "") -> bytes:
    return json_answer(
        {"jsonrpc": "2.0", "id": asked.message["id"], "result": value}, headers=headers
    )


def error(asked: Asked, code: int, status: str = "200 OK", data: Any = None) -> bytes:
    problem = {"code": code, "message": "no"} | ({} if data is None else {"data": data})
    answer = {"jsonrpc": "2.0", "id": asked.message["id"], "error": problem}
    return json_answer(answer, status)


def stream(*events: bytes, end: bool = True) -> bytes:
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in events)
    return head + chunks + (b"0\r\n\r\n" if end else b"")


def event(message: Any, id: str = "") -> bytes:
    return (
        (f"id: {id}\n" if id else "").encode() + b"data: " + json.dumps(message).encode() + b"\n\n"
    )


Behaviour = Callable[[Asked], bytes | Awaitable[bytes | None] | None]
"""The bytes of the response; None closes the connection without one."""


@asynccontextmanager
async def http_server(behaviour: Behaviour) -> AsyncIterator[tuple[str, list[Asked]]]:
    """Serve; yields the URL and what was asked."""
    seen: list[Asked] = []

    async def serve(client: trio.SocketStream) -> None:
        buffer = b""
        async with client:
            while True:
                while b"\r\n\r\n" not in buffer:
                    data = await client.receive_some()
                    if not data:
                        return
                    buffer += data
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                line, *rest = head.decode("latin-1").split("\r\n")
                pairs = (one.split(": ", 1) for one in rest)
                headers = {name.lower(): value for name, value in pairs}
                length = int(headers.get("content-length", "0"))
                while len(buffer) < length:
                    buffer += await client.receive_some()
                asked = Asked(line, headers, buffer[:length])
                buffer = buffer[length:]
                seen.append(asked)
                answer: Any = behaviour(asked)
                if answer is not None and not isinstance(answer, bytes):
                    answer = await answer
                if answer is None:
                    return
                await client.send_all(answer)
                if b"Connection: close" in answer:
                    return

    async def guarded(client: trio.SocketStream) -> None:
        try:
            await serve(client)
        except (trio.BrokenResourceError, ConnectionError):
            return  # the client has had enough

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, guarded, 0)
        port = listeners[0].socket.getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp", seen
        nursery.cancel_scope.cancel()


PROLOGUE = """
import json, sys, time, os
def say(message):
    sys.stdout.write((message if isinstance(message, str) else json.dumps(message)) + "\\n")
    sys.stdout.flush()
def answer(asked, result):
    say({"jsonrpc": "2.0", "id": asked["id"], "result": result})
def refuse(asked, code):
    say({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": code, "message": "no"}})
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "p", "version": "1"}}
DISCOVERED = {"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {}, "ttlMs": 0, "cacheScope": "private"}
"""


def program(code: str, **options: Any) -> Client:
    """A client of a program in a few lines: ``for asked in messages: …`` is the reader's own."""
    loop = textwrap.dedent(code)
    return Client.stdio(sys.executable, "-c", PROLOGUE + loop, **options)


async def cancelled_after(steps: int, client: Client, tool: str) -> None:
    """A call that is given up after so many turns, and of which the client knows nothing then."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call_tool, tool)
        for _ in range(steps):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert client.status().in_flight == 0
