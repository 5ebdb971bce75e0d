"""Server-sent events as bytes: the response that grows while a handler still works.

Used where a handler notifies before it answers, and for the stream a legacy session holds
open (MCP 2025-11-25, Streamable HTTP). Under HTTP/1.1 every write is one chunk of the
chunked transfer coding, so the connection can be used again afterwards; under HTTP/1.0 the
end of the connection is the end of the stream.
"""

from __future__ import annotations

from typing import Final

from .response import Headers, head

CONTENT_TYPE: Final = b"text/event-stream"
HEADERS: Final = (
    (b"Content-Type", CONTENT_TYPE),
    (b"Cache-Control", b"no-cache, no-transform"),
    (b"X-Accel-Buffering", b"no"),
)
"""Of every stream. `X-Accel-Buffering: no` keeps proxies from holding events back."""
_LAST_CHUNK: Final = b"0\r\n\r\n"


def event(
    data: bytes, *, name: str | None = None, id: str | None = None, retry: int | None = None
) -> bytes:
    """One event. data: may hold line breaks, each line becomes a data line. retry: milliseconds."""
    lines = []
    if name is not None:
        lines.append(b"event: " + _single_line(name))
    if id is not None:
        lines.append(b"id: " + _single_line(id))
    if retry is not None:
        lines.append(b"retry: %d" % retry)
    if b"\n" in data or b"\r" in data:
        normal = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines.extend(b"data: " + line for line in normal.split(b"\n"))
    else:
        lines.append(b"data: " + data)
    return b"\n".join(lines) + b"\n\n"


def _single_line(value: str) -> bytes:
    if "\n" in value or "\r" in value or "\0" in value:
        raise ValueError(f"an SSE field is one line without NUL, not {value!r}")
    return value.encode("utf-8")


class SseWriter:
    """The bytes of one stream, in order: `start`, any number of events and comments, `end`.

    `keep_alive` in the constructor says whether the connection may be used after the end.
    """

    __slots__ = ("_keep_alive", "_version", "chunked")

    def __init__(self, *, version: str = "1.1", keep_alive: bool = True) -> None:
        self._version = version
        self.chunked = version == "1.1"
        """Whether each write is a chunk of the transfer coding."""
        self._keep_alive = keep_alive and self.chunked

    @property
    def keep_alive(self) -> bool:
        """Whether the connection outlives the stream."""
        return self._keep_alive

    def start(self, headers: Headers = ()) -> bytes:
        """The response head."""
        pairs = [*HEADERS, *headers]
        if self.chunked:
            pairs.append((b"Transfer-Encoding", b"chunked"))
        return head(200, pairs, keep_alive=self._keep_alive, version=self._version)

    def endpoint(self, uri: str) -> bytes:
        """The event that a stream of HTTP+SSE begins with (MCP 2024-11-05, transports)."""
        return self._chunk(event(uri.encode("ascii"), name="endpoint"))

    def event(self, data: bytes, *, id: str | None = None) -> bytes:
        """One message event."""
        return self._chunk(event(data, name="message", id=id))

    def primer(self, id: str) -> bytes:
        """An event without data: from its id on a lost stream can be resumed."""
        return self._chunk(event(b"", id=id))

    def retry(self, seconds: float) -> bytes:
        """How long the client is to wait before it comes back."""
        return self._chunk(b"retry: %d\n\n" % round(seconds * 1000))

    def comment(self, text: str = "keep-alive") -> bytes:
        """A line clients ignore; it keeps proxies and NAT from closing a quiet stream."""
        return self._chunk(b": " + _single_line(text) + b"\n\n")

    def end(self) -> bytes:
        """What closes the stream on the wire; nothing under HTTP/1.0."""
        return _LAST_CHUNK if self.chunked else b""

    def _chunk(self, payload: bytes) -> bytes:
        if self.chunked:
            return b"%x\r\n%b\r\n" % (len(payload), payload)
        return payload
