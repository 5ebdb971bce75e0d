"""The clients: each keeps asking until it is told to stop, and books what comes of every request."""

from __future__ import annotations

import contextlib
import json
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Hashable
from typing import Any

import trio

from tests.crash.incoming import Closed
from tests.crash.node import SERVERS, TICK, World
from tests.crash.oracle import Oracle, Request, Violation
from tests.crash.wire import LIMIT, Wire
from tests.erlmcp_py.transports.http.client import LEGACY, MODERN, meta

ANSWER = {"action": "accept", "content": {"name": "Ada"}}
TOOLS = ("echo", "later", "steps", "ask", "crash")


class Client(ABC):
    """One of them. think: virtual seconds between two requests, at most."""

    think = 2.0

    def __init__(self, name: str, world: World, oracle: Oracle, chance: random.Random) -> None:
        self.name = name
        self.world = world
        self.oracle = oracle
        self.chance = chance
        self.enough = False

    async def run(self) -> None:
        """Ask again and again."""
        async with self.opened():
            while not self.enough:
                await self.step()
                await self.ponder()

    async def ponder(self) -> None:
        """Let some time pass."""
        await trio.sleep(TICK * self.chance.randrange(1 + int(self.think / TICK)))

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """What stays open around the steps."""
        yield

    @abstractmethod
    async def step(self) -> None:
        """One thing a client does."""

    def pick(self) -> tuple[str, dict[str, Any]]:
        """A tool, and its arguments but the token."""
        tool = self.chance.choice(TOOLS)
        more: dict[str, Any] = {}
        if tool == "later":
            more["seconds"] = self.chance.choice((0.0, TICK, 2 * TICK, 3.0, 20.0))
        elif tool == "steps":
            more["count"] = self.chance.randrange(8)
        return tool, more

    def judge(self, request: Request, answer: Any) -> None:
        """Book the answer to a tool call."""
        self.oracle.end(request, *verdict(request, answer))


def verdict(request: Request, answer: Any) -> tuple[Any, str]:
    """(ending, detail) of a call of one of the tools."""
    result = answer.get("result")
    if result is None:
        return "refused", json.dumps(answer["error"])
    if "content" not in result:
        raise Violation(f"{request}: {answer} answers something else")
    text = result["content"][0]["text"]
    if request.what == "crash":
        right = result.get("isError") and request.token in text
    elif request.what == "ask":
        right = text == f"{request.token} Ada"
    else:
        right = text == request.token
    if right:
        return "answered", ""
    if not result.get("isError"):
        raise Violation(f"{request}: {text!r} is the answer to another request")
    return "refused", text


class HttpClient(Client):
    """Holds one connection for its requests, and opens another when it is lost."""

    wire: Wire | None = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.cancelled: set[str] = set()

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield
        await self.drop()

    async def connected(self) -> Wire:
        """The connection."""
        if self.wire is None:
            self.wire = await Wire.dial(self.world, self.name)
        return self.wire

    async def drop(self) -> None:
        """Close it."""
        wire, self.wire = self.wire, None
        if wire is not None:
            await wire.close()

    async def exchange(
        self, request: Request, body: dict[str, Any], headers: dict[str, str], path: str
    ) -> tuple[int, Any]:
        """Status and answer, None for a request that was cancelled. `Closed` if none came."""
        wire = await self.connected()
        answer = None
        with trio.move_on_after(LIMIT) as limit:
            status, received = await wire.send("POST", path, body, headers)
            async for message in wire.messages(received):
                if "method" in message:
                    await self.hear(message)
                elif message.get("id") not in (request.token, None):
                    raise Violation(f"{request}: an answer to {message['id']}")
                elif answer is not None:
                    raise Violation(f"{request}: two answers: {answer}, {message}")
                else:
                    answer = message
        if limit.cancelled_caught:
            raise Violation(f"{request} hangs; {self.oracle.recent()}")
        if answer is None and request.token not in self.cancelled:
            raise Violation(f"{request}: a complete response without an answer ({status})")
        return status, answer

    async def hear(self, message: Any) -> None:
        """Something on the stream of a request, before its answer."""


class ModernClient(HttpClient):
    """Revision 2026-07-28: every request stands alone."""

    async def step(self) -> None:
        tool, more = self.pick()
        server = self.chance.choice(SERVERS)
        wire = await self.connected()
        request = self.oracle.begin(tool, wire.peer, server, "modern", since=wire.whole_at)
        arguments = {"token": request.token, **more}
        if tool == "later" and self.chance.random() < 0.1:
            await self.leave(request, wire, server, arguments)
            return
        try:
            _, answer = await self.call(request, server, arguments)
            while (answer.get("result") or {}).get("resultType") == "input_required":
                state = answer["result"]["requestState"]
                _, answer = await self.call(
                    request, server, arguments, requestState=state, inputResponses={"name": ANSWER}
                )
        except Closed:
            await self.drop()
            self.oracle.end(request, "closed")
        else:
            self.judge(request, answer)

    async def call(
        self, request: Request, server: str, arguments: dict[str, Any], **more: Any
    ) -> tuple[int, Any]:
        return await self.exchange(request, *self.message(request, server, arguments, more))

    def message(
        self, request: Request, server: str, arguments: dict[str, Any], more: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, str], str]:
        """Body, headers and path."""
        prefix = "io.modelcontextprotocol/clientCapabilities"
        own = meta() | {prefix: {"elicitation": {}}, "progressToken": request.token}
        params = {"name": request.what, "arguments": arguments, "_meta": own, **more}
        headers = {
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": "tools/call",
            "Mcp-Name": request.what,
        }
        body = {"jsonrpc": "2.0", "id": request.token, "method": "tools/call", "params": params}
        return body, headers, f"/mcp/{server}"

    async def leave(
        self, request: Request, wire: Wire, server: str, arguments: dict[str, Any]
    ) -> None:
        """Close the connection while the call runs, which cancels it."""
        with trio.move_on_after(TICK * self.chance.randrange(5)), contextlib.suppress(Closed):
            body, headers, path = self.message(request, server, arguments, {})
            await wire.send("POST", path, body, headers)
        await self.drop()
        self.oracle.end(request, "let go")


