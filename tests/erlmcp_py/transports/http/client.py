"""A client that writes raw bytes and reads what comes back with its own few lines."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import trio

from erlmcp_py import registry
from erlmcp_py.protocol.refusals import refusal_of

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
ACCEPT = "application/json, text/event-stream"


class Answer:
    """One response: status, headers in lower case, body as it was framed."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The data of an event stream, decoded; comments left out."""
        assert self.headers["content-type"] == "text/event-stream"
        return [
            json.loads(line[6:])
            for line in self.body.split(b"\n")
            if line.startswith(b"data: ") and line != b"data: "
        ]

    @property
    def text(self) -> str:
        """The text of a tool's result, however it came."""
        message = self.events[-1] if "stream" in self.headers["content-type"] else self.json
        return str(message["result"]["content"][0]["text"])


class Client:
    """One connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.buffer = b""
        self.ended = False

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def more(self) -> bool:
        """Read once; False at the end."""
        if self.ended:
            return False
        try:
            data = await self.stream.receive_some(65536)
        except trio.BrokenResourceError:
            data = b""
        self.buffer += data
        self.ended = not data
        return bool(data)

    async def until(self, mark: bytes) -> bytes:
        """Up to and including a mark."""
        while mark not in self.buffer:
            assert await self.more(), f"the server closed after {self.buffer!r}"
        end = self.buffer.index(mark) + len(mark)
        taken, self.buffer = self.buffer[:end], self.buffer[end:]
        return taken

    async def exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            assert await self.more(), f"the server closed after {self.buffer!r}"
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.until(b"\r\n\r\n")).decode().split("\r\n")
        headers = {}
        for line in lines[1:]:
            if line:
                name, _, value = line.partition(": ")
                headers[name.lower()] = value
        return int(lines[0].split(" ")[1]), headers

    async def chunk(self) -> bytes:
        """One chunk of a stream; empty at its end."""
        size = int((await self.until(b"\r\n"))[:-2], 16)
        data = await self.exactly(size)
        assert await self.exactly(2) == b"\r\n"
        return data

    async def answer(self, *, bodiless: bool = False) -> Answer:
        status, headers = await self.head()
        body = b""
        if bodiless or status in (204, 304):
            pass
        elif headers.get("transfer-encoding") == "chunked":
            while chunk := await self.chunk():
                body += chunk
        elif "content-length" in headers:
            body = await self.exactly(int(headers["content-length"]))
        else:
            while await self.more():
                pass
            body, self.buffer = self.buffer, b""
        answer = Answer(status, headers, body)
        if status >= 400 and not bodiless:
            check_refusal(answer)
        return answer

    async def closed(self) -> bool:
        """Whether the server has closed and nothing more came."""
        while await self.more():
            pass
        return self.buffer == b""

    async def ask(
        self,
        method: str = "POST",
        path: str = "/mcp",
        body: bytes | dict[str, Any] = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        await self.send(http(method, path, body, headers))
        return await self.answer(bodiless=method == "HEAD")

    async def call(self, tool: str, id: int | str = 1, **arguments: Any) -> Answer:
        """A modern tools/call."""
        return await self.ask(**modern_call(tool, id, **arguments))

    async def initialize(self, path: str = "/mcp", version: str = LEGACY) -> str:
        """Open a legacy session; its id."""
        answer = await self.ask("POST", path, initialize(version))
        assert answer.status == 200, answer.body
        return answer.headers["mcp-session-id"]

    async def legacy(self, session: str, message: dict[str, Any], path: str = "/mcp") -> Answer:
        headers = {"Mcp-Session-Id": session, "MCP-Protocol-Version": LEGACY}
        return await self.ask("POST", path, message, headers)


class Sse:
    """A session of HTTP+SSE: a connection to read from, another to post on."""

    def __init__(self, reader: Client, poster: Client) -> None:
        self.reader = reader
        self.poster = poster
        self.uri = ""

    async def open(self, path: str = "/sse") -> Sse:
        await self.reader.send(http("GET", path, headers={"Accept": "text/event-stream"}))
        status, head = await self.reader.head()
        assert (status, head["content-type"]) == (200, "text/event-stream"), head
        assert head["cache-control"].startswith("no-cache")
        name, self.uri = await self.event()
        assert name == "endpoint"
        return self

    async def event(self) -> tuple[str, str]:
        """Name and data of the next one; comments are passed over."""
        with trio.fail_after(5):
            while (event := (await self.reader.chunk()).decode()).startswith(":"):
                pass
        assert event, "the stream has ended"
        found = re.fullmatch(r"event: (\w+)\ndata: (.*)\n\n", event)
        assert found is not None, event
        return found[1], found[2]

    async def message(self) -> Any:
        name, data = await self.event()
        assert name == "message"
        return json.loads(data)

    async def post(self, message: bytes | dict[str, Any]) -> Answer:
        """What the POST itself is answered."""
        return await self.poster.ask("POST", self.uri, message)

    async def say(self, message: dict[str, Any]) -> None:
        answer = await self.post(message)
        assert (answer.status, answer.body) == (202, b""), answer.body

    async def request(self, message: dict[str, Any]) -> Any:
        """Its answer, which is the next message."""
        await self.say(message)
        answer = await self.message()
        assert answer["id"] == message["id"], answer
        return answer

    async def shake_hands(self, version: str = LEGACY, **capabilities: Any) -> Any:
        hello = initialize(version)
        hello["params"]["capabilities"] = capabilities
        answer = await self.request(hello)
        await self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer["result"]

    async def text(self, tool: str, **arguments: Any) -> str:
        answer = await self.request(legacy_call(tool, 99, **arguments))
        text: str = answer["result"]["content"][0]["text"]
        return text

    async def ended(self) -> bool:
        """Whether the stream ends as it should, with nothing more in it."""
        with trio.fail_after(5):
            return await self.reader.chunk() == b""


def check_refusal(answer: Answer) -> None:
    """Whatever is refused has a code of the catalogue, and with it a status of that code."""
    if "json" not in answer.headers.get("content-type", "") or "error" not in answer.json:
        return  # a route of its own, such as /health
    error = answer.json["error"]
    entry = refusal_of(error.get("data"))
    assert entry is not None, answer.body
    assert answer.status in entry.statuses, (answer.status, answer.body)
    assert error["code"] in entry.errors, answer.body
    assert error["data"]["hint"] == entry.hint
    wait = entry.retry_after if answer.status in (429, 503) else None
    assert answer.headers.get("retry-after") == (None if wait is None else str(wait))


def http(
    method: str,
    path: str,
    body: bytes | dict[str, Any] = b"",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A request with the headers every client sends, unless replaced; None leaves one out."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines: dict[str, str | None] = {"Host": "localhost", "Accept": ACCEPT}
    if data or method == "POST":
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(data))}
    lines |= headers or {}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"{method} {path} HTTP/1.1\r\n{text}\r\n".encode() + data


def meta(**more: Any) -> dict[str, Any]:
    prefix = "io.modelcontextprotocol/"
    return {f"{prefix}protocolVersion": MODERN, f"{prefix}clientCapabilities": {}, **more}


def modern_call(
    tool: str, id: int | str = 1, path: str = "/mcp", **arguments: Any
) -> dict[str, Any]:
    """The keywords of `Client.ask` for a modern tools/call."""
    more = arguments.pop("meta", {})
    params = {"name": tool, "arguments": arguments, "_meta": meta(**more)}
    headers = {
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
    }
    body = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}
    return {"path": path, "body": body, "headers": headers}


def legacy_call(tool: str, id: int | str = 1, **arguments: Any) -> dict[str, Any]:
    more = arguments.pop("meta", None)
    params = {"name": tool, "arguments": arguments} | ({"_meta": more} if more else {})
    return {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}


def initialize(version: str = LEGACY) -> dict[str, Any]:
    params = {
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    }
    return {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}


@contextlib.asynccontextmanager
async def connect(name: str = "http") -> AsyncIterator[Client]:
    """A connection to the listener `name`."""
    info = (await registry.transports())[name].info
    stream = await trio.open_tcp_stream(info["host"], info["port"])
    async with stream:
        yield Client(stream)
