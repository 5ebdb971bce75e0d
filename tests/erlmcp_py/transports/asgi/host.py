"""Hosts of an ASGI application: one that is made by hand, and hypercorn's trio worker."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import Context
from functools import partial
from typing import Any

import trio
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio import serve

from erlmcp_py.transports.asgi.requests import statistics
from tests.erlmcp_py.transports.http.client import (
    ACCEPT,
    LEGACY,
    Answer,
    Client,
    check_refusal,
    initialize,
)


class Visit:
    """One request, as a server makes it out of its client's bytes."""

    def __init__(self, app: Any, scope: dict[str, Any]) -> None:
        self.app = app
        self.scope = scope
        self.to_app, self._receive = trio.open_memory_channel[dict[str, Any]](1000)
        self._send, self.from_app = trio.open_memory_channel[dict[str, Any]](1000)
        self.sent: list[dict[str, Any]] = []
        self.blocked = False
        """The client does not take anything."""
        self.broken: OSError | None = None
        """What sending ends with."""
        self.over = trio.Event()

    async def receive(self) -> dict[str, Any]:
        return await self._receive.receive()

    async def send(self, message: dict[str, Any]) -> None:
        if self.blocked:
            await trio.sleep_forever()
        if self.broken is not None:
            raise self.broken
        self.sent.append(message)
        await self._send.send(message)

    async def run(self) -> None:
        try:
            await self.app(self.scope, self.receive, self.send)
        finally:
            self.over.set()

    def put(self, body: bytes = b"", more: bool = False) -> None:
        self.to_app.send_nowait({"type": "http.request", "body": body, "more_body": more})

    def disconnect(self) -> None:
        self.to_app.send_nowait({"type": "http.disconnect"})

    async def next(self) -> dict[str, Any]:
        with trio.fail_after(60):
            return await self.from_app.receive()

    async def data(self) -> bytes:
        """The body of the next message."""
        message = await self.next()
        assert message["type"] == "http.response.body"
        return bytes(message["body"])

    @property
    def complete(self) -> bool:
        return bool(self.sent) and self.sent[-1].get("more_body") is False

    def answer(self) -> Answer:
        """What was sent, which has to be a whole response."""
        start, *rest = self.sent
        assert start["type"] == "http.response.start"
        assert [message["type"] for message in rest] == ["http.response.body"] * len(rest)
        assert [message["more_body"] for message in rest] == [True] * (len(rest) - 1) + [False]
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        assert all(name == name.lower() for name in headers)
        answer = Answer(start["status"], headers, b"".join(message["body"] for message in rest))
        if answer.status >= 400 and self.scope["method"] != "HEAD":
            check_refusal(answer)
        return answer


def http_scope(
    method: str, path: str, headers: Mapping[str, str | None] | None = None, **more: Any
) -> dict[str, Any]:
    """A scope with the headers every client sends, unless replaced; None leaves one out."""
    lines: dict[str, str | None] = {"host": "localhost", "accept": ACCEPT}
    if method == "POST":
        lines["content-type"] = "application/json"
    lines |= {name.lower(): value for name, value in (headers or {}).items()}
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (name.encode(), value.encode()) for name, value in lines.items() if value is not None
        ],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 8000),
        **more,
    }


class Host:
    """Calls an application that runs."""

    def __init__(self, app: Any, nursery: trio.Nursery) -> None:
        self.app = app
        self.nursery = nursery

    def open(
        self,
        method: str = "POST",
        path: str = "/mcp",
        body: bytes | dict[str, Any] | None = b"",
        headers: Mapping[str, str | None] | None = None,
        **scope: Any,
    ) -> Visit:
        """Begin a request. body: None for one that has not come yet."""
        visit = Visit(self.app, http_scope(method, path, headers, **scope))
        if body is not None:
            visit.put(body if isinstance(body, bytes) else json.dumps(body).encode())
        # A server knows nothing of the runtime, and neither do the contexts of its tasks.
        Context().run(self.nursery.start_soon, visit.run)
        return visit

    async def ask(self, *args: Any, **keywords: Any) -> Answer:
        visit = self.open(*args, **keywords)
        with trio.fail_after(60):
            await visit.over.wait()
        return visit.answer()


@asynccontextmanager
async def hosting(app: Any) -> AsyncIterator[Host]:
    """The application runs in its host's lifespan."""
    async with trio.open_nursery() as nursery, app.running():
        with app.active():
            yield Host(app, nursery)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def hypercorn(app: Any) -> AsyncIterator[int]:
    """Under hypercorn's trio worker; its port."""
    config = HypercornConfig()
    config.bind = ["127.0.0.1:0"]
    config.graceful_timeout = 1
    config.errorlog = None
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        start = partial(serve, app, config, shutdown_trigger=stop.wait)
        binds: list[str] = await nursery.start(start)
        try:
            yield int(binds[0].rpartition(":")[2])
        finally:
            stop.set()


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Client]:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        yield Client(stream)


def legacy_headers(session: str) -> dict[str, str | None]:
    return {"Mcp-Session-Id": session, "MCP-Protocol-Version": LEGACY}


async def open_session(host: Host, **more: Any) -> str:
    answer = await host.ask(body=initialize(), **more)
    assert answer.status == 200, answer.body
    return answer.headers["mcp-session-id"]


async def nobody_is_left() -> None:
    with trio.fail_after(60):
        while (await statistics()).open:
            await trio.sleep(0.01)
