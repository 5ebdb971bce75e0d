"""The HTTP+SSE transport of 2024-11-05: one GET brings everything the server says, its first event names
the endpoint to which each message is posted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import trio

from erlmcp_py.client.channels.channel import Channel
from erlmcp_py.client.errors import ClientError, ConnectError, ConnectionLost, HttpStatus
from erlmcp_py.client.http.events import MESSAGE, READ_TIMEOUT, Event, EventParser, TooLarge
from erlmcp_py.client.http.pool import Reply
from erlmcp_py.client.http.sending import Sender
from erlmcp_py.client.where import AtUrl
from erlmcp_py.transports.framing import Message

MAX_UNSENT: Final = 1000
"""Messages that may wait to be posted."""
ENDPOINT_WAIT: Final = 10.0
"""Seconds for the first event."""
_ACCEPT: Final = b"Accept: text/event-stream\r\n"


@asynccontextmanager
async def open_event_stream(where: AtUrl) -> AsyncIterator[Channel]:
    """Open the stream and wait for the endpoint. Raises ConnectError, ConnectionLost, HttpStatus."""
    sender = Sender(where)
    reply = await sender.open("GET", _ACCEPT)
    try:
        if reply.head.media_type != "text/event-stream" or reply.head.status != 200:
            text = "this is neither streamable HTTP nor the HTTP+SSE of 2024-11-05"
            raise HttpStatus(where.address.shown, reply.head.status, text)
        channel = EventChannel(where, reply)
        await channel.begin()
        try:
            yield channel
        finally:
            channel.close()
    finally:
        reply.abort()
        sender.close()


class EventChannel:
    """A `Channel`."""

    def __init__(self, where: AtUrl, reply: Reply) -> None:
        self._where = where
        self._reply = reply
        self._parser = EventParser()
        self._early: list[Event] = []
        self._sender: Sender | None = None
        self._unsent: deque[bytes] = deque()
        self._wake = trio.Event()
        self._broken: str | None = None

    async def begin(self) -> None:
        """Wait for the endpoint. Raises ConnectError."""
        with trio.move_on_after(ENDPOINT_WAIT):
            while not self._early:
                self._early = await self._events()
        first = self._early.pop(0) if self._early else None
        if first is None or first.name != "endpoint":
            raise ConnectError(f"{self._where}: the event stream names no endpoint to post to")
        endpoint = first.data.decode("utf-8", "replace")
        try:
            address = self._where.address.join(endpoint)
        except ValueError as problem:
            raise ConnectError(f"{self._where}: {problem}") from None
        if address.origin != self._where.address.origin:
            text = f"the endpoint {endpoint[:200]!r} is elsewhere, which is not trusted"
            raise ConnectError(f"{self._where}: {text}")
        self._sender = Sender(msgspec.structs.replace(self._where, address=address))

    def close(self) -> None:
        """Close what is idle."""
        if self._sender is not None:
            self._sender.close()

    async def receive(self) -> list[Message]:
        """See `Channel`."""
        while True:
            events, self._early = self._early or await self._events(), []
            messages: list[Message] = [
                event.data for event in events if event.data and event.name == MESSAGE
            ]
            if messages:
                return messages

    async def _events(self) -> list[Event]:
        if self._broken is not None:
            raise ConnectionLost(self._broken)
        with trio.move_on_after(READ_TIMEOUT):
            data = await self._reply.more()
            if not data:
                raise ConnectionLost(self.why())
            try:
                return self._parser.feed(data)
            except TooLarge as problem:
                raise ConnectionLost(f"{self._where}: {problem}") from None
        raise ConnectionLost(f"{self._where}: the stream was silent for {READ_TIMEOUT:g} s")

    def write(self, message: bytes) -> None:
        """See `Channel`."""
        if self._broken is not None or len(self._unsent) >= MAX_UNSENT:
            raise ConnectionLost(self._broken or "too much is unsent", maybe_done=False)
        self._unsent.append(message)
        self._wake.set()

    @property
    def full(self) -> bool:
        """See `Channel`: what is too much is refused."""
        return False

    async def room(self) -> None:
        """See `Channel`."""

    async def run(self) -> None:
        """See `Channel`: post one message after the other, so that they arrive in order."""
        assert self._sender is not None
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._unsent:
                try:
                    await self._post(self._sender, self._unsent.popleft())
                except ClientError as problem:
                    self._broken = str(problem)
                    self._reply.abort()  # the reader learns of it
                    return

    async def _post(self, sender: Sender, message: bytes) -> None:
        reply = await sender.open("POST", b"Accept: application/json\r\n", message)
        try:
            status = reply.head.status
            body = await reply.body()
        except BaseException:
            reply.abort()
            raise
        reply.close()
        if status >= 300:
            raise HttpStatus(sender.address.shown, status, sender.said(body))

    def why(self) -> str:
        """See `Channel`."""
        return self._broken or f"{self._where} closed the event stream"
