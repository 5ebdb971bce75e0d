"""What each console client saw last, so that ``ps`` can show what happened since.

A process that has taken a million messages in a week is not news; one that took
a thousand since the operator last looked is. A look is the counter of every
process at that time. Looks belong to the console service, not to a connection:
one-shot commands of one user share a look, an attached shell has its own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from supervisors import Pid


class Looks:
    """The last look of each session, for the `capacity` sessions that looked most recently."""

    def __init__(self, capacity: int = 32) -> None:
        self._capacity = capacity
        self._looks: OrderedDict[str, tuple[float, dict[Pid, int]]] = OrderedDict()

    def take(
        self, session: str, now: float, counters: Mapping[Pid, int]
    ) -> tuple[float | None, dict[Pid, int]]:
        """Remember `counters` for `session` and compare them with its last look.

        Returns how many seconds ago that was (None: it never looked) and, per process,
        the difference since; a process it has not seen before counts from 0.
        """
        last = self._looks.pop(session, None)
        self._looks[session] = (now, dict(counters))
        if len(self._looks) > self._capacity:
            self._looks.popitem(last=False)
        if last is None:
            return None, dict(counters)
        when, before = last
        return now - when, {pid: count - before.get(pid, 0) for pid, count in counters.items()}
