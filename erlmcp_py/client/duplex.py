"""A link over a channel that carries messages both ways: standard input and output, sockets."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import msgspec
import trio
from msgspec import UNSET

from erlmcp_py.client.calls import Answer, Call, InFlight, TimeIsUp
from erlmcp_py.client.channels import Channel
from erlmcp_py.client.deadlines import Deadlines
from erlmcp_py.client.errors import BadAnswer, ConnectionLost
from erlmcp_py.client.identity import Identity, encode_call, encode_notification
from erlmcp_py.client.inbox import Inbox, report
from erlmcp_py.client.link import Hello
from erlmcp_py.protocol.errors import DecodeError
from erlmcp_py.protocol.jsonrpc import Notification, Request, decode
from erlmcp_py.protocol.notifications import CANCELLED
from erlmcp_py.protocol.versions import LATEST, Era
from erlmcp_py.transports.framing import Message, TooLong

MAX_GARBAGE: Final = 100
"""Lines in a row that are no message: programs print what they should not, but not without end."""
LAST_WORDS: Final = 1.0
"""Seconds in which a server that cannot be written to any more may still be read."""


class _Named(msgspec.Struct):
    method: Any = UNSET


_named = msgspec.json.Decoder(_Named).decode


class DuplexLink:
    """A `Link`."""

    keeps_time = True

    def __init__(self, channel: Channel, identity: Identity, inbox: Inbox) -> None:
        self.era: Era = "modern"
        self.version: str = LATEST
        self.hello: Hello | None = None
        self.calls = InFlight()
        self._deadlines = Deadlines(self.calls)
        self._channel = channel
        self._identity = identity
        self._inbox = inbox
        self._garbage = 0
        self._lost: Callable[[], BaseException] | None = None

    async def send(self, call: Call) -> Answer:
        """See `Link`."""
        if self._lost is not None:
            raise ConnectionLost("the connection has ended", maybe_done=False)
        if self._channel.full:
            await self._room(call)
        calls = self.calls
        calls.begin(call)
        if call.deadline < math.inf:
            call.note = self._deadlines.note
            call.note(call.deadline)
        meta = self._identity.modern_meta(self.version, call) if self.era == "modern" else {}
        try:
            self._channel.write(encode_call(call, meta))
            return await call.wait()
        except (trio.Cancelled, TimeIsUp):
            if calls.find(call.id) is call and call.method != "initialize":
                self._cancel(call)
            raise
        finally:
            calls.end(call)

    async def _room(self, call: Call) -> None:
        with trio.CancelScope(deadline=call.deadline) as scope:
            await self._channel.room()
        if scope.cancelled_caught:
            raise TimeIsUp

    def _cancel(self, call: Call) -> None:
        params = {"requestId": call.id, "reason": "the client wants no answer any more"}
        try:
            self._channel.write(encode_notification(CANCELLED, params))
        except ConnectionLost:
            return  # it is cancelled all the more

    async def tell(self, method: str, params: Any) -> None:
        """See `Link`."""
        self._channel.write(encode_notification(method, params))
        await self._channel.room()

    def greeted(self, hello: Hello) -> None:
        """See `Link`."""
        self.hello = hello

    async def attend(self) -> None:
        """Read, to the end."""
        lost: list[ConnectionLost] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._deadlines.run)
            nursery.start_soon(self._write, lost, nursery.cancel_scope)
            lost.append(await self._read())
            nursery.cancel_scope.cancel()
        raise lost[0]

    async def _write(self, lost: list[ConnectionLost], scope: trio.CancelScope) -> None:
        await self._channel.run()
        # Nothing can be sent any more. Who reads finds out why, if anybody does.
        await trio.sleep(LAST_WORDS)
        lost.append(ConnectionLost("the server does not read any more"))
        scope.cancel()

    async def _read(self) -> ConnectionLost:
        """Why there is nothing more to read."""
        try:
            while messages := await self._channel.receive():
                for message in messages:
                    self._take(message)
        except OSError as problem:
            return ConnectionLost(f"{self._channel.why()}: {problem}")
        except ConnectionLost as lost:
            return lost
        return ConnectionLost(self._channel.why())

    async def listening(self) -> None:
        """See `Link`."""

    def lose(self, make: Callable[[], BaseException]) -> None:
        """See `Link`."""
        self._lost = make
        self.calls.fail(make)
        self._inbox.forget(self)

    def _take(self, data: Message) -> None:
        if isinstance(data, TooLong):
            raise ConnectionLost(f"the server sent a message longer than {data.limit} bytes")
        try:
            message = decode(data)
        except DecodeError as problem:
            if data.strip() and not self._spoil(data, problem):
                self._count_garbage(data, problem)
            return
        self._garbage = 0
        if isinstance(message, Notification):
            self._inbox.notified(message, self, self.calls.find)
        elif isinstance(message, Request) and self.era == "modern" and self.hello is not None:
            report("the server sent a request, which 2026-07-28 forbids", message.method)
        elif isinstance(message, Request):
            self._inbox.asked(message, self, self.version, self._reply, self.calls.all())
        else:
            self.calls.answered(message)

    def _reply(self, answer: bytes) -> None:
        try:
            self._channel.write(answer)
        except ConnectionLost:
            return  # nobody waits for it any more

    def _spoil(self, data: bytes, problem: DecodeError) -> bool:
        """Whether this is what a request gets for an answer, malformed as it is."""
        call = None if problem.id is None else self.calls.find(problem.id)
        if call is None or _named(data).method is not UNSET:
            return False
        self.calls.end(call)
        call.settle(BadAnswer(f"the answer is no JSON-RPC message: {problem.message}"))
        return True

    def _count_garbage(self, data: bytes, problem: DecodeError) -> None:
        self._garbage += 1
        if self._garbage > MAX_GARBAGE:
            raise ConnectionLost(f"the server sends no messages but {_shown(data)}")
        if self._garbage == 1:
            report(
                "the server sent a line that is no message", f"{_shown(data)}: {problem.message}"
            )


def _shown(data: bytes) -> str:
    return repr(data[:80])[1:]
