"""One client connection over HTTP: it reads, lets `endpoint` decide and `exchange` carry out, and writes.

A request that is answered at once costs no trio task, no nursery and no checkpoint of its own; the
connection parks once per read. What was answered is written in one piece when the bytes that were
read are used up, so pipelined requests share a system call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio

from erlmcp_py.guards import tally
from erlmcp_py.guards.slow_reader import Backlog
from erlmcp_py.protocol import refusals
from erlmcp_py.transports.http.endpoint import Endpoint
from erlmcp_py.transports.http.exchange import carry_out
from erlmcp_py.transports.http.moving import moved
from erlmcp_py.transports.http.plans import refusal
from erlmcp_py.transports.http.request import Fault, HttpRequest, RequestParser
from erlmcp_py.transports.http.response import CONTINUE, JSON, Headers, response
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.sse import SseWriter
from erlmcp_py.transports.net.protocol import Connection as NetConnection
from erlmcp_py.transports.net.wire import WRITE_SOON, Wire
from erlmcp_py.transports.pump import GOING_AWAY
from supervisors import CallExit, call, receive, send

if TYPE_CHECKING:
    from erlmcp_py.transports.websocket.connection import WebSocket


class Connection(NetConnection):
    """The state of one connection; `serve` is its process."""

    __slots__ = (
        "_alone", "_parser", "always", "backlog", "closing", "config", "endpoint", "last_words", "lasting",
        "socket",
    )  # fmt: skip

    def __init__(self, wire: Wire, peer: str, config: ListenerConfig, endpoint: Endpoint) -> None:
        super().__init__(wire, peer, config)
        self.config = config
        self.endpoint = endpoint
        self._parser = RequestParser(config.limits, endpoint.heads)
        self.backlog = Backlog(config.unread, config.slow_reader, wire.drop)
        self._alone = False
        """Nothing more was read than the request that is being answered."""
        self.lasting = False
        """The answer is a stream that ends when the node does, and not by itself."""
        self.last_words: Callable[[], bytes] | None = None
        """What an open stream has to say when the transport stops."""
        self.socket: WebSocket | None = None
        """What the connection has become."""
        self.closing = False
        """End once what was written is sent."""
        self.always: Headers = ()
        """Headers of every response."""
        if config.tls is not None and config.hsts is not None:
            self.always = ((b"Strict-Transport-Security", b"max-age=%d" % config.hsts),)

    def say_goodbye(self) -> None:
        """Send the last words of an open stream, if the system takes them at once."""
        if self.socket is not None:
            self.socket.say_goodbye()
        elif self.last_words is not None and not self.wire.gone:
            self.wire.send_now(self.last_words())

    def drain(self) -> None:
        """End open streams; every other answer is the last one on its connection."""
        super().drain()
        if self.socket is not None:
            self.socket.drain()
        elif self.lasting:
            send(self.pid, GOING_AWAY)

    def persists(self, http: HttpRequest) -> bool:
        """Whether the connection goes on after the answer, which is about to be begun."""
        if self.draining and self._alone and not self.wire.ahead:
            self.closing = True
        return http.keep_alive and not self.closing

    def give_up(self) -> None:
        """408 to a client that dribbles (RFC 9110, 15.5.9)."""
        if self.socket is not None:
            self.socket.give_up()
            return
        answer = refusal(refusals.TIMEOUT, "the request took too long to arrive")
        self.wire.send_now(
            response(answer.status, answer.body, headers=self.always, keep_alive=False)
        )

    def beat(self, now: float) -> None:
        """See whether the other end of a WebSocket is still there."""
        if self.socket is not None:
            self.socket.beat(now)

    @property
    def idle_since(self) -> float | None:
        """As of every connection; a WebSocket is never idle, as long as its pings are answered."""
        return None if self.socket is not None else super().idle_since

    def close(self) -> None:
        """Close the socket, waking whoever waits for it."""
        super().close()
        self._end_socket()

    def _end_socket(self) -> None:
        if self.socket is not None:
            self.socket = None
            self.endpoint.sockets -= 1

    async def serve(self) -> None:
        """Serve until either side closes."""
        parser, wire = self._parser, self.wire
        while True:
            data = await wire.read()
            if not data:
                if wire.parting:
                    await wire.linger()
                return
            events = parser.feed(data)
            between = parser.idle
            for event in events:
                if type(event) is Fault:
                    await self._refuse(event)
                    return
                plan = self.endpoint.decide(event)  # type: ignore[arg-type]
                alone = self._alone = between and event is events[-1]
                if self.config.company is not None and alone and await moved(self, event, plan):  # type: ignore[arg-type]
                    return
                self.begin()
                waiting = carry_out(self, event, plan)  # type: ignore[arg-type]
                if waiting is not None:
                    await waiting
                self.end()
                if wire.unsent > WRITE_SOON:
                    await wire.flush()
                if self.closing or wire.gone:
                    break
            if between:
                self.arriving_since = None
            elif events or self.arriving_since is None:
                self.arriving_since = trio.current_time()
            await wire.flush()
            if self.socket is not None:
                break
            if self.closing or wire.gone or parser.closed:
                await wire.linger()
                return
            if not between and parser.wants_continue:
                wire.write(CONTINUE)
                await wire.flush()
        # The socket may stay for days: nothing of HTTP has to stay with it.
        rest = parser.rest
        del data, event, events, plan, waiting, parser, self._parser
        await self.socket.run(rest)
        self._end_socket()
        await wire.linger()

    async def _refuse(self, fault: Fault) -> None:
        """Answer what could not be read, and close."""
        answer = refusal(fault.entry, fault.reason, status=fault.status)
        tally.count(fault.entry)
        self.wire.write(
            response(
                answer.status,
                answer.body,
                headers=self.always,
                keep_alive=False,
                head_only=fault.head_only,
            )
        )
        await self.wire.flush()
        await self.wire.linger()

    # --- for exchange -------------------------------------------------------------------

    def respond(
        self,
        http: HttpRequest,
        status: int,
        body: bytes,
        content_type: bytes = JSON,
        headers: Headers = (),
    ) -> None:
        """Write the whole response."""
        self.wire.write(
            response(
                status,
                body,
                content_type=content_type,
                headers=(*self.always, *headers) if self.always else headers,
                keep_alive=self.persists(http),
                head_only=http.method == "HEAD",
                version=http.version,
            )
        )

    def events(self, http: HttpRequest) -> SseWriter:
        """Make the response a stream."""
        return SseWriter(version=http.version, keep_alive=self.persists(http))

    async def hand_over(self) -> None:
        """Let another process serve the client, while this one stays with its call.

        For this process the client is then gone. What was read already goes along.
        """
        await self.wire.flush()
        if self.wire.gone:
            return
        successor = self.wire.hand_over()
        try:
            await call(f"{self.config.name}_connections", ("adopt", successor, self.peer))
        except CallExit:
            successor.close()

    async def poll(self) -> Any:
        """A message that is in the mailbox already; None if there is none."""
        try:
            return await receive(timeout=0)
        except trio.TooSlowError:
            return None
