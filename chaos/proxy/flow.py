"""One direction of one connection: which bytes leave when, decided without any I/O.

The shell feeds what it reads and the time, asks when the next thing is due, and takes it then:
bytes to send, or how the connection ends. The same calls at the same times give the same answers,
as every choice is drawn from the seed.

WHY everything is decided where the data leaves and not where it comes in: what is held is then
plain data with the time it came, and a toxic that is set, changed or removed acts on it at once. A
latency of an hour that is removed lets go of what it held.
"""

from __future__ import annotations

import enum
import math
import random
from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

from chaos.proxy.toxics import (
    Bandwidth,
    Corruption,
    HalfOpen,
    Latency,
    LimitData,
    Loss,
    Reset,
    Slicer,
    SlowClose,
    Toxic,
)

HELD_MOST: Final = 64 * 1024
"""Bytes a flow holds before it takes no more; what comes then waits at the sender."""

_CHUNKS_MOST: Final = 1024
"""Reads that it keeps apart, however small they are."""

PACKET: Final = 1448
"""Bytes that are lost together: a full segment over Ethernet."""

_LOST_AGAIN_MOST: Final = 6
_QUANTUM: Final = 0.05
"""Seconds' worth of bytes that a limited bandwidth passes in one piece."""


class Ending(enum.Enum):
    """How a connection, or one direction of it, ends."""

    FINISH = "finish"
    """The sender has finished: the receiver is told so (FIN); the other direction goes on."""
    CLOSE = "close"
    """Both sides see an orderly end."""
    RESET = "reset"
    """Both sides see a reset (RST)."""


class _Next(NamedTuple):
    """What leaves next. at: when. size: bytes of the oldest chunk; unless there is an ending."""

    at: float
    size: int
    ending: Ending | None = None
    stalled: bool = False


class _Barrier(NamedTuple):
    """A toxic that ends the flow once `position` bytes have passed."""

    position: int
    toxic: Reset | LimitData | HalfOpen


