"""Tasks that an upstream has begun for clients: as long as it may be at one, or keeps its result, it is needed.

Nobody says when a client has lost its interest, so a task counts until its result was fetched, it was
cancelled, or its time is over.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

LONGEST: Final = 86_400.0
"""Seconds for which a task counts at most, also one that is kept without limit."""
LIMIT: Final = 10_000
"""Tasks of one upstream that count; of more, the oldest do no longer."""


class _Task(msgspec.Struct):
    """What both flavours say of a task, each in its way; ttl: milliseconds."""

    status: str = ""
    ttl: int | None = None
    ttl_ms: int | None = msgspec.field(default=None, name="ttlMs")


class _Result(_Task):
    task: _Task | None = None
    result: Raw = Raw()
    error: Raw = Raw()


_result = msgspec.json.Decoder(_Result).decode


class Errands:
    """Of one upstream: tasks by instance and id, with the time until which they count."""

    def __init__(self) -> None:
        self._until: dict[tuple[int, str], float] = {}

    def are_left(self, now: float) -> bool:
        """Whether there is one."""
        for key in [key for key, until in self._until.items() if until <= now]:
            del self._until[key]
        return bool(self._until)

    def begun(self, number: int, id: str, result: Raw, now: float) -> None:
        """This instance has begun a task, and said so by this result."""
        told = _read(result)
        task = told.task or told
        limits = [limit for limit in (task.ttl, task.ttl_ms) if limit is not None]
        self._until[number, id] = now + min([LONGEST, *(limit / 1000 for limit in limits)])
        if len(self._until) > LIMIT:
            del self._until[next(iter(self._until))]

    def told(self, number: int, id: str, method: str, result: Raw | None) -> None:
        """It has answered a request about a task; result: None for an error. WHY one that has ended may count
        still: in 2025-11-25 its result has to be fetched yet.
        """
        told = _Result() if result is None else _read(result)
        fetched = method == "tasks/result" or bool(told.result) or bool(told.error)
        if fetched or told.status == "cancelled":
            self._until.pop((number, id), None)

    def lost(self, number: int) -> None:
        """This instance has lost its connection, and with it what it was at."""
        for key in [key for key in self._until if key[0] == number]:
            del self._until[key]


def _read(result: Raw) -> _Result:
    try:
        return _result(result)
    except ValueError:
        return _Result()
