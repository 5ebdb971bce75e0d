"""The client on standard input and output: many requests at once, in both eras, on one channel.

Its channel never closes, so there is only one way out: every request has exactly one answer.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import trio

from tests.crash.clients import ANSWER, Client, verdict
from tests.crash.node import TICK
from tests.crash.oracle import Request, Violation
from tests.crash.wire import LIMIT
from tests.erlmcp_py.transports.http.client import meta

ON = ("stdio", "alpha")


class StdioClient(Client):
    """Legacy by its handshake; some of its requests are modern all the same."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.waiting: dict[str, tuple[Request, trio.Event]] = {}
        self.cancelled: set[str] = set()
        self.writing = trio.Lock()
        self.buffer = b""

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.read)
            yield
            nursery.cancel_scope.cancel()

    async def run(self) -> None:
        async with self.opened(), trio.open_nursery() as nursery:
            while not self.enough:
                nursery.start_soon(self.step)
                await self.ponder()

    async def step(self) -> None:
        tool, more = self.pick()
        request = self.oracle.begin(tool, *ON)
        params: dict[str, Any] = {"name": tool, "arguments": {"token": request.token, **more}}
        if tool != "ask" and self.chance.random() < 0.5:
            params["_meta"] = meta(progressToken=request.token)
        else:
            params["_meta"] = {"progressToken": request.token}
        body = {"jsonrpc": "2.0", "id": request.token, "method": "tools/call", "params": params}
        if tool == "later" and self.chance.random() < 0.2:
            await self.send(body)
            self.cancelled.add(request.token)
            await trio.sleep(TICK * self.chance.randrange(5))
            cancel = {"requestId": request.token, "reason": "enough"}
            await self.send(
                {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel}
            )
            self.oracle.end(request, "let go")
            return
        await self.ask(request, body)

    async def ask(self, request: Request, body: dict[str, Any]) -> None:
        """Send it and wait for its end."""
        done = trio.Event()
        self.waiting[request.token] = (request, done)
        with trio.move_on_after(LIMIT) as limit:
            await self.send(body)
            await done.wait()
        if limit.cancelled_caught:
            raise Violation(f"{request} hangs; {self.oracle.recent()}")

    async def send(self, body: dict[str, Any]) -> None:
        """One line. Whole lines only: several tasks write."""
        async with self.writing:
            await self.world.stdio.send_all(json.dumps(body).encode() + b"\n")

    async def read(self) -> None:
        """Every line that comes belongs to something."""
        while True:
            data = await self.world.stdio.receive_some(65536)
            if not data:
                raise Violation("standard output was closed")
            *lines, self.buffer = (self.buffer + data).split(b"\n")
            for line in lines:
                await self.take(json.loads(line))

    async def take(self, message: Any) -> None:
        if "method" in message:
            if "id" in message:
                await self.send({"jsonrpc": "2.0", "id": message["id"], "result": ANSWER})
            return
        token = message["id"]
        if token in self.cancelled:
            self.cancelled.remove(token)  # it may have been on its way; a second one may not
            return
        if token not in self.waiting:
            raise Violation(f"an answer that nobody waits for: {message}; {self.oracle.recent()}")
        request, done = self.waiting.pop(token)
        self.oracle.end(request, *verdict(request, message))
        done.set()
