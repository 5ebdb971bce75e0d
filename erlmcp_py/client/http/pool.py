"""Connections to one origin: kept while they are good, made when there is none.

A connection belongs to one request at a time. What has come back is looked at before it is used again: if
the server has closed it, is about to by its own word, or has said something nobody asked for, it is dropped.
So a request is never sent into a connection that is known to be dead; one that dies under it is the
request's own misfortune.
"""

from __future__ import annotations

import math
import os
import re
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import trio

from erlmcp_py.client.errors import ConnectError, ConnectionLost
from erlmcp_py.client.http.address import Address
from erlmcp_py.client.http.response import BadResponse, Head, ResponseParser
from erlmcp_py.client.http.wire import Wire, connect

MAX_IDLE: Final = 16
"""Connections that are kept while nobody uses them."""
MAX_BUSY: Final = 100
"""Requests of one client that may be at an origin at a time; more wait. Streams that stay open
(subscriptions) are not counted."""
CONNECT_TIMEOUT: Final = 10.0
"""Seconds for the connection and its TLS handshake."""
BODY_LIMIT: Final = 16 * 1024 * 1024
EARLY: Final = 1.0
"""Seconds before the server would close it, by its `Keep-Alive` header, in which a connection is not used
any more: a request that is under way in that moment is lost."""

_TIMEOUT: Final = re.compile(r"(?:^|[\s,])timeout=(\d{1,9})(?:$|[\s,])", re.IGNORECASE)


class Reply:
    """A response of which the head has come. `close` it, whatever happens."""

    __slots__ = ("_heard", "_parser", "_pool", "_wire", "head")

    def __init__(self, pool: Pool, wire: Wire, parser: ResponseParser, head: Head) -> None:
        self._pool = pool
        self._wire = wire
        self._parser = parser
        self._heard = trio.current_time()
        self.head = head

    async def more(self) -> bytes:
        """What has come of the body since; empty at its end. Raises ConnectionLost."""
        parser = self._parser
        while not parser.body and not parser.done:
            await self._advance()
        return parser.take()

    async def body(self) -> bytes:
        """The rest of the body. Raises ConnectionLost."""
        while not self._parser.done:
            await self._advance()
        return self._parser.take()

    async def _advance(self) -> None:
        await _advance(self._wire, self._parser)
        self._heard = trio.current_time()

    def close(self) -> None:
        """No more is wanted of it. The connection is kept if the response has ended, or is about to."""
        self._pool.give_back(self._wire, self._parser, self._heard)

    def abort(self) -> None:
        """Close the connection: to a server of 2026-07-28 this cancels the request."""
        self._wire.close()


class Pool:
    """Of one client and one origin. made: counts the connections that were made."""

    def __init__(self, address: Address, tls: Callable[[], ssl.SSLContext]) -> None:
        self._address = address
        self._tls = tls
        self._context: ssl.SSLContext | None = None
        self._idle: list[tuple[Wire, ResponseParser, float]] = []
        """With the time until which each may be used."""
        self._closed = False
        self.busy = trio.Semaphore(MAX_BUSY)
        self.made = 0

    async def open(self, head: bytes, body: bytes = b"") -> Reply:
        """Send a request and wait for the head of its response.

        Raises ConnectError (nothing was sent), ConnectionLost.
        """
        wire = self._kept() or await self._connect()
        parser = ResponseParser(BODY_LIMIT)
        try:
            try:
                await wire.send(head + body)
            except OSError as problem:
                # A server may answer before it has read everything, and close.
                if not isinstance(problem, BrokenPipeError | ConnectionResetError):
                    raise
            while parser.head is None:
                await _advance(wire, parser)
        except BaseException as problem:
            wire.close()
            if isinstance(problem, OSError):
                raise ConnectionLost(f"{self._address.origin}: {problem}") from None
            raise
        return Reply(self, wire, parser, parser.head)

    def give_back(self, wire: Wire, parser: ResponseParser, heard: float) -> None:
        """Keep the connection, if it may be used again. heard: when something came last."""
        if self._closed or not parser.keep_alive or len(self._idle) >= MAX_IDLE:
            wire.close()
        else:
            said = None if parser.head is None else parser.head.headers.get("keep-alive")
            good_for = math.inf if said is None else _good_for(said)
            self._idle.append((wire, parser, heard + good_for))

    def close(self) -> None:
        """Of the kept ones all; of the others each when it is given back."""
        self._closed = True
        while self._idle:
            self._idle.pop()[0].close()

    def _kept(self) -> Wire | None:
        while self._idle:
            wire, parser, until = self._idle.pop()
            if trio.current_time() < until and _is_free(wire, parser):
                return wire
            wire.close()
        return None

    async def _connect(self) -> Wire:
        address = self._address
        if address.scheme == "https" and self._context is None:
            self._context = self._tls()
        try:
            with trio.fail_after(CONNECT_TIMEOUT):
                wire = await connect(address.host, address.port, self._context)
        except trio.TooSlowError:
            text = f"{address.origin}: no connection within {CONNECT_TIMEOUT:g} s"
            raise ConnectError(text) from None
        except OSError as problem:
            text = _reason(problem)
            raise ConnectError(f"{address.origin}: no connection: {text}") from None
        self.made += 1
        return wire


async def _advance(wire: Wire, parser: ResponseParser) -> None:
    try:
        data = await wire.receive()
        if data:
            parser.feed(data)
        else:
            parser.eof()
    except (BadResponse, OSError, trio.ClosedResourceError) as problem:
        wire.close()
        raise ConnectionLost(str(problem)) from None


@lru_cache(maxsize=64)
def _good_for(keep_alive: str) -> float:
    """Seconds, by the value of the header."""
    found = _TIMEOUT.search(keep_alive)
    return math.inf if found is None else max(0.0, int(found[1]) - EARLY)


def _is_free(wire: Wire, parser: ResponseParser) -> bool:
    """Whether the last response has ended by now and nothing came behind it."""
    try:
        while (data := wire.poll()) is not None:
            if not data or parser.done:
                return False
            parser.feed(data)
            parser.take()
    except (BadResponse, OSError):
        return False
    return parser.done and parser.keep_alive


def _reason(problem: OSError) -> str:
    """One line; what was tried at several addresses is said once for each."""
    if isinstance(problem.__cause__, BaseExceptionGroup):
        problems = dict.fromkeys(
            os.strerror(one.errno) if isinstance(one, OSError) and one.errno else str(one)
            for one in problem.__cause__.exceptions
        )
        return "; ".join(problems)
    return problem.strerror or str(problem)
