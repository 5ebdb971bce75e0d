"""Bytes in, frozen requests out: the reading half of HTTP/1.1, without I/O.

llhttp (through httptools) does the tokenising. This module adds what a server on the open
net needs on top and llhttp leaves to its user: limits that hold *while* a message arrives,
one place where a malformed message becomes an HTTP status, and requests that are complete
values, so that nothing behind this file ever sees half a message.

WHY refuse rather than repair: two parsers that disagree on where a request ends are a
request-smuggling hole. Whatever could be read in two ways (`Content-Length` together with
`Transfer-Encoding`, two `Host` lines, a transfer coding other than ``chunked``, chunked in
HTTP/1.0) is answered with an error and the connection is closed (RFC 9112, 6.1 and 11.2).

WHY an `Upgrade` is ignored: some HTTP clients offer ``h2c`` on their first request, body
included. A server may ignore the offer (RFC 9110, 7.8), but llhttp hands the rest of the
stream over unparsed; the head is then replayed without the offer.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote_to_bytes

import httptools
import msgspec

_LINE_OVERHEAD: Final = 4  # ": " and CRLF around a header's name and value
_READ_SLACK: Final = 2  # factor: raw bytes of an unfinished head against its counted size


class HttpLimits(msgspec.Struct, frozen=True):
    """What one request may cost before it is refused.

    max_head: bytes of request line and headers together (431). max_headers: header lines
    (431). max_target: bytes of the request target (414). max_body: bytes of the body (413).
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
    live on. version: "1.1" or "1.0".
    """

    method: str
    path: str
    query: str
    headers: dict[bytes, bytes]
    body: bytes
    keep_alive: bool
    version: str

    def header(self, name: str) -> str | None:
        """Value of a header, any case; None if it was not sent."""
        value = self.headers.get(name.lower().encode("ascii"))
        return None if value is None else value.decode("latin-1")


class Fault(msgspec.Struct, frozen=True):
    """Why nothing more can be read: answer with `status` and `reason`, then close."""

    status: int
    reason: str


class _Refused(Exception):
    """Leaves an llhttp callback; the fault lies on the parser."""


class RequestParser:
    """Incremental parser of one connection's requests.

    Feed it whatever the socket gave; the way the bytes were cut never matters. After a
    `Fault`, or after a request that closes the connection, everything fed is ignored.
    """

    __slots__ = (
        "_body",
        "_body_size",
        "_closed",
        "_events",
        "_fault",
        "_head_raw",
        "_head_size",
        "_headers",
        "_in_body",
        "_keep_alive",
        "_limits",
        "_lines",
        "_method",
        "_parser",
        "_path",
        "_query",
        "_replay",
        "_target",
        "_version",
        "_wants_continue",
    )

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._parser: Any = httptools.HttpRequestParser(self)
        self._events: list[HttpRequest | Fault] = []
        self._fault: Fault | None = None
        self._closed = False
        self._replay: bytes | None = None
        self._head_raw = 0
        self._reset()

    def _reset(self) -> None:
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_size = 0
        self._lines = 0
        self._body: list[bytes] = []
        self._body_size = 0
        self._in_body = False
        self._wants_continue = False
        self._method = self._path = self._query = self._version = ""
        self._keep_alive = False

    @property
    def closed(self) -> bool:
        """Whether reading has ended for good."""
        return self._closed

    @property
    def idle(self) -> bool:
        """Whether the stream stands between two requests."""
        return not self._in_body and not self._target and not self._lines

    @property
    def wants_continue(self) -> bool:
        """Whether the client holds its body back until it reads "100 Continue" (RFC 9110, 10.1.1)."""
        return self._wants_continue and not self._body and not self._closed

    def feed(self, data: bytes) -> list[HttpRequest | Fault]:
        """Requests that became complete with `data`, in order; at most one `Fault`, last."""
        if self._closed:
            return []
        if not self._in_body:
            self._head_raw += len(data)
        self._run(data)
        if not self._in_body and not self._closed:
            if self.idle:
                self._head_raw = 0
            elif self._head_raw > self._limits.max_head * _READ_SLACK:
                self._end(Fault(431, f"request head is larger than {self._limits.max_head} bytes"))
        events, self._events = self._events, []
        return events

    def _run(self, data: bytes) -> None:
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if self._replay is None:  # CONNECT: what follows is not HTTP
                    self._closed = True
                    return
                data = self._replay + data[upgrade.args[0] :]
                self._replay = None
                self._parser = httptools.HttpRequestParser(self)
                self._reset()
                continue
            except (httptools.HttpParserError, _Refused) as error:
                self._end(self._fault or _fault_of(error))
            return

    def _end(self, fault: Fault) -> None:
        if not self._closed:
            self._closed = True
            self._events.append(fault)

    def _refuse(self, status: int, reason: str) -> _Refused:
        self._fault = Fault(status, reason)
        return _Refused(reason)

    # --- llhttp's callbacks, in the order of a message ----------------------------------

    def on_message_begin(self) -> None:
        """Start a request."""
        if self._closed:
            raise _Refused("the connection ends here")
        self._reset()

    def on_url(self, fragment: bytes) -> None:
        """Collect the target; it may come in pieces."""
        self._target += fragment
        if len(self._target) > self._limits.max_target:
            raise self._refuse(
                414, f"request target is longer than {self._limits.max_target} bytes"
            )

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one whole header line, or one trailer."""
        self._lines += 1
        self._head_size += len(name) + len(value) + _LINE_OVERHEAD
        limits = self._limits
        if self._lines > limits.max_headers:
            raise self._refuse(431, f"more than {limits.max_headers} header lines")
        if self._head_size + len(self._target) > limits.max_head:
            raise self._refuse(431, f"request head is larger than {limits.max_head} bytes")
        if self._in_body:
            return
        if value and value[-1] <= 32:  # llhttp leaves white space behind a value (RFC 9110, 5.5)
            value = value.rstrip(b" \t")
        name = name.lower()
        headers = self._headers
        if name in headers:
            if name == b"host":
                raise self._refuse(400, "more than one Host header")
            headers[name] += b", " + value
        else:
            headers[name] = value

    def on_headers_complete(self) -> None:
        """Judge the head: framing, version, expectations, announced size."""
        parser = self._parser
        headers = self._headers
        self._method = parser.get_method().decode("ascii")
        self._version = version = parser.get_http_version()
        if version == "1.1":
            if b"host" not in headers:
                raise self._refuse(400, "HTTP/1.1 requests need a Host header")
        elif version != "1.0":
            raise self._refuse(505, "only HTTP/1.1 and HTTP/1.0 are served")
        coding = headers.get(b"transfer-encoding")
        if coding is not None:
            if version == "1.0":
                raise self._refuse(400, "Transfer-Encoding does not exist in HTTP/1.0")
            if coding.lower() != b"chunked":
                raise self._refuse(501, "the only transfer coding served is chunked")
        elif b"content-length" in headers:
            self._check_size(int(headers[b"content-length"]))
        if parser.should_upgrade() and self._method != "CONNECT":
            self._replay = self._head_without_upgrade()
            return
        self._path, self._query = _split_target(self._target)
        self._keep_alive = parser.should_keep_alive() and self._method != "CONNECT"
        expectation = headers.get(b"expect")
        if expectation is not None and version == "1.1":
            if expectation.lower() != b"100-continue":
                raise self._refuse(417, "the only expectation served is 100-continue")
            self._wants_continue = True
        self._in_body = True

    def on_body(self, fragment: bytes) -> None:
        """Collect a piece of the body."""
        self._body_size += len(fragment)
        if self._body_size > self._limits.max_body:
            raise self._too_large()
        self._body.append(fragment)

    def on_message_complete(self) -> None:
        """Hand the finished request over."""
        if self._replay is not None:
            return
        body = self._body
        self._events.append(
            HttpRequest(
                self._method,
                self._path,
                self._query,
                self._headers,
                body[0] if len(body) == 1 else b"".join(body),
                self._keep_alive,
                self._version,
            )
        )
        if not self._keep_alive:
            self._closed = True
        self._head_raw = 0
        self._reset()

    # --- judgements ---------------------------------------------------------------------

    def _check_size(self, announced: int) -> None:
        if announced > self._limits.max_body:
            raise self._too_large()

    def _too_large(self) -> _Refused:
        return self._refuse(413, f"request body is larger than {self._limits.max_body} bytes")

    def _head_without_upgrade(self) -> bytes:
        """The head as this server wants to have read it: same request, no offer to upgrade."""
        connection = self._headers.pop(b"connection", b"")
        self._headers.pop(b"upgrade", None)
        kept = [t for t in connection.split(b",") if t.strip().lower() in (b"close", b"keep-alive")]
        if kept:
            self._headers[b"connection"] = b",".join(kept)
        lines = [self._method.encode() + b" " + self._target + b" HTTP/" + self._version.encode()]
        lines += [name + b": " + value for name, value in self._headers.items()]
        return b"\r\n".join([*lines, b"", b""])


def _split_target(target: bytes) -> tuple[str, str]:
    """Path and query of a request target in any of its forms (RFC 9112, 3.2)."""
    if target[:1] != b"/" and b"://" in target:
        rest = target.split(b"://", 1)[1]
        slash = rest.find(b"/")
        target = rest[slash:] if slash >= 0 else b"/"
    path, _, query = target.partition(b"?")
    if b"%" in path:
        path = unquote_to_bytes(path)
    return path.decode("utf-8", "replace"), query.decode("latin-1")


def _fault_of(error: Exception) -> Fault:
    if isinstance(error, httptools.HttpParserInvalidMethodError):
        return Fault(501, "unknown request method")
    return Fault(400, f"malformed request: {error}")