class SessionClient(HttpClient):
    """Revision 2025-11-25: a session, which is opened anew when it is not known any more."""

    session: str | None = None
    server = "alpha"

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.end_session()
            await self.drop()

    def depends_on(self, wire: Wire) -> tuple[Hashable, ...]:
        """What the requests of the session need."""
        return (wire.peer, self.server, "legacy", self.session)

    async def step(self) -> None:
        if self.session is None:
            await self.initialize()
            return
        if self.chance.random() < 0.05:
            await self.end_session()
            return
        tool, more = self.pick()
        wire = await self.connected()
        request = self.oracle.begin(tool, *self.depends_on(wire), since=wire.whole_at)
        params = {
            "name": tool,
            "arguments": {"token": request.token, **more},
            "_meta": {"progressToken": request.token},
        }
        body = {"jsonrpc": "2.0", "id": request.token, "method": "tools/call", "params": params}
        closed = False
        async with trio.open_nursery() as nursery:
            if tool == "later" and self.chance.random() < 0.2:
                nursery.start_soon(self.cancel, request)
            try:
                status, answer = await self.exchange(request, body, self.headers, self.path)
            except Closed:
                closed = True
            nursery.cancel_scope.cancel()
        if closed:
            await self.drop()
            self.oracle.end(request, "closed")
            return
        if answer is None:
            self.oracle.end(request, "let go")
        elif status == 404:
            self.session = None
            self.oracle.end(request, "refused", "the session is gone")
        else:
            self.judge(request, answer)

    @property
    def path(self) -> str:
        return f"/mcp/{self.server}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Mcp-Session-Id": self.session or "", "MCP-Protocol-Version": LEGACY}

    async def cancel(self, request: Request) -> None:
        """notifications/cancelled, on another connection."""
        await trio.sleep(TICK * self.chance.randrange(1, 8))
        self.cancelled.add(request.token)
        params = {"requestId": request.token, "reason": "enough"}
        await self.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})

    async def initialize(self) -> None:
        """Open a session."""
        wire = await self.connected()
        request = self.oracle.begin("initialize", *self.depends_on(wire), since=wire.whole_at)
        params = {
            "protocolVersion": LEGACY,
            "capabilities": {"elicitation": {}},
            "clientInfo": {"name": self.name, "version": "1"},
        }
        body = {"jsonrpc": "2.0", "id": request.token, "method": "initialize", "params": params}
        try:
            with trio.move_on_after(LIMIT) as limit:
                status, headers = await wire.send("POST", self.path, body)
                (answer,) = [message async for message in wire.messages(headers)]
        except Closed:
            await self.drop()
            self.oracle.end(request, "closed")
            return
        if limit.cancelled_caught:
            raise Violation(f"{request} hangs; {self.oracle.recent()}")
        if status == 200 and "result" in answer:
            self.session = headers["mcp-session-id"]
            self.oracle.end(request, "answered")
        else:
            self.oracle.end(request, "refused", json.dumps(answer))

    async def end_session(self) -> None:
        """DELETE, until it is gone."""
        while self.session is not None:
            wire = await self.connected()
            try:
                status, headers = await wire.send("DELETE", self.path, b"", self.headers)
                _ = [message async for message in wire.messages(headers)]
            except Closed:
                await self.drop()
                continue
            if status in (204, 404):
                self.session = None
            else:
                await trio.sleep(0.5)

    async def hear(self, message: Any) -> None:
        if "id" in message:
            if message["method"] != "elicitation/create":
                raise Violation(f"{self.name} was asked {message}")
            await self.post({"jsonrpc": "2.0", "id": message["id"], "result": ANSWER})

    async def post(self, body: dict[str, Any]) -> None:
        """Something that is only acknowledged, on a connection of its own, until it is."""
        while self.session is not None:
            wire = await Wire.dial(self.world, f"{self.name}'")
            try:
                status, _ = await wire.send("POST", self.path, body, self.headers)
            except Closed:
                continue
            finally:
                with trio.CancelScope(shield=True):
                    await wire.close()
            if status in (202, 404):
                return
            await trio.sleep(0.2)


class BetaSessionClient(SessionClient):
    """The same at the other server."""

    server = "beta"
