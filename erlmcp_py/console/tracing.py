"""Traces: what goes in and out of one process, for a while.

The kernel has one trace function per process, and several operators may look at the
same process, so the traces of a process share one function that fans out. A trace is
bounded in events and in time, ends by itself, and drops events (counting them) rather
than wait for a slow reader: the traced process must not notice.

An event is made into bounded text the moment it happens. Keeping the message itself
would keep it alive, and show what became of it rather than what it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import trio

from erlmcp_py.console.projection import GLANCE, project
from supervisors import Pid, is_alive, sys

BACKLOG = 256
"""Events one trace holds for a slow reader."""


class TraceEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event: `at` seconds after the trace began; `kind` "in", "out" or "exit".

    message: the message, or the exit reason, projected. to: receiver of an "out".
    """

    at: float
    kind: str
    message: Any
    to: str | None = None


class TraceEnd(msgspec.Struct, frozen=True):
    """How a trace ended: `ended` is "events", "seconds" or "exit"; `dropped` events were lost."""

    events: int
    dropped: int
    ended: str


Sink = Callable[[tuple[Any, ...]], None]


class Traces:
    """The traces of one node, at most `capacity` at a time."""

    def __init__(self, capacity: int = 16) -> None:
        self._capacity = capacity
        self._sinks: dict[Pid, list[Sink]] = {}

    def __len__(self) -> int:
        return sum(len(sinks) for sinks in self._sinks.values())

    @property
    def full(self) -> bool:
        """Whether another trace would be one too many."""
        return len(self) >= self._capacity

    @contextmanager
    def attached(self, pid: Pid, sink: Sink) -> Iterator[None]:
        """Give `sink` every event of `pid` inside the block."""
        sinks = self._sinks.setdefault(pid, [])
        sinks.append(sink)
        if len(sinks) == 1:
            sys.trace(pid, lambda event: self._fan_out(pid, event))
        try:
            yield
        finally:
            sinks.remove(sink)
            if not sinks:
                del self._sinks[pid]
                if is_alive(pid):
                    sys.trace(pid, None)

    def _fan_out(self, pid: Pid, event: tuple[Any, ...]) -> None:
        for sink in tuple(self._sinks.get(pid, ())):
            sink(event)


async def trace(
    traces: Traces,
    pid: Pid,
    events: int,
    seconds: float,
    emit: Callable[[TraceEvent], Awaitable[None]],
) -> TraceEnd:
    """Emit up to `events` events of `pid` within `seconds`."""
    began = trio.current_time()
    send, receive = trio.open_memory_channel[TraceEvent](BACKLOG)
    seen = dropped = 0

    def sink(event: tuple[Any, ...]) -> None:
        nonlocal dropped
        try:
            send.send_nowait(event_of(event, trio.current_time() - began))
        except trio.WouldBlock:
            dropped += 1

    with traces.attached(pid, sink):
        while True:
            event: TraceEvent | None = None
            with trio.move_on_at(began + seconds):
                event = await receive.receive()
            if event is None:
                return TraceEnd(seen, dropped, "seconds")
            seen += 1
            await emit(event)
            if event.kind == "exit":
                return TraceEnd(seen, dropped, "exit")
            if seen >= events:
                return TraceEnd(seen, dropped, "events")


def event_of(event: tuple[Any, ...], at: float) -> TraceEvent:
    """The kernel's ``(kind, message[, to])`` as it is shown."""
    kind, message, *to = event
    return TraceEvent(
        at=round(at, 6),
        kind=str(kind),
        message=project(message, GLANCE).value,
        to=str(to[0]) if to else None,
    )
