"""How often each place in the supervision tree was started again.

A supervisor keeps only the restarts inside its intensity window, and forgets them
when it is itself restarted. The operator's question is a different one: "how often
has *the registry* died since the node came up?" So places are counted, not
processes: a place is the path of child ids from the root, and its count survives the
restart of every supervisor above it. The ledger listens to supervisor and progress
reports, which no process has to send twice; it is fed from the first start on and
loses nothing when the console restarts.

A supervisor's children report before the supervisor itself does (it starts them while
it is being started), so their places are provisional, named by its pid, until its own
place is known.

Children of a simple_one_for_one supervisor have neither an id nor progress reports, so
they have no place; their restarts are in `total` only.
"""

from __future__ import annotations

from supervisors import Pid, ProgressReport, SupervisorReport, is_alive

Place = tuple[str, ...]


class Restarts:
    """The ledger; `observe` is a report subscriber.

    Keeps at most about `capacity` places; beyond that, those nobody lives in are dropped.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._places: dict[Pid, Place] = {}
        self._starts: dict[Place, int] = {}
        self.total = 0

    def of(self, pid: Pid) -> int:
        """How often the place of `pid` was started again; 0 for a process without a place."""
        place = self._places.get(pid)
        return 0 if place is None else self._starts[place] - 1

    def at(self, supervisor: Pid, child: object) -> int:
        """The count of child `child` of `supervisor`, also while it is not running."""
        return max(0, self._starts.get(self._place(supervisor, child), 1) - 1)

    def observe(self, report: object) -> None:
        """Take note of one report of the runtime; those of other kinds are ignored."""
        if isinstance(report, ProgressReport):
            started = report.started.get("pid")
            if report.pid is not None and isinstance(started, Pid):
                self._started(report.pid, report.started.get("id"), started)
        elif isinstance(report, SupervisorReport) and report.context == "child_terminated":
            self._ended(report.offender)

    def _started(self, supervisor: Pid, child: object, pid: Pid) -> None:
        place = self._place(supervisor, child)
        self._places[pid] = place
        self._count(place, 1)
        self._settle(pid, place)
        if len(self._places) > self._capacity:
            self._places = {known: at for known, at in self._places.items() if is_alive(known)}
            lived_in = set(self._places.values())
            self._starts = {at: count for at, count in self._starts.items() if at in lived_in}

    def _ended(self, offender: dict[str, object]) -> None:
        ended = offender.get("pid")
        if not isinstance(ended, Pid):
            return
        if self._places.pop(ended, None) is None and offender.get("restart_type") != "temporary":
            self.total += 1

    def _count(self, place: Place, starts: int) -> None:
        before = self._starts.get(place, 0)
        self._starts[place] = before + starts
        self.total += starts if before else starts - 1

    def _settle(self, supervisor: Pid, place: Place) -> None:
        """Give the children that `supervisor` started before its own report their place."""
        provisional = str(supervisor)
        early = [at for at in self._starts if at[0] == provisional]
        if not early:
            return
        for at in early:
            starts = self._starts.pop(at)
            self.total -= starts - 1
            self._count(place + at[1:], starts)
        for pid, at in self._places.items():
            if at[0] == provisional:
                self._places[pid] = place + at[1:]

    def _place(self, supervisor: Pid, child: object) -> Place:
        return (*self._places.get(supervisor, (str(supervisor),)), str(child))
