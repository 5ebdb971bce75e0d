"""The way to a client that leads through an ASGI server: a `Wire` whose bytes are messages.

Two sides meet here. The process of the request reads, writes and flushes, as on a socket. The host's own
task, in which it has called the application, does nothing but `converse`: it alone awaits the two
callables that it was given, so a crash of the process cannot hurt it, and its end cannot hurt the process.

Each side waits for the other where a socket would wait: the host is asked for more of the body when the
process has taken what there was, and `flush` returns when the host's server has taken what was written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

import trio
from trio.lowlevel import ParkingLot

from erlmcp_py.transports.net.wire import Wire
from supervisors import send

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

Pairs = list[tuple[bytes, bytes]]


class Way(Wire):
    """Of one request and its response."""

    __slots__ = (
        "_closed", "_finished", "_head", "_hearing", "_host", "_inbox", "_more", "_own", "_saying",
        "_speaking", "_watched", "begun", "complete",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__(cast(Any, None))  # there is a socket, but it is the server's
        self._inbox: deque[bytes] = deque()
        self._more = True
        """Whether the body has not ended."""
        self._head: Message | None = None
        self._own, self._host = ParkingLot(), ParkingLot()
        """Where the process waits, and where the host's tasks do."""
        self._hearing: trio.CancelScope | None = None
        self._speaking: trio.CancelScope | None = None
        self._saying = self._finished = self._closed = self._watched = False
        self.begun = False
        """The server has been given the head of the response."""
        self.complete = False
        """The server has been given all of the response."""

    # --- the side of the process ----------------------------------------------------------

    @property
    def descriptor(self) -> None:
        """The connection cannot be moved."""
        return

    async def read(self) -> bytes:
        """The next bytes of the body; empty at its end, and `gone` if the client broke off."""
        while not self._inbox:
            if self.gone or not self._more:
                return b""
            await self._own.park()
        data = self._inbox.popleft()
        self._host.unpark_all()
        self.bytes_in += len(data)
        return data

    def start(self, status: int, headers: Pairs) -> None:
        """Begin the response; goes out with the next `flush`, or what is written."""
        if not (self.begun or self._head):
            self._head = {"type": "http.response.start", "status": status, "headers": headers}

    def write(self, data: bytes) -> None:
        """Append to the body of the response."""
        if not self._finished:
            super().write(data)

    def finish(self) -> None:
        """There is nothing more to be written."""
        self._finished = True
        self._stop_hearing()

    def _unsaid(self) -> bool:
        """Whether the host has anything to say, or says it."""
        if self.gone or self._closed:
            return False
        if self._saying or self._head is not None or self._out:
            return True
        return self._finished and self.begun and not self.complete

    async def flush(self) -> None:
        """Wait until the server has taken what was written. Never raises."""
        if self._unsaid():
            self._host.unpark_all()
            self.stuck_since = trio.current_time()
            while self._unsaid():
                await self._own.park()
            self.stuck_since = None
        if self.gone:
            self._out.clear()
            self.unsent = 0

    def send_now(self, data: bytes) -> bool:
        """Have it said soon, if nothing waits to be said before it; False if not, and nothing has
        happened.
        """
        if self._unsaid() or self._finished or self.gone:
            return False
        self.write(data)
        self._host.unpark_all()
        return True

    async def watch(self) -> None:
        """Tell the owner's mailbox when the client goes away; runs beside a waiting call."""
        self._watched = True
        self._host.unpark_all()
        while not self.gone:
            await self._own.park()
        send(self.owner, ("disconnected",))

    async def linger(self) -> None:
        """How the connection is closed is up to the server."""

    def part(self) -> None:
        """A request that has begun goes on."""

    def drop(self) -> None:
        """End the conversation in whose turn ever, as if the client had; the owner finds out."""
        self.depart()
        self._stop_hearing()
        if self._speaking is not None:
            self._speaking.cancel()

    def close(self) -> None:
        """The process has ended; what it had finished is still said."""
        self._closed = True
        self._stop_hearing()
        self._own.unpark_all()

    def _stop_hearing(self) -> None:
        """The rest of the body is of no interest."""
        self._host.unpark_all()
        if self._hearing is not None:
            self._hearing.cancel()

    # --- the side of the host ---------------------------------------------------------------

    async def converse(self, receive: Receive, send: Send) -> None:
        """Pass everything on, until the response is complete, or nobody writes or wants it any more.

        WHY not both ways at once from the beginning: most answers are there before a task would be that
        listens for the client's leave. It is started when somebody waits for that.
        """
        with trio.CancelScope() as self._hearing:
            await self._hear(receive, until_body=True)
        self._hearing = None
        await self.speak(send)
        if not (self.gone or self.complete or self._closed):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._hear, receive)
                await self.speak(send, until_watched=False)
                nursery.cancel_scope.cancel()

    async def _hear(self, receive: Receive, until_body: bool = False) -> None:
        """Take in what comes, until the client has gone. until_body: or the body is there."""
        while not (self._over() or (until_body and not self._more)):
            message = await receive()
            if message["type"] == "http.disconnect":
                self.depart()
                return
            if not self._more:
                continue
            self._more = message.get("more_body", False)
            if body := message.get("body", b""):
                self._inbox.append(body)
            self._own.unpark_all()
            while self._inbox and self._more and not self._over():
                await self._host.park()

    def _over(self) -> bool:
        """Whether nobody is interested in what comes."""
        return self.gone or self._finished or self._closed

    async def speak(self, send: Send, *, until_watched: bool = True) -> None:
        """Send what is written. until_watched: or until somebody wants to know whether the client leaves."""
        with trio.CancelScope() as self._speaking:
            while not (self.gone or self.complete):
                if self._head is not None or self._out or self._finished:
                    self._saying = True
                    try:
                        await self._say(send)
                    except OSError:  # what servers raise whose client has gone (ASGI, spec 2.4)
                        self.depart()
                    finally:
                        self._saying = False
                        self._own.unpark_all()
                elif self._closed or (until_watched and self._watched):
                    return
                else:
                    await self._host.park()

    async def _say(self, send: Send) -> None:
        head, self._head = self._head, None
        if head is not None:
            self.begun = True
            await send(head)
        data, done = b"".join(self._out), self._finished
        self._out.clear()
        self.unsent = 0
        if not self.begun:
            self.depart()  # who is finished without an answer has none
        elif data or done:
            await send({"type": "http.response.body", "body": data, "more_body": not done})
            self.bytes_out += len(data)
            self.complete = done

    def depart(self) -> None:
        """The client, or the host's interest in it, has gone."""
        self.gone = True
        self._own.unpark_all()
        self._host.unpark_all()
