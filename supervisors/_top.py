"""The busiest and the largest processes: recon's ``proc_count`` and ``proc_window``.

`proc_count` sorts by what a process has, `proc_window` by how much of it came in a window
of time; the second finds the culprit when everybody has a long history (SEMANTICS 1.9).

    >>> import supervisors
    >>> from supervisors import GenServer, proc_count, send
    >>> class Idle(GenServer):
    ...     pass
    >>> async def main():
    ...     quiet, loud = await Idle.start(name="quiet"), await Idle.start(name="loud")
    ...     for _ in range(5):
    ...         send(loud, "hello")
    ...     (top,) = proc_count("message_queue_len", 1)
    ...     return top.registered_name, top.value
    >>> supervisors.run(main)
    ('loud', 5)
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nlargest
from typing import Any, Final

import trio

from ._cell import current_runtime
from ._errors import BadArg
from ._info import ITEMS
from ._pid import Pid

NUMBERS: Final = (
    "memory",
    "message_queue_len",
    "messages_in",
    "reductions",
    "dropped",
    "uptime",
)
"""What processes can be sorted by."""


@dataclass(frozen=True, slots=True)
class TopEntry:
    """One process of a top list. value: of the attribute, or its growth in the window."""

    pid: Pid
    value: float
    registered_name: str | None
    label: Any
    initial_call: str


def _values(attribute: str) -> dict[Pid, float]:
    if attribute not in NUMBERS:
        raise BadArg(f"processes are sorted by {', '.join(NUMBERS)}, not by {attribute!r}")
    measure = ITEMS[attribute]
    table = current_runtime().table
    return {pid: measure(process) for pid, process in list(table.items()) if process.alive}


def _top(values: dict[Pid, float], n: int) -> list[TopEntry]:
    found: list[TopEntry] = []
    for pid in nlargest(n, values, key=values.__getitem__):
        process = pid._process
        if process is not None:
            entry = TopEntry(pid, values[pid], process.name, process.label, process.initial_call)
            found.append(entry)
    return found


def proc_count(attribute: str, n: int = 10) -> list[TopEntry]:
    """The `n` processes with the most of an attribute (`NUMBERS`), most first."""
    return _top(_values(attribute), n)


async def proc_window(attribute: str, n: int = 10, seconds: float = 1.0) -> list[TopEntry]:
    """The `n` processes whose attribute grew most in a window of `seconds`, most first.

    A process that was started meanwhile counts from zero, one that ended is left out.
    """
    before = _values(attribute)
    await trio.sleep(seconds)
    after = _values(attribute)
    return _top({pid: value - before.get(pid, 0) for pid, value in after.items()}, n)