class Flow:
    """The state of one direction. Times are seconds on any clock, never going back.

    passed, held: bytes. stalled: pieces that were "lost". corrupted: bytes that were changed.
    """

    __slots__ = (
        "_barriers",
        "_chunk_delay",
        "_chunks",
        "_clear",
        "_ended_at",
        "_ending",
        "_next",
        "_offset",
        "_random",
        "_toxics",
        "corrupted",
        "held",
        "over",
        "passed",
        "stalled",
    )

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._toxics: dict[str, Toxic] = {}
        self._barriers: dict[str, _Barrier] = {}
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._offset = 0
        """Bytes of the oldest chunk that have left."""
        self._chunk_delay: float | None = None
        self._clear = -math.inf
        """When the last piece left."""
        self._ending: Ending | None = None
        self._ended_at = 0.0
        self._next: _Next | None = None
        self.held = self.passed = self.stalled = self.corrupted = 0
        self.over = False
        """Its ending was taken."""

    @property
    def room(self) -> bool:
        """Whether it takes more."""
        return self.held < HELD_MOST and len(self._chunks) < _CHUNKS_MOST

    @property
    def withheld(self) -> bool:
        """Whether `HalfOpen` has silenced it."""
        barrier = self._barrier()
        return (
            barrier is not None
            and barrier.position <= self.passed
            and isinstance(barrier.toxic, HalfOpen)
        )

    def set_toxics(self, toxics: Mapping[str, Toxic]) -> None:
        """From now on these act, by name. One that stays as it was goes on counting."""
        barriers = {}
        for name, each in toxics.items():
            if not isinstance(each, Reset | LimitData | HalfOpen):
                continue
            if self._toxics.get(name) == each:
                barriers[name] = self._barriers[name]
            else:
                spread = self._random.randint(0, each.spread) if isinstance(each, Reset) else 0
                barriers[name] = _Barrier(self.passed + each.after + spread, each)
        self._toxics, self._barriers = dict(toxics), barriers
        self._next = self._chunk_delay = None

    def feed(self, now: float, data: bytes) -> None:
        """The sender has sent `data` (not empty)."""
        self._chunks.append((now, data))
        self.held += len(data)
        self._reconsider()

    def finish(self, now: float, ending: Ending = Ending.FINISH) -> None:
        """The sender has finished, or (RESET) is gone: what it sent leaves first.

        RESET also takes the place of an earlier end, taken or not.
        """
        if self._ending is None:
            self._ended_at = now
        self._ending = ending
        self.over = False
        if self._next is not None and self._next.ending is not None:
            self._next = None
        self._reconsider()

    def due(self, now: float) -> float:
        """When there is something to take; infinity as long as there is nothing."""
        if self._next is None:
            self._next = self._plan(now)
        return self._next.at

    def take(self, now: float) -> bytes | Ending | None:
        """What is due, None if nothing is."""
        if self.due(now) > now:
            return None
        due, self._next = self._next, None
        assert due is not None
        if due.ending is not None:
            self.over = True
            return due.ending
        self.stalled += due.stalled
        self._clear = now
        return self._corrupt(self._cut(due.size))

    def _reconsider(self) -> None:
        """Something came: a plan to wait for ever is void. One with a time stands, being older."""
        if self._next is not None and self._next.at == math.inf:
            self._next = None

    def _barrier(self) -> _Barrier | None:
        return min(self._barriers.values(), key=lambda each: each.position, default=None)

    def _plan(self, now: float) -> _Next:
        if self.over:
            return _Next(math.inf, 0)
        barrier = self._barrier()
        most = math.inf
        if barrier is not None:
            most = barrier.position - self.passed
            if most <= 0:
                match barrier.toxic:
                    case HalfOpen():
                        return _Next(math.inf, 0)
                    case Reset():
                        return _Next(now, 0, Ending.RESET)
                    case LimitData():
                        return _Next(now, 0, Ending.CLOSE)
        if self._chunks:
            return self._plan_piece(most)
        if self._ending is not None:
            return self._plan_end(self._ending)
        return _Next(math.inf, 0)

    def _plan_piece(self, most: float) -> _Next:
        came, data = self._chunks[0]
        if self._chunk_delay is None:
            self._chunk_delay = self._latency()
        at = max(came + self._chunk_delay, self._clear)
        most = min(most, len(data) - self._offset)
        stall, stalled, rate = 0.0, False, math.inf
        for each in self._toxics.values():
            match each:
                case Slicer():
                    low, high = max(1, each.size - each.variation), each.size + each.variation
                    most = min(most, self._random.randint(low, high))
                    if self._offset:
                        stall += each.delay
                case Loss():
                    most = min(most, PACKET)
                    times = self._times_lost(each.share)
                    stall += each.delay * (2**times - 1)
                    stalled = stalled or times > 0
                case Bandwidth():
                    rate = min(rate, each.rate)
        if rate < math.inf:
            most = min(most, max(1, int(rate * _QUANTUM)))
        size = int(most)
        return _Next(at + stall + size / rate, size, stalled=stalled)

    def _plan_end(self, ending: Ending) -> _Next:
        slow = sum(each.delay for each in self._toxics.values() if isinstance(each, SlowClose))
        return _Next(max(self._ended_at + self._latency(), self._clear) + slow, 0, ending)

    def _latency(self) -> float:
        total = 0.0
        for each in self._toxics.values():
            if isinstance(each, Latency):
                total += max(0.0, each.delay + self._random.uniform(-each.jitter, each.jitter))
        return total

    def _times_lost(self, share: float) -> int:
        times = 0
        while times < _LOST_AGAIN_MOST and self._random.random() < share:
            times += 1
        return times

    def _cut(self, size: int) -> bytes:
        """Take `size` bytes off the oldest chunk."""
        data = self._chunks[0][1]
        piece = data[self._offset : self._offset + size]
        self._offset += size
        if self._offset >= len(data):
            self._chunks.popleft()
            self._offset, self._chunk_delay = 0, None
        self.held -= size
        self.passed += size
        return piece

    def _corrupt(self, data: bytes) -> bytes:
        for each in self._toxics.values():
            if isinstance(each, Corruption) and each.share > 0:
                data = self._with_errors(data, each.share)
        return data

    def _with_errors(self, data: bytes, share: float) -> bytes:
        """Distances between errors are drawn instead of a number for each byte: they are rare."""
        scale = 0.0 if share >= 1 else 1 / math.log1p(-share)
        changed = bytearray(data)
        index = -1
        while True:
            far = math.log(1.0 - self._random.random()) * scale
            if not far <= len(data):  # beyond the end, or no number: errors that hardly ever come
                break
            index += 1 + int(far)
            if index >= len(data):
                break
            changed[index] ^= self._random.randint(1, 255)
            self.corrupted += 1
        return bytes(changed)
