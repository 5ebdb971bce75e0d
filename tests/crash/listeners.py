"""Clients that wait to be told: an open stream is told of every change, whatever is killed around it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import trio

from tests.crash.clients import Client, HttpClient, SessionClient
from tests.crash.incoming import Closed
from tests.crash.oracle import Request, Violation
from tests.crash.wire import LIMIT, Wire
from tests.erlmcp_py.transports.http.client import MODERN, meta

URI: Final = "note:shared"
SOON: Final = 2.0
"""Virtual seconds in which an open stream must be told."""


class Told(Client):
    """Whoever wants to hear of the changes of a server."""

    server = "alpha"
    think = 1.0

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.told: list[float] = []
        self.open: list[list[float]] = []
        """From when to when there was a stream: the last one has no end yet."""

    def acknowledged(self) -> None:
        """From now on."""
        self.open.append([trio.current_time()])

    def interrupted(self) -> None:
        """The stream is lost, if there was one."""
        if self.open and len(self.open[-1]) == 1:
            self.open[-1].append(trio.current_time())

    def notified(self, message: Any) -> None:
        """A notification of the stream."""
        if message["method"] == "notifications/subscriptions/acknowledged":
            self.acknowledged()
        elif message["method"] == "notifications/resources/updated":
            self.told.append(trio.current_time())
        else:
            raise Violation(f"{self.name} was told {message}")

    def missed(self, published: list[float]) -> list[float]:
        """The changes that it should have heard of and did not."""
        return [
            moment
            for moment in published
            if any(begin < moment and moment + SOON < end for begin, end in self.open)
            and not any(moment <= told <= moment + SOON for told in self.told)
        ]


class Listener(Told, HttpClient):
    """`subscriptions/listen` of 2026-07-28."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.stream: Request | None = None

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super().run)
            while not self.enough:
                await trio.sleep(0.5)
            nursery.cancel_scope.cancel()
        await self.leave()

    async def leave(self) -> None:
        """Let go of everything."""
        self.interrupted()
        await self.drop()
        if self.stream is not None and self.stream.ending is None:
            self.oracle.end(self.stream, "let go")

    async def step(self) -> None:
        wire = await self.connected()
        request = self.stream = self.oracle.begin(
            "listen", wire.peer, self.server, "modern", since=wire.whole_at
        )
        wanted = {"resourceSubscriptions": [URI]}
        body = {
            "jsonrpc": "2.0",
            "id": request.token,
            "method": "subscriptions/listen",
            "params": {"_meta": meta(), "notifications": wanted},
        }
        headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "subscriptions/listen"}
        try:
            status, received = await wire.send("POST", f"/mcp/{self.server}", body, headers)
            if status != 200:
                (answer,) = [message async for message in wire.messages(received)]
                self.oracle.end(request, "refused", json.dumps(answer))
                return
            ended = False
            async for message in wire.messages(received):
                told = message["params"] if "method" in message else message["result"]
                if told["_meta"]["io.modelcontextprotocol/subscriptionId"] != request.token:
                    raise Violation(f"{request}: {message} belongs to another stream")
                if "result" in message:
                    ended = True
                else:
                    self.notified(message)
            if ended:  # the transport was stopped, and said so
                raise Closed
            raise Violation(f"{request}: the stream ended by itself; {self.oracle.recent()}")
        except Closed:
            self.interrupted()
            await self.drop()
            self.oracle.end(request, "closed")


class Follower(Listener, SessionClient):
    """The GET stream of a session of 2025-11-25 that has subscribed to a resource."""

    async def leave(self) -> None:
        await super().leave()
        await self.end_session()
        await self.drop()

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    async def step(self) -> None:
        if self.session is None:
            await self.initialize()
            return
        wire = await self.connected()
        request = self.stream = self.oracle.begin(
            "GET", *self.depends_on(wire), since=wire.whole_at
        )
        headers = self.headers
        if wire.last_event_id is not None:
            headers["Last-Event-ID"] = wire.last_event_id
        try:
            status, received = await wire.send("GET", self.path, b"", headers)
            if status != 200:
                (answer,) = [message async for message in wire.messages(received)]
                if status == 404:
                    self.session = None
                self.oracle.end(request, "refused", json.dumps(answer))
                return
            await self.subscribe()
            self.acknowledged()
            async for message in wire.messages(received):
                if not message["method"].endswith("/list_changed"):
                    self.notified(message)
            self.interrupted()
            self.oracle.end(request, "refused", "the stream ended by itself")
        except Closed:
            self.interrupted()
            await self.drop()
            self.oracle.end(request, "closed")

    async def subscribe(self) -> None:
        """Say which resource."""
        wire = await Wire.dial(self.world, f"{self.name}'")
        request = self.oracle.begin(
            "subscribe", *self.depends_on(wire), self.name, since=wire.whole_at
        )
        params = {"uri": URI}
        body = {
            "jsonrpc": "2.0",
            "id": request.token,
            "method": "resources/subscribe",
            "params": params,
        }
        try:
            with trio.move_on_after(LIMIT) as limit:
                _, headers = await wire.send("POST", self.path, body, self.headers)
                (answer,) = [message async for message in wire.messages(headers)]
        except Closed:
            self.oracle.end(request, "closed")
            raise
        finally:
            with trio.CancelScope(shield=True):
                await wire.close()
        if limit.cancelled_caught:
            raise Violation(f"{request} hangs; {self.oracle.recent()}")
        if "result" in answer:
            self.oracle.end(request, "answered")
        else:
            self.oracle.end(request, "refused", json.dumps(answer))
            raise Closed
