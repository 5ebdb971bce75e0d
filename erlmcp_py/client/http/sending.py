"""One HTTP request and the head of its response: headers, authorization, redirects."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

from erlmcp_py.client.errors import HttpStatus
from erlmcp_py.client.http.address import Address
from erlmcp_py.client.http.authorizing import MAX_TRIES, Answered, Authorizer
from erlmcp_py.client.http.headers import header_lines, secrets_of
from erlmcp_py.client.http.pool import Pool, Reply
from erlmcp_py.client.shown import CUT
from erlmcp_py.client.where import AtUrl

_MAX_MOVES: Final = 3
_MAX_LENT: Final = 512
"""Secrets of an authorizer that are remembered: a request that is under way has others than the next."""
_REPEATED: Final = 128 * 1024
"""Bytes of a body in which secrets are looked for."""


class Sender:
    """Sends requests to one endpoint, and follows it if it moves within its origin.

    WHY no further: a request carries credentials and arguments, and a redirect elsewhere would hand them
    to somebody the user has not named. 307 and 308 keep method and body; the others do not.
    """

    def __init__(self, where: AtUrl) -> None:
        self._address = where.address
        self._authorizer: Authorizer | None = where.authorizer
        self._fixed = header_lines(where.headers)
        self._secrets = secrets_of(where.headers)
        self._lent: dict[str, None] = {}
        """Those of the authorizer, the latest last."""
        self._start: dict[str, bytes] = {}
        self.pool = Pool(where.address, lambda: where.tls or ssl.create_default_context())

    @property
    def address(self) -> Address:
        """Where the endpoint is now."""
        return self._address

    async def open(self, method: str, headers: bytes, body: bytes = b"") -> Reply:
        """Send it; the reply is the caller's to close. headers: whole lines.

        Raises ConnectError, ConnectionLost, HttpStatus, and what an authorizer raises.
        """
        tries = moves = 0
        while True:
            tries += 1
            extra = headers
            if self._authorizer is not None:
                lent = await self._authorizer.headers(method, self._address.url)
                self._lend(lent)
                extra += header_lines(lent)
            reply = await self.pool.open(self._head(method) + extra + _end(method, body), body)
            status = reply.head.status
            if status in (301, 302, 303, 307, 308):
                moves += 1
                self._move(reply, moves)
            elif self._authorizer is None or not await self._again(reply, method, tries):
                return reply

    def _lend(self, headers: Mapping[str, str]) -> None:
        lent = self._lent
        for secret in secrets_of(headers):
            lent.pop(secret, None)
            lent[secret] = None
        while len(lent) > _MAX_LENT:
            del lent[next(iter(lent))]

    def _head(self, method: str) -> bytes:
        start = self._start.get(method)
        if start is None:
            address = self._address
            line = f"{method} {address.target} HTTP/1.1\r\nHost: {address.authority}\r\n"
            start = self._start[method] = line.encode("ascii") + self._fixed
        return start

    def _move(self, reply: Reply, moves: int) -> None:
        head = reply.head
        reply.abort()
        location = head.headers.get("location", "")
        text = f"the server redirects ({head.status}) to {location[:200]!r}"
        try:
            there = self._address.join(location)
        except ValueError:
            raise HttpStatus(self._address.shown, head.status, f"{text}, which is no URL") from None
        if head.status not in (307, 308) or there.origin != self._address.origin:
            why = "such redirects are not followed; use that URL if you trust it"
            raise HttpStatus(self._address.shown, head.status, f"{text}; {why}")
        if moves > _MAX_MOVES:
            raise HttpStatus(self._address.shown, head.status, f"{text}, again and again")
        self._address = there
        self._start = {}

    async def _again(self, reply: Reply, method: str, tries: int) -> bool:
        assert self._authorizer is not None
        head = reply.head
        body = b""
        try:
            if head.status in (401, 403):
                body = await reply.body()
            start = body[:4096]
            answer = Answered(method, self._address.url, head.status, head.headers, tries, start)
            again = await self._authorizer.answered(answer)
        except BaseException:
            reply.abort()
            raise
        if head.status not in (401, 403):
            return False
        reply.close()
        if again and tries < MAX_TRIES:
            return True
        raise HttpStatus(self._address.shown, head.status, self.said(body))

    def said(self, body: bytes) -> str:
        """What a person can make of a body: its first line, not too long, without what we have sent."""
        lines = body[:_REPEATED].decode(errors="replace").strip().splitlines()
        line = lines[0] if lines else ""
        for secret in sorted({*self._secrets, *self._lent}, key=len, reverse=True):
            line = line.replace(secret, CUT)
        return line[:200]

    def close(self) -> None:
        """Close what is idle."""
        self.pool.close()


def _end(method: str, body: bytes) -> bytes:
    if method == "POST":
        return b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return b"\r\n"
