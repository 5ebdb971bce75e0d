"""The children of a regular supervisor in the order of their starting (rule V4).

A restarted child keeps its place, one deleted and started again goes last: exactly what
a dict does with its keys. A second dict finds the child of a pid, so that the end of a
child costs the same whether there are three or thousands.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from .pacing import Pace, pace_of
from .plan import RESTARTING, ChildPid, Offender, offender
from .spec import ChildSpec


@dataclass(slots=True, eq=False)
class Child:
    """One child: its spec and, while it runs, its pid.

    pid: a pid, `RESTARTING`, or None when it does not run. Set through `Children`.
    pace: how its restarts go, if its spec asks for a backoff or a budget.
    """

    spec: ChildSpec
    pid: ChildPid | None = None
    pace: Pace | None = None

    def __post_init__(self) -> None:
        self.pace = pace_of(self.spec)

    @property
    def running(self) -> bool:
        return self.pid is not None and self.pid is not RESTARTING

    @property
    def offender(self) -> Offender:
        return offender(self.spec, self.pid)


class Children:
    """Children by id, oldest first, and by pid."""

    __slots__ = ("_by_id", "_by_pid")

    def __init__(self) -> None:
        self._by_id: dict[Hashable, Child] = {}
        self._by_pid: dict[ChildPid, Child] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Child]:
        """Oldest first."""
        return iter(self._by_id.values())

    def __reversed__(self) -> Iterator[Child]:
        return reversed(self._by_id.values())

    def add(self, spec: ChildSpec) -> Child:
        """A new child, last in the order, not running yet."""
        child = self._by_id[spec.id] = Child(spec)
        return child

    def remove(self, child: Child) -> None:
        """Forget the child, its spec and its place."""
        self.set_pid(child, None)
        del self._by_id[child.spec.id]

    def find(self, id: Hashable) -> Child | None:
        return self._by_id.get(id)

    def of_pid(self, pid: ChildPid) -> Child | None:
        return self._by_pid.get(pid)

    def set_pid(self, child: Child, pid: ChildPid | None) -> None:
        """Record that the child runs as `pid`, is `RESTARTING`, or (None) does not run."""
        if child.running:
            self._by_pid.pop(child.pid, None)  # two children may have returned one pid
        child.pid = pid
        if child.running:
            self._by_pid[pid] = child

    def ended(self, child: Child) -> None:
        """It runs no more, and will not be restarted: a temporary one is forgotten (V7)."""
        if child.spec.restart == "temporary":
            self.remove(child)
        else:
            self.set_pid(child, None)

    def since(self, child: Child) -> list[Child]:
        """`child` and all that were started after it, oldest first."""
        newest_first: list[Child] = []
        for other in reversed(self):
            newest_first.append(other)
            if other is child:
                break
        newest_first.reverse()
        return newest_first
