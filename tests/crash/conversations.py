"""The clients on a channel of messages both ways, TCP and WebSocket: many requests at once.

A step is a connection. Half of them shake hands as the older revisions do, the others do not; all
want to be told of changes. What was asked is lost with the connection, and with nothing else.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Hashable
from typing import Any, Final

import trio

from tests.crash.channels import Channel, TcpChannel, WebSocketChannel
from tests.crash.clients import ANSWER, verdict
from tests.crash.incoming import Closed
from tests.crash.listeners import URI, Told
from tests.crash.node import TICK
from tests.crash.oracle import Ending, Request, Violation
from tests.crash.sse import HTTP
from tests.crash.wire import LIMIT
from tests.erlmcp_py.transports.http.client import LEGACY, meta

CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"


class Waiting:
    """A request without an answer, and the message that it was."""

    def __init__(self, request: Request, body: dict[str, Any]) -> None:
        self.request = request
        self.body = body
        self.done = trio.Event()


class ChannelClient(Told):
    """part: what besides server and connection its requests depend on."""

    part: Hashable
    channel: Channel
    legacy = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.waiting: dict[str, Waiting] = {}
        self.forgotten: set[str] = set()
        """Requests that may be answered, and need not be."""

    @abstractmethod
    async def dial(self) -> Channel:
        """A new connection."""

    async def shake_hands(self, opening: Request) -> bool:
        """Whether messages may be sent. Raises Closed."""
        return True

    async def step(self) -> None:
        channel = self.channel = await self.dial()
        opening = self.begin("connection")
        try:
            if await self.shake_hands(opening):
                await self.talk(channel)
                self.oracle.end(opening, "let go")
        except Closed:
            self.oracle.end(opening, "closed")
        finally:
            self.forgotten.clear()
            await channel.close()

    def begin(self, what: str) -> Request:
        """Something is about to be asked for."""
        channel = self.channel
        return self.oracle.begin(what, channel.peer, self.server, self.part, since=channel.whole_at)

    async def talk(self, channel: Channel) -> None:
        """Ask for a while. Raises Closed when the connection ends before it is left."""
        ended = False

        async def read() -> None:
            nonlocal ended
            try:
                while True:
                    self.take(await channel.receive(), nursery)
            except Closed:
                pass
            ended = True
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            self.legacy = self.chance.random() < 0.5
            if await self.introduce(nursery):
                while not self.enough and self.chance.random() > 0.03:
                    nursery.start_soon(self.call)
                    await self.ponder()
                await self.leave()
            nursery.cancel_scope.cancel()
        self.interrupted()
        for waiting in self.waiting.values():
            self.oracle.end(waiting.request, "closed" if ended else "let go")
        self.waiting.clear()
        if ended and not channel.finished:
            raise Closed

    async def introduce(self, nursery: trio.Nursery) -> bool:
        """Shake hands, or not, and want to be told of changes; False if the node did not want to."""
        if not self.legacy:
            wanted = {"_meta": meta(), "notifications": {"resourceSubscriptions": [URI]}}
            nursery.start_soon(self.ask, "listen", "subscriptions/listen", wanted)
            return True
        params = {
            "protocolVersion": LEGACY,
            "capabilities": {"elicitation": {}},
            "clientInfo": {"name": self.name, "version": "1"},
        }
        if await self.ask("initialize", "initialize", params) != "answered":
            return False
        await self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        if await self.ask("subscribe", "resources/subscribe", {"uri": URI}) == "answered":
            self.acknowledged()
        return True

    async def leave(self) -> None:
        """Wait for the answers, say no more and wait for them, or leave in the middle."""
        if self.enough or self.chance.random() < 0.6:
            while self.asked():
                await trio.sleep(TICK)
        elif self.half_closes and "ask" not in self.asked():
            try:
                await self.channel.finish()
            except Closed:
                pass  # which the reader finds out
            with trio.move_on_after(LIMIT):
                await trio.sleep_forever()
            raise Violation(f"{self.name} was not closed; {self.oracle.recent()}")

    half_closes = False
    """Whether it can end its half, and the node goes on answering."""

    def asked(self) -> list[str]:
        """What waits to be answered, but streams that are open."""
        every = [waiting.request.what for waiting in self.waiting.values()]
        return [what for what in every if what != "listen"]

    async def call(self) -> None:
        """Call a tool; a client of the older revisions may do so as those of the new one."""
        tool, more = self.pick()
        modern = not self.legacy or (tool != "ask" and self.chance.random() < 0.3)
        about = meta() | {CAPABILITIES: {"elicitation": {}}} if modern else {}
        await self.ask(tool, "tools/call", {"name": tool, "arguments": more, "_meta": about})

    async def ask(self, what: str, method: str, params: dict[str, Any]) -> Ending | None:
        """Send a request and wait for its end."""
        request = self.begin(what)
        token = request.token
        if method == "tools/call":
            params["arguments"]["token"] = params["_meta"]["progressToken"] = token
        body = {"jsonrpc": "2.0", "id": token, "method": method, "params": params}
        waiting = self.waiting[token] = Waiting(request, body)
        if not await self.send(body):
            self.settle(token, "let go")
        elif what == "later" and self.chance.random() < 0.2:
            await trio.sleep(TICK * self.chance.randrange(5))
            cancel = {"requestId": token, "reason": "enough"}
            await self.send(
                {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel}
            )
            if token in self.waiting:
                self.forgotten.add(token)
                self.settle(token, "let go")
        elif what == "listen":
            await waiting.done.wait()
        else:
            with trio.move_on_after(LIMIT) as limit:
                await waiting.done.wait()
            if limit.cancelled_caught:
                raise Violation(f"{request} hangs; {self.oracle.recent()}")
        return request.ending

    def settle(self, token: str, ending: Ending, detail: str = "") -> None:
        """A request has ended."""
        waiting = self.waiting.pop(token)
        self.oracle.end(waiting.request, ending, detail)
        waiting.done.set()

    async def send(self, body: dict[str, Any]) -> bool:
        """A message; False when there is nothing more to be said. If the connection has ended, its
        reader finds out.
        """
        try:
            return await self.channel.send(body)
        except Closed:
            return True

    def take(self, message: Any, nursery: trio.Nursery) -> None:
        """A message of the node."""
        method = message.get("method")
        if method is None:
            self.answered(message, nursery)
        elif "id" in message:
            if method != "elicitation/create" or not self.legacy:
                raise Violation(f"{self.name} was asked {message}")
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": ANSWER}
            nursery.start_soon(self.send, answer)
        elif method != "notifications/progress" and not method.endswith("/list_changed"):
            params = message["params"]
            if not self.legacy:
                stream = params.get("requestId") or params["_meta"][SUBSCRIPTION]
                if stream not in self.waiting or self.waiting[stream].request.what != "listen":
                    raise Violation(f"{self.name} was told {message} on no stream")
            if method == "notifications/cancelled":
                self.interrupted()
            else:
                self.notified(message)

    def answered(self, message: Any, nursery: trio.Nursery) -> None:
        """An answer."""
        token = message["id"]
        if token in self.forgotten:
            self.forgotten.remove(token)
            return
        if token not in self.waiting:
            raise Violation(f"an answer that nobody waits for: {message}; {self.oracle.recent()}")
        waiting = self.waiting[token]
        what = waiting.request.what
        if "error" in message:
            self.settle(token, "refused", json.dumps(message))
        elif what == "listen":  # the connection is about to end
            self.interrupted()
            self.settle(token, "let go" if self.channel.finished else "closed")
        elif what in ("initialize", "subscribe"):
            self.settle(token, "answered")
        elif message["result"].get("resultType") == "input_required":
            state = message["result"]["requestState"]
            more = {"requestState": state, "inputResponses": {"name": ANSWER}}
            params = waiting.body["params"] | more
            nursery.start_soon(self.send, waiting.body | {"params": params})
        else:
            self.settle(token, *verdict(waiting.request, message))


class TcpClient(ChannelClient):
    """With the framing that the listener has."""

    part = "tcp"
    half_closes = True

    async def dial(self) -> Channel:
        peer = f"{self.name}#{next(self.world.numbers)}"
        channel = TcpChannel(await self.world.dial(peer, "tcp"), peer)
        channel.framing = self.world.framing
        return channel


class WebSocketClient(ChannelClient):
    """At a server by its name."""

    part = HTTP
    channel: WebSocketChannel

    async def dial(self) -> Channel:
        peer = f"{self.name}#{next(self.world.numbers)}"
        return WebSocketChannel(await self.world.dial(peer), peer)

    async def shake_hands(self, opening: Request) -> bool:
        status = await self.channel.open(f"/mcp/{self.server}/ws")
        if status != b"HTTP/1.1 101 Switching Protocols":
            self.oracle.end(opening, "refused", repr(status))
            return False
        return True


class BetaWebSocketClient(WebSocketClient):
    """The same at the other server."""

    server = "beta"
