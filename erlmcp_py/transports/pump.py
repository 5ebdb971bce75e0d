"""One client on a socket that carries messages both ways, however they are framed.

What comes is cut into messages by the transport (`Pump.received`), and what is said is a `Conversation`.

One task reads and takes a turn with what it has read: messages are acted on, the mailbox is emptied, and
all that came of it is sent in one piece. That is all there is for a client of 2026-07-28 whose requests
are answered at once. When mail can come between turns (a call that takes its time, a subscription, a
handshake), a second task waits for it. A third one sends what the system did not take, as long as there
is something; that is how the process goes on when the client does not read:

- with more than `WRITE_SOON` bytes unread, nothing more is read from the client, news of progress are
  dropped, and changes wait, each once;
- with more than `unread`, or when nothing has been taken for `idle_timeout`, the connection is closed.

WHY the mail of a turn wakes nobody: a plain handler answers on the reader's stack, into this mailbox. To
have another task wake up for that costs as much as the whole request.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

import trio

from erlmcp_py.guards import tally
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import refused
from erlmcp_py.transports.conversation import Conversation, Limits, Memory
from erlmcp_py.transports.framing import Message, TooLong
from erlmcp_py.transports.net.protocol import Connection
from erlmcp_py.transports.net.wire import WRITE_SOON
from supervisors import Exit, receive, send, yield_

SLOW_READER: Final = ("shutdown", "slow_reader")
"""Exit reason when the client leaves too much unread."""


GOING_AWAY: Final = ("going_away",)
"""What a process is sent to which something lasting belongs, when the node is to end."""


class Pump:
    """The client of a connection. A transport's own is a subclass with `received`, `rest` and `answered`.

    wrap: a message as it is sent. limits: of the client. unread: bytes of answers that it may leave
    unread. server: which one is served; None for the one the transport is bound to, or the node's
    default.
    """

    __slots__ = (
        "_ended", "_free", "_hearing", "_held", "_inbox", "_nursery", "_out", "_out_size", "_over",
        "_requests", "_room", "_sending", "_too_slow", "_turning", "_unavailable", "_unread", "_wrap",
        "_written", "connection", "more", "mute", "stopped", "talk", "wire",
    )  # fmt: skip

    def __init__(
        self,
        connection: Connection,
        wrap: Callable[[bytes], bytes],
        *,
        limits: Limits,
        unread: int,
        server: str | None,
    ) -> None:
        self.connection = connection
        wire = self.wire = connection.wire
        self._wrap = wrap
        self._unread = unread
        transport = connection.settings.name
        self.talk = Conversation(
            limits,
            Memory(),
            self._write,
            transport=transport,
            server=server,
            client=f"{transport} {secrets.token_hex(8)}",
        )
        self._requests, self._unavailable = connection.requests, connection.unavailable
        self._inbox: list[Message] = []
        """What is still to be acted on, the last message first."""
        self._nursery: trio.Nursery | None = None
        self._hearing = self._sending = False
        """Whether the second and the third task run."""
        self._turning = False
        self._free: trio.Event | None = None
        """Set at the end of a turn that others wait for."""
        self._room: trio.Event | None = None
        """Set when there may be room to read more."""
        self._over: trio.Event | None = None
        """Set, after the end of the input, when everything is answered and sent."""
        self._out: list[bytes] = []
        self._out_size = 0
        self._written = wire.bytes_out + wire.unsent
        """Bytes handed to the wire."""
        self._held: list[Any] = []
        """Changes that wait until the client reads."""
        self.more = False
        """There is more in what was received, which is to be received with the next bytes or none."""
        self.stopped = False
        """Nothing more is to be read."""
        self.mute = False
        """Nothing more is to be said."""
        self._ended = False
        """The client says no more."""
        self._too_slow = False

    # --- what a transport adds ----------------------------------------------------------

    def received(self, data: bytes) -> list[Message]:
        """Messages that became complete; where `stopped` is set, the last ones."""
        raise NotImplementedError

    def rest(self) -> list[Message]:
        """What counts as a message at the end of the input."""
        raise NotImplementedError

    def answered(self) -> bool:
        """At the end of the input, when every message has been acted on, and then after each turn:
        whether nothing more is to be sent.
        """
        raise NotImplementedError

    def last_words(self) -> bytes:
        """What is sent behind the end of open streams when the transport stops."""
        return b""

    # --- the life of the client ---------------------------------------------------------

    async def run(self, data: bytes = b"") -> None:
        """Until everything is answered that was asked before the end of the input, or the client is gone.

        data: what has been read already.
        """
        talk = self.talk
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                await self._read(data)
                self._ended = True
                self._over = trio.Event()
                if not self.wire.gone:
                    await self._turn()
                    await self._over.wait()
                nursery.cancel_scope.cancel()
        finally:
            self._nursery = None
            talk.abandon("the connection was closed")
        if self._too_slow:
            tally.count(refusals.QUEUE_BYTES_EXCEEDED)
            raise Exit(SLOW_READER)

    def say_goodbye(self) -> None:
        """End open streams in order, as far as the system takes it at once; in the pool's turn."""
        if self.wire.gone or self.mute:
            return
        self.talk.say_goodbye("the transport stops")
        self.put(self.last_words())
        self.mute = True
        self.wire.send_now(self._collect())

    def drain(self) -> None:
        """The node is to end: open streams end, requests go on; in the pool's turn."""
        if self.talk.expectant:
            send(self.connection.pid, GOING_AWAY)

    def put(self, data: bytes) -> None:
        """Send bytes, whatever they are, with the rest of the turn."""
        self._out.append(data)
        self._out_size += len(data)

    def put_now(self, data: bytes) -> bool:
        """Send bytes between turns, in whose turn ever; False if others wait to be sent."""
        if self._out or not self.wire.send_now(data):
            return False
        self._written += len(data)
        self._send_later()
        return True

    @property
    def _lag(self) -> int:
        """Bytes that the client has been sent and the system has not taken."""
        return self._written - self.wire.bytes_out

    @property
    def behind(self) -> bool:
        """Whether the client leaves so much unread that nothing is read from it."""
        return self._lag > WRITE_SOON

    # --- the three tasks ----------------------------------------------------------------

    async def _read(self, data: bytes) -> None:
        """Until the client says no more."""
        wire = self.wire
        while data or self.more or (data := await wire.read()):
            messages = self.received(data)
            data = b""
            if messages:
                self._fill(messages)
            if messages or self._out:
                await self._turn()
            while self._inbox or (self.behind and not self.stopped):
                self.connection.arriving_since = None  # it is not the client that keeps it waiting
                self._room = trio.Event()
                await self._room.wait()
            if self.stopped:
                return
            if self.more:
                await yield_()
        self._fill([] if wire.parting else self.rest())

    def _fill(self, messages: list[Message]) -> None:
        """Fill the inbox, which is empty."""
        messages.reverse()
        self._inbox = messages
        self.connection.last_request_at = trio.current_time()

    async def _hear(self) -> None:
        """Take a turn when mail comes and nobody has one."""
        hearer = trio.lowlevel.current_task()

        def wanted(_message: Any) -> bool:
            # Once awake it takes what it finds; `receive` does not look twice at what it left.
            return not self._turning or trio.lowlevel.current_task() is hearer

        while True:
            self._handle(await receive(wanted))
            await self._turn()

    async def _send_rest(self) -> None:
        """Wait for the client to take what the system did not, and go on."""
        wire = self.wire
        while wire.unsent:
            await wire.flush()
        self._sending = False
        if wire.gone:
            self._end()
        await self._turn()
        if self._room is not None:
            self._room.set()

    def _end(self) -> None:
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    # --- a turn -------------------------------------------------------------------------

    async def _turn(self) -> None:
        """Act on what has come from either side, and send what came of it."""
        while self._turning:
            if self._free is None:
                self._free = trio.Event()
            await self._free.wait()
        talk, connection = self.talk, self.connection
        self._turning = True
        try:
            while True:
                if self._inbox:
                    await self._take()
                await talk.advance()
                if not await self._drain():
                    break
            connection.requests = self._requests + talk.requests
            connection.unavailable = self._unavailable + talk.overloaded
            connection.waiting = not talk.idle
            over = self._ended and not self._inbox and self.answered()
            self._send()
            if over and not self._lag and self._over is not None:
                self._over.set()
            if self._lag > self._unread:
                self._too_slow = True
                self._end()
            if not self._hearing and talk.expectant and self._nursery is not None:
                self._hearing = True
                self._nursery.start_soon(self._hear)
        finally:
            self._turning = False
            if self._free is not None:
                free, self._free = self._free, None
                free.set()

    async def _take(self) -> None:
        """Act on what the client has said, as long as it reads what it is told."""
        talk, inbox = self.talk, self._inbox
        while inbox and not self.behind:
            if talk.crowded:
                await self._drain()
                await talk.advance()
            message = inbox.pop()
            if isinstance(message, TooLong):
                text = f"the message is longer than {message.limit} bytes"
                talk.reject(refused(refusals.TOO_LARGE, text))
            else:
                await talk.take(message)
            if self._out_size > WRITE_SOON:
                self._send()

    async def _drain(self) -> bool:
        """Handle what is in the mailbox; True if there was something."""
        talk = self.talk
        talk.behind = self.behind
        if self._held and not talk.behind:
            held, self._held = self._held, []
            for message in held:
                talk.handle(message)
        any_message = False
        while True:
            try:
                message = await receive(timeout=0)
            except trio.TooSlowError:
                return any_message
            any_message = True
            self._handle(message)
            if self._out_size > WRITE_SOON:
                self._send()
                talk.behind = self.behind

    def _handle(self, message: Any) -> None:
        talk = self.talk
        if message == GOING_AWAY:
            talk.say_goodbye("the node is going down")
        elif talk.behind and isinstance(message, tuple) and message[:1] == ("changed",):
            self._held.append(message)
        else:
            talk.handle(message)

    # --- out ----------------------------------------------------------------------------

    def _write(self, message: bytes) -> None:
        if not self.mute:
            self.put(self._wrap(message))

    def _send(self) -> None:
        """Send what was written, in one piece; what the system does not take is left to the writer."""
        data = self._collect()
        if not data:
            return
        if not self.wire.send_now(data):
            self.wire.write(data)
        self._send_later()

    def _send_later(self) -> None:
        """Have the third task send what the system did not take; in whose turn ever."""
        nursery = self._nursery
        if self.wire.unsent and not self._sending and nursery is not None:
            self._sending = True
            # A task belongs to the process in whose context it is started.
            nursery.parent_task.context.copy().run(nursery.start_soon, self._send_rest)

    def _collect(self) -> bytes:
        """Take what was written."""
        out = self._out
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        self._out_size = 0
        self._written += len(data)
        return data
