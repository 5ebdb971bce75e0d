"""A chunked body, decoded (RFC 9112, 7.1), without I/O.

As strict as the grammar: CRLF and nothing else ends a line, a size is hexadecimal digits and nothing
else, no white space around an extension. Extensions are read and forgotten. So are trailers, but one
that a recipient who merges it into the head would act on is refused: it could frame, route or
authorize the request in another way than the head did (RFC 9110, 6.5.1).
"""

from __future__ import annotations

import re
from typing import Final

from erlmcp_py.protocol.refusals import TOO_LARGE
from erlmcp_py.transports.http.malformed import Malformed

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TEXT: Final = rb"[\t\x20-\x7e\x80-\xff]"
_QUOTED: Final = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\' + _TEXT + rb')*"'
_SIZE: Final = re.compile(
    rb"([0-9A-Fa-f]{1,16})((?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*)"
)
_SIZE_BEGUN: Final = re.compile(rb"[0-9A-Fa-f]{1,16}(?:;" + _TEXT + rb"*)?\r?")
_TRAILER: Final = re.compile(rb"(" + _TOKEN + rb"):" + _TEXT + rb"*")
_MAX_EXTENSIONS: Final = 4096  # bytes, over all chunks of a body
_FORBIDDEN: Final = frozenset(
    b"accept authorization cache-control connection content-encoding content-length content-range "
    b"content-type cookie expect forwarded host keep-alive last-event-id max-forwards origin "
    b"proxy-authorization proxy-connection range te trailer transfer-encoding upgrade".split()
)
_FORBIDDEN_FAMILIES: Final = (b"mcp-", b"sec-", b"x-forwarded-", b"if-")


class ChunkedBody:
    """One body as it comes. body: what has come of it; done: whether that is all."""

    __slots__ = (
        "_extensions",
        "_last",
        "_left",
        "_max_body",
        "_max_trailer",
        "_max_trailers",
        "body",
        "done",
    )

    def __init__(self, max_body: int, max_trailer: int, max_trailers: int) -> None:
        """max_trailer: bytes, max_trailers: lines that the trailers may have."""
        self._max_body = max_body
        self._max_trailer = max_trailer
        self._max_trailers = max_trailers
        self._left = -1  # of a chunk, its CRLF included; -1: a size comes next
        self._extensions = 0
        self._last = False
        self.body = bytearray()
        self.done = False

    def feed(self, data: bytes, at: int) -> int:
        """Go on at `at`; where it ended. What is behind that has to come again, with more.

        Raises Malformed.
        """
        while not self.done:
            if self._last:
                after = self._trailer(data, at)
            elif self._left < 0:
                after = self._size(data, at)
            else:
                after = self._data(data, at)
            if after == at:
                break
            at = after
        return at

    def _size(self, data: bytes, at: int) -> int:
        end = data.find(b"\r\n", at, at + _MAX_EXTENSIONS)
        if end < 0:
            begun = data[at : at + _MAX_EXTENSIONS]
            if begun and not _SIZE_BEGUN.fullmatch(begun):
                raise _malformed_size()
            if len(begun) == _MAX_EXTENSIONS:
                raise _too_many_extensions()
            return at
        found = _SIZE.fullmatch(data, at, end)
        if found is None:
            raise _malformed_size()
        self._extensions += len(found[2])
        if self._extensions > _MAX_EXTENSIONS:
            raise _too_many_extensions()
        size = int(found[1], 16)
        if len(self.body) + size > self._max_body:
            raise Malformed(413, f"the body is larger than {self._max_body} bytes", TOO_LARGE)
        if size:
            self._left = size + 2
        else:
            self._last = True
        return end + 2

    def _data(self, data: bytes, at: int) -> int:
        size = self._left - 2
        if size > 0:
            piece = data[at : at + size]
            self.body += piece
            self._left -= len(piece)
            return at + len(piece)
        end = data[at : at + 2]
        if end == b"\r\n":
            self._left = -1
            return at + 2
        if not b"\r\n".startswith(end):
            raise Malformed(400, "a chunk does not end where its size says, or not with CRLF")
        return at

    def _trailer(self, data: bytes, at: int) -> int:
        room = self._max_trailer
        end = data.find(b"\r\n", at, at + room + 2)
        if end < 0:
            begun = data[at : at + room + 2]
            if b"\n" in begun or (b"\r" in begun and not begun.endswith(b"\r")):
                raise _malformed_trailer()
            if len(begun) > room:
                raise Malformed(431, "the trailers and the head together are too large", TOO_LARGE)
            return at
        if end == at:
            self.done = True
            return at + 2
        found = _TRAILER.fullmatch(data, at, end)
        if found is None:
            raise _malformed_trailer()
        name = found[1].lower()
        if name in _FORBIDDEN or name.startswith(_FORBIDDEN_FAMILIES):
            raise Malformed(400, f"{name.decode()} may not stand in a trailer")
        self._max_trailer -= end + 2 - at
        self._max_trailers -= 1
        if self._max_trailer < 0 or self._max_trailers < 0:
            raise Malformed(431, "the trailers and the head together are too large", TOO_LARGE)
        return end + 2


def _malformed_size() -> Malformed:
    return Malformed(400, "a chunk begins with its size in hexadecimal digits and CRLF")


def _too_many_extensions() -> Malformed:
    return Malformed(400, f"the chunk extensions are longer than {_MAX_EXTENSIONS} bytes")


def _malformed_trailer() -> Malformed:
    return Malformed(400, "a trailer is a line NAME: VALUE that ends with CRLF")
