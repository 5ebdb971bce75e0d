"""Server-sent events, read without I/O (WHATWG HTML, 9.2.6), with a limit for each of them."""

from __future__ import annotations

from typing import Final

import msgspec

MAX_EVENT: Final = 1024 * 1024
"""Bytes of one event (CONFORMANCE 1.7)."""
MESSAGE: Final = "message"
"""The name of events without a name, and of those that are messages of MCP."""
READ_TIMEOUT: Final = 300.0
"""Seconds that a stream may be silent, comments included (CONFORMANCE 1.7)."""
RETRY: Final = 1.0
"""Seconds before a stream is taken up again, unless the server says otherwise."""
_MIN_RETRY: Final = 0.1
MAX_RETRY: Final = 60.0
_BOM: Final = b"\xef\xbb\xbf"


class TooLarge(Exception):
    """An event is longer than the limit."""


class Event(msgspec.Struct, frozen=True):
    """One event. id: None if it has none; retry: milliseconds, None if it does not say. An event
    without data (MCP's "priming" one) is handed on as well: its id counts.
    """

    data: bytes
    name: str = MESSAGE
    id: str | None = None
    retry: int | None = None


class Cursor:
    """Where a stream stands: what to ask for when it is taken up again, and after how many seconds."""

    __slots__ = ("last", "retry")

    def __init__(self) -> None:
        self.last: str | None = None
        self.retry = RETRY

    def seen(self, event: Event) -> None:
        """This one has come."""
        if event.id:
            self.last = event.id
        if event.retry is not None:
            self.retry = min(max(event.retry / 1000, _MIN_RETRY), MAX_RETRY)


class EventParser:
    """One stream."""

    __slots__ = ("_begun", "_cr", "_data", "_fresh", "_id", "_limit", "_name", "_retry", "_size")

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._limit = limit
        self._begun = b""
        self._fresh = True
        self._cr = False
        self._reset()

    def _reset(self) -> None:
        self._data: list[bytes] = []
        self._name = b""
        self._id: str | None = None
        self._retry: int | None = None
        self._size = 0

    def feed(self, data: bytes) -> list[Event]:
        """Events that became complete. Raises TooLarge."""
        if self._cr and data:
            data = data.removeprefix(b"\n")  # of a CR LF that was cut in two
            self._cr = False
        if data.endswith(b"\r"):
            self._cr = True
        text = self._begun + data
        if self._fresh:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                self._begun = text
                return []
            text = text.removeprefix(_BOM)
            self._fresh = False
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._begun = text.split(b"\n")
        events: list[Event] = []
        for line in lines:
            if line:
                self._line(line)
            else:
                self._end(events)
        if self._size + len(self._begun) > self._limit:
            raise TooLarge(f"an event is longer than {self._limit} bytes")
        return events

    def _line(self, line: bytes) -> None:
        self._size += len(line)
        if self._size > self._limit:
            raise TooLarge(f"an event is longer than {self._limit} bytes")
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value
        elif field == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif field == b"retry" and value.isdigit() and value.isascii() and len(value) < 10:
            self._retry = int(value)

    def _end(self, events: list[Event]) -> None:
        if self._data or self._id is not None or self._retry is not None:
            name = self._name.decode("utf-8", "replace") or MESSAGE
            events.append(Event(b"\n".join(self._data), name, self._id, self._retry))
        self._reset()
