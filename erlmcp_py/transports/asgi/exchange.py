"""One request through an ASGI server: a connection of ours that has one request, and no bytes of HTTP.

What it asks for is decided and carried out in the same rooms as on a listener of our own. Other than
there, the connection is the host's: whether it lives on, and what headers it needs besides, is not said here.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec
import trio

from erlmcp_py.guards import tally
from erlmcp_py.protocol import refusals
from erlmcp_py.transports.asgi.scopes import Scope, peer, prefix, read_head, too_large
from erlmcp_py.transports.asgi.way import Pairs, Way
from erlmcp_py.transports.http.connection import Connection
from erlmcp_py.transports.http.endpoint import Endpoint
from erlmcp_py.transports.http.exchange import carry_out
from erlmcp_py.transports.http.malformed import Malformed
from erlmcp_py.transports.http.plans import Answer, OpenSse, Plan, PostSse, refusal
from erlmcp_py.transports.http.request import HttpRequest
from erlmcp_py.transports.http.response import BODILESS, JSON, Headers
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.sse import HEADERS, SseWriter

_LINGER: Final = 1.0
"""Seconds that the rest of a refused request is passed over."""
_LATE: Final = "the request took too long to arrive"


class Events(SseWriter):
    """A stream whose framing is the server's."""

    __slots__ = ("_way",)

    def __init__(self, way: Way) -> None:
        super().__init__()
        self.chunked = False
        self._way = way

    def start(self, headers: Headers = ()) -> bytes:
        """Nothing to write: the head is told to the server."""
        self._way.start(200, _pairs((*HEADERS, *headers)))
        return b""


class Exchange(Connection):
    """The state of one request; `serve` is its process."""

    __slots__ = ("_scope", "_way")

    def __init__(self, way: Way, scope: Scope, config: ListenerConfig, endpoint: Endpoint) -> None:
        super().__init__(way, peer(scope), config, endpoint)
        self._way = way
        self._scope = scope

    async def serve(self) -> None:
        """Read the request, carry it out, and see the response off."""
        way = self._way
        self.arriving_since = trio.current_time()
        try:
            http = await self._read()
        except Malformed as problem:
            self.arriving_since = None
            # Most clients send all of it before they read, and servers close on those who still do.
            with trio.move_on_after(_LINGER):
                while await way.read():
                    pass
            tally.count(problem.entry)
            write(way, refusal(problem.entry, problem.reason, status=problem.status))
        else:
            if http is None:
                return
            self.begin()
            waiting = carry_out(self, http, self._decide(http))
            if waiting is not None:
                await waiting
            self.end()
        way.finish()
        await way.flush()

    async def _read(self) -> HttpRequest | None:
        """The whole request; None if the client broke off. Raises Malformed."""
        limits = self.config.limits
        http = read_head(self._scope, limits)
        body = await self._way.read()
        if more := body and await self._way.read():
            whole = bytearray(body)
            while more:
                whole += more
                if len(whole) > limits.max_body:
                    break
                more = await self._way.read()
            body = bytes(whole)
        if len(body) > limits.max_body:
            raise too_large(limits)
        if self._way.gone:
            return None
        return msgspec.structs.replace(http, body=body) if body else http

    def _decide(self, http: HttpRequest) -> Plan:
        """What is asked for; paths that the client is told begin where the application is mounted."""
        plan = self.endpoint.decide(http)
        mounted = prefix(self._scope)
        if isinstance(plan, OpenSse):
            return msgspec.structs.replace(plan, post_to=quote(mounted) + plan.post_to)
        if isinstance(plan, PostSse):
            return msgspec.structs.replace(plan, stream=mounted + plan.stream)
        return plan

    # --- for the rooms of HTTP --------------------------------------------------------------

    def respond(
        self,
        http: HttpRequest,
        status: int,
        body: bytes,
        content_type: bytes = JSON,
        headers: Headers = (),
    ) -> None:
        """Have the whole response said."""
        _respond(self._way, status, body, content_type, headers, head_only=http.method == "HEAD")

    def events(self, http: HttpRequest) -> Events:  # noqa: ARG002 - nothing depends on it here
        """The response as a stream."""
        return Events(self._way)

    async def hand_over(self) -> None:
        """The response has ended, and the host goes on with the client, while the call has not."""
        self._way.finish()
        await self._way.flush()
        self._way.gone = True

    # --- in the pool's turn -----------------------------------------------------------------

    def say_goodbye(self) -> None:
        """Have the last words of an open stream said."""
        if self.last_words is not None and not self._way.gone:
            self._way.write(self.last_words())
            self._way.finish()

    def give_up(self) -> None:
        """408 to a client that dribbles."""
        tally.count(refusals.TIMEOUT)
        write(self._way, refusal(refusals.TIMEOUT, _LATE))


def write(way: Way, answer: Answer) -> None:
    """Write a whole answer that nobody has to be asked for."""
    _respond(way, answer.status, answer.body, answer.content_type, answer.headers)
    way.finish()


def _respond(
    way: Way,
    status: int,
    body: bytes,
    content_type: bytes,
    headers: Headers,
    *,
    head_only: bool = False,
) -> None:
    pairs = _pairs(headers)
    if body:
        pairs.append((b"content-type", content_type))
    if status not in BODILESS:
        pairs.append((b"content-length", b"%d" % len(body)))
    way.start(status, pairs)
    if not head_only:
        way.write(body)


def _pairs(headers: Headers) -> Pairs:
    """Names in lower case, which ASGI asks for."""
    return [(name.lower(), value) for name, value in headers]
