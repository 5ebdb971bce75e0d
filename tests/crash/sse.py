"""The client of HTTP+SSE: reads one stream, and posts on connections that come and go.

What it asked is lost with the stream, and with nothing else but the connection it was posted on.
"""

from __future__ import annotations

import json
from typing import Any

import trio

from tests.crash.clients import ANSWER, Client, verdict
from tests.crash.incoming import Closed
from tests.crash.node import TICK
from tests.crash.oracle import Ending, Request, Violation
from tests.crash.wire import LIMIT, Wire
from tests.erlmcp_py.transports.http.client import LEGACY

HTTP = "modern"
"""What is killed with HTTP, and not with the sessions of streamable HTTP."""


class SseClient(Client):
    """A step is a session, with many requests at once."""

    server = "alpha"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.uri = ""
        self.poster: Wire | None = None
        self.posting = trio.Lock()
        self.waiting: dict[str, tuple[Request, trio.Event]] = {}
        self.forgotten: set[str] = set()
        """Requests that may be answered, and need not be."""

    async def step(self) -> None:
        reader = await Wire.dial(self.world, self.name)
        stream = self.oracle.begin("stream", reader.peer, self.server, HTTP, since=reader.whole_at)
        try:
            if await self.begin(reader, stream):
                await self.work(reader)
                self.oracle.end(stream, "let go")
        except Closed:
            self.oracle.end(stream, "closed")
        finally:
            self.forgotten.clear()
            await reader.close()
            await self.drop()

    async def begin(self, reader: Wire, stream: Request) -> bool:
        """Open the stream, and learn where to post; whether that was possible."""
        path = f"/mcp/{self.server}/sse"
        status, headers = await reader.send("GET", path, b"", {"Accept": "text/event-stream"})
        if status != 200:
            (answer,) = [message async for message in reader.messages(headers)]
            self.oracle.end(stream, "refused", json.dumps(answer))
            return False
        first, data = (await reader.chunk()).decode().strip().split("\n")
        if first != "event: endpoint":
            raise Violation(f"{stream} begins with {first}")
        self.uri = data.removeprefix("data: ")
        return True

    async def work(self, reader: Wire) -> None:
        """Shake hands, and ask for a while. Raises Closed when the stream ends."""
        ended = False

        async def read() -> None:
            nonlocal ended
            try:
                async for message in reader.messages({}):
                    self.take(message, nursery)
            except Closed:
                pass  # a stream that ends in order is lost all the same
            ended = True
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            params = {
                "protocolVersion": LEGACY,
                "capabilities": {"elicitation": {}},
                "clientInfo": {"name": self.name, "version": "1"},
            }
            if await self.ask(reader, "initialize", "initialize", params):
                await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
                while not self.enough and self.chance.random() > 0.03:
                    nursery.start_soon(self.call, reader)
                    await self.ponder()
                if self.enough or self.chance.random() < 0.7:  # else it leaves in the middle
                    while self.waiting:
                        await trio.sleep(TICK)
            nursery.cancel_scope.cancel()
        for request, _ in self.waiting.values():
            self.oracle.end(request, "closed" if ended else "let go")
        self.waiting.clear()
        if ended:
            raise Closed

    async def call(self, reader: Wire) -> None:
        """Call a tool."""
        tool, more = self.pick()
        await self.ask(reader, tool, "tools/call", {"name": tool, "arguments": more})

    async def ask(self, reader: Wire, what: str, method: str, params: dict[str, Any]) -> bool:
        """Post a request and wait for its end; whether it was answered."""
        done = trio.Event()
        async with self.posting:
            poster = await self.connected()
            request = self.oracle.begin(
                what, reader.peer, poster.peer, self.server, HTTP, since=poster.whole_at
            )
            token = request.token
            if method == "tools/call":
                params["arguments"]["token"] = token
                params["_meta"] = {"progressToken": token}
            self.waiting[token] = (request, done)
            body = {"jsonrpc": "2.0", "id": token, "method": method, "params": params}
            status = await self.exchange(poster, body)
        if status is None:
            self.settle(token, "closed")
        elif status != 202:
            self.settle(token, "refused", str(status))
        elif what == "later" and self.chance.random() < 0.2:
            await trio.sleep(TICK * self.chance.randrange(5))
            cancel = {"requestId": token, "reason": "enough"}
            await self.post(
                {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel}
            )
            self.settle(token, "let go")
        else:
            with trio.move_on_after(LIMIT) as limit:
                await done.wait()
            if limit.cancelled_caught:
                raise Violation(f"{request} hangs; {self.oracle.recent()}")
        return request.ending == "answered"

    def settle(self, token: str, ending: Ending, detail: str = "") -> None:
        """The answer to a request does not matter any more, if it has not come."""
        if token in self.waiting:
            request, _ = self.waiting.pop(token)
            self.forgotten.add(token)
            self.oracle.end(request, ending, detail)

    def take(self, message: Any, nursery: trio.Nursery) -> None:
        """A message of the stream."""
        if "method" in message:
            if "id" in message:
                answer = {"jsonrpc": "2.0", "id": message["id"], "result": ANSWER}
                nursery.start_soon(self.post, answer)
            return
        token = message["id"]
        if token in self.forgotten:
            self.forgotten.remove(token)
            return
        if token not in self.waiting:
            raise Violation(f"an answer that nobody waits for: {message}; {self.oracle.recent()}")
        request, done = self.waiting.pop(token)
        if request.what == "initialize":
            right = "result" in message
            self.oracle.end(request, "answered" if right else "refused", json.dumps(message))
        else:
            self.oracle.end(request, *verdict(request, message))
        done.set()

    async def post(self, body: dict[str, Any]) -> None:
        """Something that has no answer, until it has been taken or nobody is there to take it."""
        while True:
            async with self.posting:
                status = await self.exchange(await self.connected(), body)
            if status in (202, 404):
                return
            await trio.sleep(0.2)

    async def connected(self) -> Wire:
        """The connection to post on."""
        if self.poster is None:
            self.poster = await Wire.dial(self.world, f"{self.name}'")
        return self.poster

    async def exchange(self, poster: Wire, body: dict[str, Any]) -> int | None:
        """The status of a POST; None if the connection ended before."""
        try:
            status, headers = await poster.send("POST", self.uri, body)
            _ = [message async for message in poster.messages(headers)]
        except Closed:
            await self.drop()
            return None
        return status

    async def drop(self) -> None:
        """Close the connection to post on."""
        poster, self.poster = self.poster, None
        if poster is not None:
            with trio.CancelScope(shield=True):
                await poster.close()
