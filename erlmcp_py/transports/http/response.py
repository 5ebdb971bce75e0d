"""The writing half of HTTP/1.1, without I/O: a response is one bytes object.

WHY one object: a head and a body in two writes are two system calls and, with Nagle's
algorithm off, two packets. Everything that does not change from response to response
(status lines, the `Date` of the running second) is made once and kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

Headers = Iterable[tuple[bytes, bytes]]

JSON: Final = b"application/json"
TEXT: Final = b"text/plain; charset=utf-8"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii")
    for status in HTTPStatus
}
BODILESS: Final = frozenset({204, 304})


class _DateLine:
    """The `Date` header (RFC 9110, 6.6.1), rendered once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._line = b""

    def __call__(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._line = b"Date: " + formatdate(second, usegmt=True).encode("ascii") + b"\r\n"
        return self._line


_date_line = _DateLine()


def connection_line(keep_alive: bool, version: str) -> bytes:
    """The `Connection` header where the version's default is not what is meant, else nothing."""
    if keep_alive:
        return b"" if version == "1.1" else b"Connection: keep-alive\r\n"
    return b"Connection: close\r\n"


def head(status: int, headers: Headers, *, keep_alive: bool, version: str = "1.1") -> bytes:
    """Status line and headers with the blank line; framing headers are the caller's."""
    lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
    return b"".join(
        (_STATUS_LINES[status], _date_line(), connection_line(keep_alive, version), lines, b"\r\n")
    )


def switching(headers: Headers) -> bytes:
    """The answer after which the connection speaks another protocol (RFC 9110, 15.2.2)."""
    return head(101, headers, keep_alive=True)


def response(
    status: int,
    body: bytes = b"",
    *,
    content_type: bytes = JSON,
    headers: Headers = (),
    keep_alive: bool = True,
    head_only: bool = False,
    version: str = "1.1",
) -> bytes:
    """A whole response.

    status: a status code the standard library knows. content_type: left out when there is no
    body. headers: further pairs, as they go on the wire. head_only: the answer to HEAD, which
    names the length but not the bytes (RFC 9110, 9.3.2).
    """
    parts = [_STATUS_LINES[status], _date_line()]
    if not keep_alive or version != "1.1":
        parts.append(connection_line(keep_alive, version))
    if headers:
        parts.extend([b"%b: %b\r\n" % pair for pair in headers])
    if status in BODILESS:
        parts.append(b"\r\n")
        return b"".join(parts)
    if body:
        parts.append(b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n" % (content_type, len(body)))
        if not head_only:
            parts.append(body)
    else:
        parts.append(b"Content-Length: 0\r\n\r\n")
    return b"".join(parts)
