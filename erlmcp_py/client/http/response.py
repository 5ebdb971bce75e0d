"""The bytes of an HTTP/1.1 response, read without I/O (RFC 9112).

WHY our own: an MCP client needs a status, a few headers and a body in one of three framings, and needs
them cheaply; an answer to `tools/call` is mostly one read and one pass over some hundred bytes. It is
strict where leniency lets two readers disagree about where a response ends: two lengths, a length beside
chunks, a size that is no plain hexadecimal number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

import msgspec

MAX_HEAD: Final = 64 * 1024
"""Bytes of a head, and of trailers."""
_NUMBER: Final = re.compile(rb"[0-9]{1,15}")
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: .*)?")
_MAX_SIZE_LINE: Final = 1024
_SHORT: Final = 1024
"""Bytes of the heads that are kept."""


class BadResponse(Exception):
    """The bytes are no HTTP/1.1 response."""


class Head(msgspec.Struct, frozen=True):
    """Status and headers. headers: by name in lower case; several of one name joined with ", ".
    media_type: the content type without its parameters, in lower case.
    """

    status: int
    headers: Mapping[str, str]
    media_type: str


class _Begun(msgspec.Struct, frozen=True):
    """What a head says of the whole. length: of the body, if that is how it is framed."""

    head: Head
    keep_alive: bool
    framing: Literal["none", "chunks", "length", "rest"]
    length: int = 0


class ResponseParser:
    """One response. head: None until it is whole; done: the response has ended.

    keep_alive: whether the connection can be used again once it is done. Interim responses (1xx) are
    skipped. limit: bytes of body that may lie here untaken.
    """

    __slots__ = (
        "_buffer",
        "_chunks",
        "_left",
        "_limit",
        "_state",
        "body",
        "done",
        "head",
        "keep_alive",
    )

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = b""
        self._chunks = 0
        self._left = 0
        self._state = self._read_head
        self.body = bytearray()
        self.head: Head | None = None
        self.keep_alive = False
        self.done = False

    def feed(self, data: bytes) -> None:
        """Go on with bytes that came. Raises BadResponse."""
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        while data and not self.done:
            rest = self._state(data)
            if rest is None:
                self._buffer = data
                break
            data = rest
        if self.done and data:
            self.keep_alive = False  # what stands behind the end belongs to nobody
        if len(self.body) > self._limit:
            raise BadResponse(f"the body is longer than {self._limit} bytes")

    def eof(self) -> None:
        """The connection has ended. Raises BadResponse if the response has not."""
        if self.head is not None and self._state == self._read_rest:
            self.done = True
        if not self.done:
            what = "before an answer" if self.head is None else "in the middle of an answer"
            raise BadResponse(f"the connection ended {what}")

    def take(self) -> bytes:
        """What has come of the body since the last time."""
        taken = bytes(self.body)
        self.body.clear()
        return taken

    # Each takes what it can and answers the rest; None if it needs more than there is.

    def _read_head(self, data: bytes) -> bytes | None:
        end = data.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEAD:
            if len(data) > MAX_HEAD:
                raise BadResponse(f"the head is longer than {MAX_HEAD} bytes")
            if not b"HTTP/1.".startswith(data[:7]):
                raise BadResponse(f"this is no HTTP/1.1: {_shown(data)}")
            return None
        begun = _read_again(data[:end]) if end <= _SHORT else _read(data[:end])
        if begun is not None:
            self._begin(begun)
        return data[end + 4 :]

    def _begin(self, begun: _Begun) -> None:
        self.head = begun.head
        self.keep_alive = begun.keep_alive
        if begun.framing == "length":
            self._left = begun.length
            self._state = self._read_body
            self.done = begun.length == 0
        elif begun.framing == "chunks":
            self._state = self._read_size
        elif begun.framing == "rest":
            self._state = self._read_rest
        else:
            self.done = True

    def _read_body(self, data: bytes) -> bytes:
        size = min(len(data), self._left)
        self.body += data[:size]
        self._left -= size
        self.done = self._left == 0
        return data[size:]

    def _read_rest(self, data: bytes) -> bytes:
        self.body += data
        return b""

    def _read_size(self, data: bytes) -> bytes | None:
        end = data.find(b"\r\n", 0, _MAX_SIZE_LINE)
        if end < 0:
            if len(data) >= _MAX_SIZE_LINE:
                raise BadResponse("the size of a chunk is too long")
            return None
        found = _SIZE.fullmatch(data, 0, end)
        if found is None:
            raise BadResponse(f"this is no size of a chunk: {_shown(data[:end])}")
        self._left = int(found[1], 16)
        self._state = self._read_chunk if self._left else self._read_trailers
        return data[end + 2 :]

    def _read_chunk(self, data: bytes) -> bytes | None:
        if self._left:
            size = min(len(data), self._left)
            self.body += data[:size]
            self._left -= size
            return data[size:]
        if len(data) < 2:
            return None
        if data[:2] != b"\r\n":
            raise BadResponse("a chunk does not end where its size says")
        self._state = self._read_size
        return data[2:]

    def _read_trailers(self, data: bytes) -> bytes | None:
        end = data.find(b"\r\n")
        if end < 0:
            if len(data) > MAX_HEAD:
                raise BadResponse("the trailers are too long")
            return None
        self._chunks += end + 2
        if self._chunks > MAX_HEAD:
            raise BadResponse("the trailers are too long")
        self.done = end == 0
        return data[end + 2 :]


def _read(head: bytes) -> _Begun | None:
    """None: it is an interim response."""
    first, *lines = head.split(b"\r\n")
    found = _STATUS.fullmatch(first)
    if found is None:
        raise BadResponse(f"this is no status line of HTTP/1.1: {_shown(first)}")
    status = int(found[2])
    headers = _headers(lines)
    if status == 101:
        raise BadResponse("the server switches protocols (101) without having been asked to")
    if status < 200:
        return None
    connection = headers.get("connection", "").lower()
    keep_alive = "close" not in connection and (found[1] == b"1" or "keep-alive" in connection)
    length = headers.get("content-length")
    coding = headers.get("transfer-encoding")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise BadResponse(f"the body is compressed ({headers['content-encoding']}), unasked")
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    begun = Head(status, headers, media_type)
    if status in (204, 304):
        return _Begun(begun, keep_alive, "none")
    if coding is not None:
        if coding.lower() != "chunked" or length is not None:
            raise BadResponse(f"transfer-encoding {coding!r}, content-length {length!r}")
        return _Begun(begun, keep_alive, "chunks")
    if length is not None:
        if not _NUMBER.fullmatch(length.encode("latin-1")):
            raise BadResponse(f"content-length {length!r} is no number")
        return _Begun(begun, keep_alive, "length", int(length))
    return _Begun(begun, False, "rest")


_read_again = lru_cache(maxsize=64)(_read)
"""WHY kept: a server mostly answers with the same head, but for a date."""


def _headers(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise BadResponse(f"this is no header: {_shown(line)}")
        key = name.decode("latin-1").lower()
        text = value.strip(b" \t").decode("latin-1")
        if key not in headers:
            headers[key] = text
        elif key == "content-length":
            if headers[key] != text:
                raise BadResponse("the head has two lengths that differ")
        else:
            headers[key] += f", {text}"
    return headers


def _shown(data: bytes) -> str:
    return repr(data[:60])[1:]
