"""Plays the supervisor process for a pure machine: made-up pids, scripted starts and stops.

Pids are names: `a#2` is the second process started for child `a`. What the machine asks
for is kept as lines in `trace`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from supervisors._errors import format_reason
from supervisors._supervisor.machine import Machine, machine_for
from supervisors._supervisor.plan import (
    Failed,
    Halt,
    Ignored,
    Plan,
    Progress,
    Retry,
    Start,
    Started,
    Stop,
    Tell,
)
from supervisors._supervisor.spec import ChildSpec, SupFlags


async def start_function(*_args: object) -> None:
    """Never called: the driver decides what a start gives."""


def spec(id: object, **options: Any) -> ChildSpec:
    return ChildSpec(id, (start_function, ()), **options)


class Driver:
    """One machine and the world around it.

    plans: child id -> outcomes of its next starts ("ignore", or a reason to fail with);
    when used up, starts work. stops: pid -> reason it ends with instead of the right one.
    """

    def __init__(self, children: list[ChildSpec] | str, **flags: Any) -> None:
        specs = [spec(id) for id in children] if isinstance(children, str) else children
        self.machine: Machine = machine_for(SupFlags(**{"intensity": 99, **flags}), specs)
        self.plans: dict[object, list[object]] = {}
        self.stops: dict[object, object] = {}
        self.retries: list[object] = []
        self.trace: list[str] = []
        self.now = 0.0
        self._incarnations: Counter[object] = Counter()

    def boot(self) -> Any:
        return self.run(self.machine.boot())

    def exited(self, pid: object, reason: object = "killed") -> Halt | None:
        return self.run(self.machine.exited(pid, reason, self.now))

    def retry(self) -> Halt | None:
        return self.run(self.machine.retry(self.retries.pop(0), self.now))

    def run(self, plan: Plan[Any]) -> Any:
        outcome: Any = None
        while True:
            try:
                action = plan.send(outcome)
            except StopIteration as end:
                return end.value
            outcome = self._perform(action)

    def seen(self) -> list[str]:
        """The trace since the last look."""
        trace, self.trace = self.trace, []
        return trace

    def pids(self) -> dict[object, object]:
        """id -> pid of every child, oldest first."""
        return {child.id: child.pid for child in reversed(self.machine.which_children())}

    def _perform(self, action: object) -> Any:
        match action:
            case Start(id, (_, args)):
                shown = f"start {id}" + (f" {args}" if args else "")
                self.trace.append(shown)
                planned = self.plans.get(id)
                what = planned.pop(0) if planned else "ok"
                if what == "ignore":
                    return Ignored()
                if what != "ok":
                    return Failed(what)
                self._incarnations[id] += 1
                pid = f"{id}#{self._incarnations[id]}"
                return Started(pid, pid)
            case Stop(pids, shutdown):
                self.trace.append("stop " + " ".join(str(pid) for pid in pids))
                right = "killed" if shutdown == "brutal_kill" else "shutdown"
                return {pid: self.stops.get(pid, right) for pid in pids}
            case Tell(context, reason, about):
                count = f" x{about['nb_children']}" if "nb_children" in about else ""
                self.trace.append(f"{context} {about['id']}{count} {format_reason(reason)}")
                return None
            case Retry(key):
                self.trace.append(f"retry {key}")
                self.retries.append(key)
                return None
            case Progress():
                return None
        raise AssertionError(f"unknown action {action!r}")
