"""What was sent on the event streams of a session, kept for clients that lose their connection.

Every event has an id. A client that comes back with the last one it saw gets what followed on that
stream, and nothing of any other (MCP 2025-11-25, Streamable HTTP: resumability). The writer of a
stream appends to it whether anybody is connected or not; a reader is told that there is more and
reads from its own position. So what a slow reader has not taken lies here, once and bounded, and
not in its mailbox.

WHY not in the session's process: the connections write thousands of events that nobody will ever
ask for again. They write them straight into this object, which the session's record holds, and which
thus outlives a crash of the process. All of them live on one thread.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from supervisors import Pid, send

MAX_BYTES: Final = 256 * 1024
"""Bytes of events kept for one session, unless told otherwise; the oldest go first."""

MAX_STREAMS: Final = 32
"""Streams of one session that can be resumed, unless told otherwise; those that ended first go first."""


class EventStream:
    """One stream. Made by `EventStreams.open`."""

    __slots__ = ("_events", "_last", "_told", "ended", "number", "reader")

    def __init__(self, number: int) -> None:
        self.number = number
        self.ended = False
        """Its last event has been appended."""
        self.reader: Pid | None = None
        """Who gets ``("more", stream)`` when something was appended; the last who came."""
        self._events: deque[tuple[int, bytes]] = deque()
        self._last = 0
        self._told = False

    def id_of(self, position: int) -> str:
        """The event id of a position."""
        return f"{self.number}-{position}"

    @property
    def last(self) -> int:
        """The position of the newest event; 0 before the first."""
        return self._last

    def after(self, position: int) -> list[tuple[int, bytes]]:
        """(position, data) of what followed and is still kept; the reader is told of more again."""
        self._told = False
        return [event for event in self._events if event[0] > position]

    def read_by(self, reader: Pid | None) -> None:
        """From now on this process is told, and nobody else."""
        self.reader = reader
        self._told = False

    def tell(self) -> None:
        """Tell the reader that there is something to read, unless it has yet to look."""
        if self.reader is not None and not self._told:
            self._told = True
            send(self.reader, ("more", self))


class EventStreams:
    """The streams of one session. max_bytes, max_streams: kept of them."""

    __slots__ = (
        "_bytes", "_listening", "_max_bytes", "_max_streams", "_number", "_streams", "dropped",
    )  # fmt: skip

    def __init__(self, max_bytes: int = MAX_BYTES, max_streams: int = MAX_STREAMS) -> None:
        self._max_bytes = max_bytes
        self._max_streams = max_streams
        self._number = 0
        self._bytes = 0
        self._streams: dict[int, EventStream] = {}
        self._listening: EventStream | None = None
        self.dropped = 0
        """Events that were let go to keep the limit; their ids cannot be resumed from."""

    def __len__(self) -> int:
        return len(self._streams)

    def open(self, *, listening: bool = False) -> EventStream:
        """A new stream. listening: it is the one of GET, for what belongs to no request."""
        self._number += 1
        stream = self._streams[self._number] = EventStream(self._number)
        if listening:
            self._listening = stream
        if len(self._streams) > self._max_streams:
            self._let_go()
        return stream

    def append(self, stream: EventStream, data: bytes) -> str:
        """Keep an event and tell the reader; its id."""
        stream._last += 1
        stream._events.append((stream._last, data))
        self._bytes += len(data)
        while self._bytes > self._max_bytes:
            self._shrink(stream)
        stream.tell()
        return stream.id_of(stream._last)

    def end(self, stream: EventStream) -> None:
        """Nothing more will be appended."""
        stream.ended = True
        stream.tell()

    def resume(self, last_event_id: str) -> tuple[EventStream, int] | None:
        """The stream of an event and the position to go on from; None if it is not known here."""
        number, dash, position = last_event_id.partition("-")
        if not (dash and number.isdecimal() and position.isdecimal()):
            return None
        stream = self._streams.get(int(number))
        if stream is None or int(position) > stream.last:
            return None
        return stream, int(position)

    def is_listening(self, stream: EventStream) -> bool:
        """Whether it is the stream of GET."""
        return stream is self._listening

    def _let_go(self) -> None:
        """Forget the oldest stream that has ended, else the oldest that nobody reads, else the oldest."""
        streams = list(self._streams.values())
        stream = next(
            (s for s in streams if s.ended),
            next((s for s in streams if s.reader is None), streams[0]),
        )
        del self._streams[stream.number]
        self._bytes -= sum(len(data) for _, data in stream._events)
        self.dropped += len(stream._events)

    def _shrink(self, current: EventStream) -> None:
        """Drop the oldest event of the oldest stream that has any; of `current` at last."""
        for stream in self._streams.values():
            if stream._events and (stream is not current or len(self._streams) == 1):
                break
        else:
            stream = current
        _, data = stream._events.popleft()
        self._bytes -= len(data)
        self.dropped += 1
