"""Clients that call tools through a proxy: one class per transport and era, all asked the same way.

A further transport is a further subclass of `Caller` and an entry in `WAYS`; the tests take it up.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, Literal

import trio

from tests.crash.channels import Channel, TcpChannel, WebSocketChannel
from tests.crash.oracle import Violation
from tests.crash.wire import Closed, Wire
from tests.erlmcp_py.transports.http.client import (
    LEGACY,
    initialize,
    legacy_call,
    modern_call,
)
from tests.erlmcp_py.transports.tcp.client import Framing

SERVER: Final = "alpha"
UNREADABLE: Final = (ValueError, KeyError, IndexError, TypeError, AttributeError, Violation)
"""What reading an answer raises whose bytes were changed on the way."""

Address = tuple[str, int]


class Lost(Exception):
    """The connection ended, or could not be opened, before there was an answer."""


class Garbled(Exception):
    """What came back is no answer."""


class Caller(ABC):
    """One client. Its connection is kept from call to call, and opened when there is none.

    address: where the listener is, or a proxy before it. framing: of the TCP listener.
    """

    listener: Literal["http", "tcp"] = "http"

    def __init__(self, address: Address, framing: Framing) -> None:
        self.address = address
        self.framing = framing
        self._numbers = 0

    def number(self) -> int:
        """Of the next request."""
        self._numbers += 1
        return self._numbers

    @abstractmethod
    async def call(
        self, tool: str, arguments: dict[str, Any], progress: Callable[[Any], object]
    ) -> Any:
        """The answer to a tools/call, a JSON-RPC message, which was asked to report progress.

        progress: told the parameters of each notifications/progress. Raises `Lost` and `Garbled`.
        """

    @abstractmethod
    async def drop(self) -> None:
        """Close the connection, if there is one."""

    @contextlib.asynccontextmanager
    async def _reading(self) -> AsyncIterator[None]:
        """Names what goes wrong, and drops the connection then, so that the next call has a new one."""
        whole = False
        try:
            yield
            whole = True
        except (Closed, trio.BrokenResourceError, OSError) as problem:
            raise Lost(str(problem)) from None
        except UNREADABLE as problem:
            raise Garbled(repr(problem)) from None
        finally:
            if not whole:
                with trio.CancelScope(shield=True):
                    await self.drop()


class HttpCaller(Caller):
    """Streamable HTTP."""

    wire: Wire | None = None

    async def drop(self) -> None:
        wire, self.wire = self.wire, None
        if wire is not None:
            await trio.aclose_forcefully(wire.stream)

    async def exchange(
        self, progress: Callable[[Any], object], request: Mapping[str, Any]
    ) -> tuple[dict[str, str], Any]:
        """Headers and the answer. request: method, path, body, headers."""
        async with self._reading():
            if self.wire is None:
                self.wire = Wire(await trio.open_tcp_stream(*self.address), "")
            parts = (request["body"], request.get("headers"))
            _, headers = await self.wire.send("POST", request["path"], *parts)
            answer = None
            async for message in self.wire.messages(headers):
                if "method" not in message:
                    answer = message
                elif message["method"] == "notifications/progress":
                    progress(message["params"])
            if answer is None:
                raise Garbled("a complete response without an answer")
            if headers.get("connection") == "close":
                await self.drop()
            return headers, answer


class ModernHttp(HttpCaller):
    """Revision 2026-07-28."""

    async def call(
        self, tool: str, arguments: dict[str, Any], progress: Callable[[Any], object]
    ) -> Any:
        number = self.number()
        request = modern_call(
            tool, number, f"/mcp/{SERVER}", **arguments, meta={"progressToken": number}
        )
        return (await self.exchange(progress, request))[1]


class LegacyHttp(HttpCaller):
    """Revision 2025-11-25: a session, opened before the first call and again when it is lost."""

    session: str | None = None

    async def call(
        self, tool: str, arguments: dict[str, Any], progress: Callable[[Any], object]
    ) -> Any:
        path = f"/mcp/{SERVER}"
        while True:
            fresh = self.session is None
            if fresh:
                headers, answer = await self.exchange(
                    progress, {"path": path, "body": initialize()}
                )
                if "error" in answer:
                    return answer
                if "mcp-session-id" not in headers:
                    raise Garbled("no session")
                self.session = headers["mcp-session-id"]
            number = self.number()
            body = legacy_call(tool, number, **arguments, meta={"progressToken": number})
            sent = {"Mcp-Session-Id": self.session, "MCP-Protocol-Version": LEGACY}
            _, answer = await self.exchange(progress, {"path": path, "body": body, "headers": sent})
            if "error" not in answer or fresh:
                return answer
            self.session = None  # it is over, or its id was changed on the way


class ChannelCaller(Caller):
    """Messages both ways on one connection. legacy: revision 2025-11-25, which begins with a handshake."""

    channel: Channel | None = None
    legacy = False

    @abstractmethod
    async def open(self) -> Channel:
        """A new connection. Raises what `_reading` names."""

    async def drop(self) -> None:
        channel, self.channel = self.channel, None
        if channel is not None:
            await channel.close()

    async def call(
        self, tool: str, arguments: dict[str, Any], progress: Callable[[Any], object]
    ) -> Any:
        async with self._reading():
            if self.channel is None:
                self.channel = await self.open()
                if self.legacy:
                    answer = await self._exchange(self.channel, initialize(), progress)
                    if "error" in answer:
                        return answer
            number = self.number()
            meta = {"progressToken": number}
            if self.legacy:
                request = legacy_call(tool, number, **arguments, meta=meta)
            else:
                request = modern_call(tool, number, **arguments, meta=meta)["body"]
            return await self._exchange(self.channel, request, progress)

    async def _exchange(
        self, channel: Channel, request: dict[str, Any], progress: Callable[[Any], object]
    ) -> Any:
        await channel.send(request)
        while True:
            message = await channel.receive()
            if message.get("method") == "notifications/progress":
                progress(message["params"])
            elif message.get("id") in (request["id"], None):
                return message
            else:
                raise Garbled(f"the answer to something else: {message}")


class ModernTcp(ChannelCaller):
    """Revision 2026-07-28 over TCP."""

    listener = "tcp"

    async def open(self) -> Channel:
        channel = TcpChannel(await trio.open_tcp_stream(*self.address))
        channel.framing = self.framing
        return channel


class LegacyTcp(ModernTcp):
    """Revision 2025-11-25 over TCP."""

    legacy = True


class ModernWebSocket(ChannelCaller):
    """Revision 2026-07-28 over WebSocket."""

    async def open(self) -> Channel:
        channel = WebSocketChannel(await trio.open_tcp_stream(*self.address))
        self.channel = channel  # so that it is dropped if the handshake fails
        status = await channel.open(f"/mcp/{SERVER}/ws")
        if not status.startswith(b"HTTP/1.1 101 "):
            raise Garbled(f"no WebSocket: {status!r}")
        return channel


class LegacyWebSocket(ModernWebSocket):
    """Revision 2025-11-25 over WebSocket."""

    legacy = True


WAYS: Final[dict[str, type[Caller]]] = {
    "http modern": ModernHttp,
    "http legacy": LegacyHttp,
    "tcp modern": ModernTcp,
    "tcp legacy": LegacyTcp,
    "websocket modern": ModernWebSocket,
    "websocket legacy": LegacyWebSocket,
}
"""Every way to call a tool over a network."""
