"""Bytes in, frozen requests out: the reading half of HTTP/1.1, without I/O.

llhttp (through httptools) reads the header lines. Where a message begins and ends is said here, and
so is what its first line means: limits hold *while* a message arrives, whatever is malformed becomes
an HTTP status in one place, and requests are complete values, so that nothing behind this file ever
sees half a message.

WHY refuse rather than repair: two readers that disagree on what a request is or where it ends are a
request-smuggling hole. Whatever could be read in two ways (`Content-Length` together with
`Transfer-Encoding`, two `Host` lines, a transfer coding other than ``chunked``, a bare LF, an encoded
slash) is answered with an error and the connection is closed (RFC 9112, 6.1 and 11.2). docs/security/http.md
has the whole table.

WHY llhttp gets no more than a head: it does not say where a message ended, takes other protocols' first lines,
and lets a trailer decide about the connection. Where the head ends, both have to say; if they do not
agree, the request is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import httptools
import msgspec

from erlmcp_py.protocol.refusals import (
    INVALID_HEADER,
    PROTOCOL_ERROR,
    TOO_LARGE,
    UNSUPPORTED_ENCODING,
    Refusal,
)
from erlmcp_py.transports.http.access import is_host
from erlmcp_py.transports.http.chunked import ChunkedBody
from erlmcp_py.transports.http.heads import Head, Heads
from erlmcp_py.transports.http.malformed import Malformed
from erlmcp_py.transports.http.request_line import RequestLine, check_begun, read_line
from erlmcp_py.transports.websocket.handshake import asks as asks_for_websocket

_CRLF: Final = b"\r\n"
_BLANK: Final = b"\r\n\r\n"
_MAX_BLANKS: Final = 2  # empty lines before a request line (RFC 9112, 2.2: at least one)
_BEGINNING, _HEAD, _SIZED, _CHUNKED = range(4)
# Where a second line would be read as the first by some, as the last by others, as a list by us.
SINGLE: Final = frozenset(
    b"authorization content-type expect host last-event-id mcp-method mcp-name mcp-protocol-version "
    b"mcp-session-id origin".split()
)


class HttpLimits(msgspec.Struct, frozen=True):
    """What one request may cost before it is refused.

    max_head: bytes of request line, headers and trailers together (431). max_headers: header lines and
    trailers (431). max_target: bytes of the request target (414). max_body: bytes of the body (413).
    """

    max_head: int = 32 * 1024
    max_headers: int = 100
    max_target: int = 8 * 1024
    max_body: int = 4 * 1024 * 1024


class HttpRequest(msgspec.Struct, frozen=True):
    """One complete request.

    method: upper case as sent. path: percent-decoded, without the query. query: raw, without
    the "?". headers: names in lower case; lines of the same name joined by ", " (RFC 9110,
    5.3). body: transfer coding removed. keep_alive: whether the client lets the connection
    live on. version: "1.1" or "1.0". head: all but the body, where it is remembered.
    """

    method: str
    path: str
    query: str
    headers: Mapping[bytes, bytes]
    body: bytes
    keep_alive: bool
    version: str
    head: Head | None = None

    def header(self, name: str) -> str | None:
        """Value of a header, any case; None if it was not sent."""
        value = self.headers.get(name.lower().encode("ascii"))
        return None if value is None else value.decode("latin-1")


class Fault(msgspec.Struct, frozen=True):
    """Why nothing more can be read: answer with `status` and `reason`, then close.

    entry: what it is of the catalogue. head_only: the request was HEAD, whose answers have no body.
    """

    status: int
    reason: str
    entry: Refusal = PROTOCOL_ERROR
    head_only: bool = False


class RequestParser:
    """Incremental parser of one connection's requests.

    Feed it whatever the socket gave; the way the bytes were cut never matters. After a
    `Fault`, or after a request that closes the connection, everything fed is ignored.

    heads: what was read before; None where that is of no use.
    """

    __slots__ = (
        "_begun",
        "_blanks",
        "_body",
        "_chunks",
        "_complete",
        "_events",
        "_fault",
        "_head",
        "_head_only",
        "_head_size",
        "_headers",
        "_heads",
        "_held",
        "_keep_alive",
        "_left",
        "_limits",
        "_line",
        "_lines",
        "_parser",
        "_stage",
        "_upgrades",
        "_wants_continue",
        "closed",
        "rest",
    )

    def __init__(self, limits: HttpLimits, heads: Heads | None = None) -> None:
        self._limits = limits
        self._heads = heads
        self._head: Head | None = None
        self._events: list[HttpRequest | Fault] = []
        self.closed = False
        """Whether reading has ended for good."""
        self._parser: Any = None
        self._line: RequestLine | None = None
        self._stage = _BEGINNING
        self._held = b""  # bytes that mean nothing yet without those behind them
        self._blanks = 0
        self._headers: dict[bytes, bytes] = {}
        self._lines = 0
        self._head_size = 0
        self._complete = False
        self._fault: Malformed | None = None
        self._keep_alive = False
        self._body = bytearray()
        self._left = 0
        self._chunks: ChunkedBody | None = None
        self._head_only = False
        self._upgrades = False
        self.rest = b""
        """Bytes behind a request for a WebSocket: whatever they are, they are no request."""
        self._begun = False  # whether a byte of the body has come
        self._wants_continue = False

    @property
    def idle(self) -> bool:
        """Whether the stream stands between two requests."""
        return self._stage == _BEGINNING and not self._held

    @property
    def wants_continue(self) -> bool:
        """Whether the client holds its body back until it reads "100 Continue" (RFC 9110, 10.1.1)."""
        return self._wants_continue and not self._begun and not self.closed

    def feed(self, data: bytes) -> list[HttpRequest | Fault]:
        """Requests that became complete with `data`, in order; at most one `Fault`, last."""
        if self.closed:
            return []
        if self._stage == _BEGINNING and self._heads is not None and not self._held:
            known = self._known_whole(data, self._heads)
            if known is not None:
                return [known]
        if self._held:
            data, self._held = self._held + data, b""
        events = self._events = []
        try:
            self._read(data)
        except Malformed as malformed:
            self.closed = True
            events.append(
                Fault(malformed.status, malformed.reason, malformed.entry, self._head_only)
            )
        return events

    def _known_whole(self, data: bytes, heads: Heads) -> HttpRequest | None:
        """What nearly every read of a client is that waits for its answers: one request, whose head
        was read before, and nothing else. None if it is anything else; nothing has happened then.
        """
        stop = data.find(_BLANK) + 4
        head = heads.get(data[:stop])
        if head is None or len(data) - stop != head.length:
            return None
        self._blanks = 0
        self._head_only = self._begun = False
        line = head.line
        return HttpRequest(
            line.method, line.path, line.query, head.headers, data[stop:], True, line.version, head
        )

    def _read(self, data: bytes) -> None:
        at, size = 0, len(data)
        while at < size and not self.closed:
            if self._stage == _BEGINNING:
                at = self._beginning(data, at)
            elif self._stage == _HEAD:
                at = self._rest_of_head(data, at, at)
            elif self._stage == _SIZED:
                at = self._sized(data, at)
            else:
                at = self._chunked(data, at)
        if self._upgrades and at < size:
            self.rest = data[at:]

    # --- the stages of a message: each takes what it can and says where it ended -----------

    def _beginning(self, data: bytes, at: int) -> int:
        heads = self._heads
        if heads is None:
            return self._new_head(data, at)
        stop = data.find(_BLANK, at) + 4
        head = heads.get(data[at:stop])
        if head is not None:
            self._take(head)
            return stop
        self._head = None
        end = self._new_head(data, at)
        whole = self._stage == _SIZED and end == stop
        if whole and self._keep_alive and not self._wants_continue:
            assert self._line is not None
            self._head = heads.seen(data[at:stop], self._line, self._headers, self._left)
        return end

    def _take(self, head: Head) -> None:
        """Go on as if the head had been read."""
        self._head = head
        self._line, self._headers, self._left = head.line, head.headers, head.length
        self._head_only = self._begun = self._wants_continue = False
        self._keep_alive = True
        self._blanks = 0
        self._stage = _SIZED

    def _new_head(self, data: bytes, at: int) -> int:
        limits = self._limits
        self._head_only = data.startswith(b"HEAD ", at)
        end = data.find(_CRLF, at)
        if end == at:
            self._blanks += 1
            if self._blanks > _MAX_BLANKS:
                raise Malformed(400, f"more than {_MAX_BLANKS} empty lines before a request")
            return at + 2
        if end < 0 or end - at > limits.max_head:
            begun = data[at : at + limits.max_head]
            if begun != b"\r":
                check_begun(begun, limits.max_target)
            if len(data) - at > limits.max_head:
                raise self._head_too_large()
            self._held = begun
            return len(data)
        self._line = read_line(data[at:end], limits.max_target)
        self._stage = _HEAD
        self._headers = {}
        self._lines = self._head_size = self._blanks = 0
        self._complete = self._wants_continue = self._begun = False
        self._parser = httptools.HttpRequestParser(self)
        return self._rest_of_head(data, at, end)

    def _rest_of_head(self, data: bytes, at: int, look_from: int) -> int:
        end = data.find(_BLANK, look_from)
        stop = len(data) - _half_of_an_end(data) if end < 0 else end + 4
        room = self._limits.max_head - self._head_size
        if stop - at > room:
            self._tokenize(data[at : at + room])
            raise self._head_too_large()
        self._head_size += stop - at
        self._tokenize(data[at:stop])
        if self._complete is not (end >= 0):
            raise Malformed(400, "malformed request: it is not clear where the head ends")
        if end < 0:
            self._held = data[stop:]
            return len(data)
        self._judge()
        return stop

    def _sized(self, data: bytes, at: int) -> int:
        piece = data[at : at + self._left]
        self._begun = True
        self._left -= len(piece)
        if self._left:
            self._body += piece
        elif self._body:
            self._body += piece
            self._finish(bytes(self._body))
            self._body = bytearray()
        else:
            self._finish(piece)
        return at + len(piece)

    def _chunked(self, data: bytes, at: int) -> int:
        chunks = self._chunks
        assert chunks is not None
        self._begun = True
        at = chunks.feed(data, at)
        if chunks.done:
            self._chunks = None
            self._finish(bytes(chunks.body))
            return at
        self._held = data[at:]
        return len(data)

    # --- the head ---------------------------------------------------------------------------

    def _tokenize(self, piece: bytes) -> None:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            return  # raised at the end of the head; the offer may be ignored (RFC 9110, 7.8)
        except httptools.HttpParserInvalidMethodError:
            raise Malformed(501, "unknown request method") from None
        except httptools.HttpParserError as error:
            raise self._fault or Malformed(400, f"malformed request: {error}") from None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one whole header line; called by llhttp."""
        self._lines += 1
        if self._lines > self._limits.max_headers:
            raise self._refuse(431, f"more than {self._limits.max_headers} header lines", TOO_LARGE)
        if value and value[-1] <= 32:  # llhttp leaves white space behind a value (RFC 9110, 5.5)
            value = value.rstrip(b" \t")
        name = name.lower()
        headers = self._headers
        if name in headers:
            if name in SINGLE:
                raise self._refuse(
                    400, f"more than one {name.decode().title()} header", INVALID_HEADER
                )
            headers[name] += b", " + value
        else:
            headers[name] = value

    def on_headers_complete(self) -> None:
        """Called by llhttp where it thinks that the head ends."""
        self._complete = True

    def _judge(self) -> None:
        """Host, framing, announced size, expectations."""
        headers, line = self._headers, self._line
        assert line is not None
        self._parser = None
        host = headers.get(b"host")
        if host is None:
            if line.version == "1.1":
                raise Malformed(400, "HTTP/1.1 requests need a Host header", INVALID_HEADER)
            if line.authority is not None:
                headers[b"host"] = line.authority
        elif line.authority is not None and line.authority.lower() != host.lower():
            raise Malformed(
                400, "the host of the request target is not that of the Host header", INVALID_HEADER
            )
        elif not is_host(host):
            raise Malformed(400, "the Host header must be HOST or HOST:PORT", INVALID_HEADER)
        expectation = headers.get(b"expect")
        if expectation is not None and line.version == "1.1":
            if expectation.lower() != b"100-continue":
                raise Malformed(417, "the only expectation served is 100-continue", INVALID_HEADER)
            self._wants_continue = True
        self._keep_alive = _keeps_alive(headers.get(b"connection"), line.version)
        if line.method == "GET" and line.version == "1.1" and asks_for_websocket(headers):
            # Whether it gets it or not, what follows is not read as requests.
            self._upgrades, self._keep_alive = True, False
        self._frame(headers, line.version)

    def _frame(self, headers: dict[bytes, bytes], version: str) -> None:
        """How the body is framed (RFC 9112, 6.3)."""
        limits = self._limits
        coding = headers.get(b"transfer-encoding")
        length = headers.get(b"content-length")
        if coding is not None:
            if version == "1.0":
                raise Malformed(400, "Transfer-Encoding does not exist in HTTP/1.0")
            if length is not None:
                raise Malformed(400, "Content-Length and Transfer-Encoding exclude each other")
            if coding.lower() != b"chunked":
                raise Malformed(
                    501, "the only transfer coding served is chunked", UNSUPPORTED_ENCODING
                )
            self._chunks = ChunkedBody(
                limits.max_body,
                limits.max_head - self._head_size,
                limits.max_headers - self._lines,
            )
            self._stage = _CHUNKED
            return
        if length is None or length == b"0":
            self._finish(b"")
            return
        if not length.isdigit() or length[0] == 48:
            raise Malformed(
                400, "Content-Length must be a decimal number without leading zeros", INVALID_HEADER
            )
        if len(length) > 19 or int(length) > limits.max_body:
            raise Malformed(413, f"the body is larger than {limits.max_body} bytes", TOO_LARGE)
        self._left = int(length)
        self._stage = _SIZED

    def _finish(self, body: bytes) -> None:
        """Hand the request over."""
        line = self._line
        assert line is not None
        self._events.append(
            HttpRequest(
                line.method,
                line.path,
                line.query,
                self._headers,
                body,
                self._keep_alive,
                line.version,
                self._head,
            )
        )
        self.closed = not self._keep_alive
        self._stage = _BEGINNING
        self._wants_continue = False

    # --- refusals -----------------------------------------------------------------------

    def _refuse(self, status: int, reason: str, entry: Refusal) -> Malformed:
        """For llhttp's callbacks, whose exceptions it replaces by its own."""
        self._fault = Malformed(status, reason, entry)
        return self._fault

    def _head_too_large(self) -> Malformed:
        return Malformed(
            431, f"the request head is larger than {self._limits.max_head} bytes", TOO_LARGE
        )


def _keeps_alive(connection: bytes | None, version: str) -> bool:
    """Whether the connection persists; "close" wins, which llhttp forgets in HTTP/1.0 (RFC 9112, 9.3)."""
    if connection is None:
        return version == "1.1"
    options = [option.strip(b" \t") for option in connection.lower().split(b",")]
    return b"close" not in options and (version == "1.1" or b"keep-alive" in options)


def _half_of_an_end(data: bytes) -> int:
    """How many bytes at the end of `data` may be the beginning of an empty line."""
    for size in (3, 2, 1):
        if data.endswith(_BLANK[:size]):
            return size
    return 0
