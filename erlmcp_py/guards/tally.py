"""How often each entry of the refusal catalogue was said, since the runtime was opened.

A refusal is counted where it goes out: where the answer is written, where a connection is closed. Not
where its error is made, for an error may be made and caught again. One table per runtime, which no
process owns: it outlives every crash, and counting costs one look into a dict. All of a runtime's code
is on one thread.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from erlmcp_py.protocol.refusals import TABLE, Refusal, refusal_of
from supervisors import Runtime, current_runtime


class RefusalCount(msgspec.Struct, frozen=True):
    """One code. count: times it was said. last_at: when last, seconds on the runtime's clock."""

    code: int
    name: str
    severity: str
    count: int
    last_at: float


class _Tally:
    __slots__ = ("counts", "last")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.last: dict[int, float] = {}


_tallies: WeakKeyDictionary[Runtime, _Tally] = WeakKeyDictionary()


def count(entry: Refusal) -> None:
    """Note that the entry was said just now."""
    runtime = current_runtime()
    tally = _tallies.get(runtime)
    if tally is None:
        tally = _tallies[runtime] = _Tally()
    code = entry.code
    tally.counts[code] = tally.counts.get(code, 0) + 1
    tally.last[code] = runtime.now()


def count_error(data: Any) -> None:
    """Note the entry that the `data` of an error names, which goes out just now; if it names one."""
    entry = refusal_of(data)
    if entry is not None:
        count(entry)


def refusals() -> tuple[RefusalCount, ...]:
    """What was refused since the runtime was opened, by code; what never was is not there."""
    tally = _tallies.get(current_runtime())
    if tally is None:
        return ()
    return tuple(
        RefusalCount(code, TABLE[code].name, TABLE[code].severity, number, tally.last[code])
        for code, number in sorted(tally.counts.items())
    )
