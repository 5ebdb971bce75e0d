"""What passes through to one upstream, in figures: how many, how they ended, how long they took."""

from __future__ import annotations

import math
from array import array
from typing import Final

import msgspec

KEPT: Final = 1000
"""Answers whose times are kept: 8 bytes each, and none before the first."""


class Figures(msgspec.Struct, frozen=True):
    """Of one upstream since the node knows it. requests: that were sent there. errors: those that it
    refused, and those without an answer: lost with its connection, or not answered in time. lost: the
    latter alone. p50, p99: seconds to the answer, of the last `KEPT`; None before the first.
    """

    requests: int
    errors: int
    lost: int
    p50: float | None
    p99: float | None


class Meter:
    """Counts them. What a caller has cancelled is a request, and neither an answer nor an error."""

    __slots__ = ("_next", "_times", "lost", "refused", "requests")

    def __init__(self) -> None:
        self.requests = self.refused = self.lost = 0
        self._times = array("d")
        self._next = 0

    def answered(self, seconds: float, *, refused: bool) -> None:
        """An answer has come after so long. refused: it is an error; that a tool says of itself that it
        has failed is none.
        """
        self.refused += refused
        if len(self._times) < KEPT:
            self._times.append(seconds)
            return
        self._times[self._next] = seconds
        self._next = (self._next + 1) % KEPT

    def quantile(self, part: float) -> float | None:
        """The shortest time within which this part of the answers has come; None if none has."""
        times = sorted(self._times)
        return times[max(0, math.ceil(part * len(times)) - 1)] if times else None

    def figures(self) -> Figures:
        """All of them, now."""
        return Figures(
            self.requests,
            self.refused + self.lost,
            self.lost,
            self.quantile(0.5),
            self.quantile(0.99),
        )
