"""A server at a WebSocket: a message in each text frame, subprotocol `mcp`.

The frames are those of `websockets`, read without I/O; the socket is that of the HTTP client.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from erlmcp_py.client.channels.channel import Channel
from erlmcp_py.client.errors import ConnectError, ConnectionLost, HttpStatus
from erlmcp_py.client.http.authorizing import MAX_TRIES, Answered
from erlmcp_py.client.http.wire import Wire, connect
from erlmcp_py.client.where import AtWebSocket
from erlmcp_py.transports.framing import Message

OPEN_TIMEOUT: Final = 10.0
"""Seconds for the connection and its handshakes."""
MUCH: Final = 1024 * 1024
"""Unsent bytes from which on requests wait before they are sent."""
TOO_MUCH: Final = 16 * 1024 * 1024
"""Unsent bytes with which the server is given up: it does not read."""
_CLOSE_WAIT: Final = 1.0
_REASON: Final = 200


@asynccontextmanager
async def open_websocket(where: AtWebSocket, limit: int) -> AsyncIterator[Channel]:
    """Connect and shake hands. Raises ConnectError, HttpStatus. limit: bytes of a message."""
    address = where.address
    tls = None
    if address.scheme == "https":
        tls = where.tls or ssl.create_default_context()
    tries = 0
    while True:
        tries += 1
        headers = dict(where.headers)
        if where.authorizer is not None:
            headers |= await where.authorizer.headers("GET", address.url)
        try:
            channel = await _open(where, tls, headers, limit)
            break
        except _Refused as refused:
            said = Answered("GET", address.url, refused.status, refused.headers, tries)
            authorizer = where.authorizer
            if authorizer is None or not await authorizer.answered(said) or tries >= MAX_TRIES:
                raise
    try:
        yield channel
    finally:
        await channel.close()


class _Refused(HttpStatus):
    """A handshake was answered with 401 or 403. headers: by name in lower case."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__(url, status)
        self.headers: dict[str, str] = {}


async def _open(
    where: AtWebSocket, tls: ssl.SSLContext | None, headers: dict[str, str], limit: int
) -> WebSocketChannel:
    """Raises ConnectError, HttpStatus."""
    wire: Wire | None = None
    try:
        with trio.fail_after(OPEN_TIMEOUT):
            wire = await connect(where.address.host, where.address.port, tls)
            channel = WebSocketChannel(where, wire, limit)
            await channel.shake_hands(headers)
            return channel
    except (OSError, trio.TooSlowError) as problem:
        if wire is not None:
            wire.close()
        text = str(problem) or f"no connection within {OPEN_TIMEOUT:g} s"
        raise ConnectError(f"{where}: {text}") from None
    except BaseException:
        if wire is not None:
            wire.close()
        raise


class WebSocketChannel:
    """A `Channel`."""

    def __init__(self, where: AtWebSocket, wire: Wire, limit: int) -> None:
        self._where = where
        self._wire = wire
        self._frames = ClientProtocol(
            parse_uri(str(where)), subprotocols=[Subprotocol("mcp")], max_size=limit
        )
        self._parts: list[bytes] = []
        self._size = 0
        self._limit = limit
        self._unsent = bytearray()
        self._wake = trio.Event()
        self._roomy = trio.Event()
        self._broken: str | None = None

    async def shake_hands(self, headers: dict[str, str]) -> None:
        """Raises ConnectError, HttpStatus."""
        frames = self._frames
        request = frames.connect()
        for name, value in headers.items():
            request.headers[name] = value
        frames.send_request(request)
        await self._wire.send(b"".join(frames.data_to_send()))
        while frames.state.name == "CONNECTING" and frames.handshake_exc is None:
            self._feed(await self._wire.receive())
            frames.events_received()
        problem = frames.handshake_exc
        if isinstance(problem, InvalidStatus):
            status = problem.response.status_code
            if status in (401, 403):
                refused = _Refused(str(self._where), status)
                for name, value in problem.response.headers.raw_items():
                    before = refused.headers.get(name.lower())
                    refused.headers[name.lower()] = f"{before}, {value}" if before else value
                raise refused
            raise HttpStatus(str(self._where), status, "this is no WebSocket")
        if isinstance(problem, InvalidHandshake) or problem is not None:
            raise ConnectError(f"{self._where}: {problem}")

    async def close(self) -> None:
        """Say goodbye, as far as that takes no time."""
        with trio.move_on_after(_CLOSE_WAIT, shield=True):
            try:
                if self._broken is None and self._frames.state.name == "OPEN":
                    self._frames.send_close(1000)
                    await self._wire.send(b"".join(self._frames.data_to_send()))
            except OSError:
                self._broken = "the server has closed the connection"
        self._wire.close()

    async def receive(self) -> list[Message]:
        """See `Channel`."""
        while True:
            data = await self._wire.receive()
            self._feed(data)
            messages: list[Message] = []
            for event in self._frames.events_received():
                assert isinstance(event, Frame)
                self._take(event, messages)
            self._queue()
            if messages:
                return messages
            if not data or self._frames.parser_exc is not None or self._frames.close_rcvd:
                return []

    def _feed(self, data: bytes) -> None:
        if data:
            self._frames.receive_data(data)
        else:
            self._frames.receive_eof()

    def _take(self, frame: Frame, messages: list[Message]) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        self._parts.append(bytes(frame.data))
        self._size += len(frame.data)
        if self._size > self._limit:
            raise ConnectionLost(f"the server sent a message longer than {self._limit} bytes")
        if frame.fin:
            messages.append(b"".join(self._parts))
            self._parts, self._size = [], 0

    def write(self, message: bytes) -> None:
        """See `Channel`."""
        if self._broken is not None or self._frames.state.name != "OPEN":
            raise ConnectionLost(self.why(), maybe_done=False)
        self._frames.send_text(message)
        self._queue()

    def _queue(self) -> None:
        for data in self._frames.data_to_send():
            self._unsent += data
        if len(self._unsent) > TOO_MUCH:
            self._broken = "the server does not read"
        if self._unsent:
            self._wake.set()

    @property
    def full(self) -> bool:
        """See `Channel`."""
        return len(self._unsent) > MUCH and self._broken is None

    async def room(self) -> None:
        """See `Channel`."""
        while self.full:
            await self._roomy.wait()

    async def run(self) -> None:
        """See `Channel`."""
        try:
            while self._broken is None:
                await self._wake.wait()
                self._wake = trio.Event()
                data, self._unsent = bytes(self._unsent), bytearray()
                await self._wire.send(data)
                self._roomy.set()
                self._roomy = trio.Event()
        except OSError as problem:
            self._broken = f"the server does not read any more: {problem}"
        finally:
            self._roomy.set()

    def why(self) -> str:
        """See `Channel`."""
        frames = self._frames
        if self._broken is not None:
            return f"{self._where}: {self._broken}"
        if frames.parser_exc is not None:
            return f"{self._where} sent what is no WebSocket frame: {frames.parser_exc}"
        if frames.close_rcvd is not None:
            said = frames.close_rcvd
            return (
                f"{self._where} closed the connection: {said.code} {said.reason[:_REASON]}".rstrip()
            )
        return f"{self._where} closed the connection"
