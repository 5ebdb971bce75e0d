"""What one_for_one, one_for_all and rest_for_one have in common: named children in order.

A strategy differs in one thing only, who is stopped and started when a child has to be
restarted; that is `restart`, one small file each. Everything here is pure: events come in
as calls, actions go out through the `Plan` each returns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from .._errors import Reason, is_normal
from .answers import ChildCounts, ChildInfo
from .children import Child, Children
from .errors import SupervisorError
from .intensity import RestartWindow
from .pacing import go_ahead, handed_on
from .plan import (
    RESTARTING,
    ChildPid,
    Failed,
    Halt,
    Ignored,
    Plan,
    Progress,
    Retry,
    Start,
    Started,
    StartOutcome,
    Stop,
    StopOutcome,
    Tell,
)
from .spec import ChildSpec, SupFlags, check_child_spec
from .verdicts import restarts, stopped_well


class Regular(ABC):
    """The state of a supervisor with named children."""

    def __init__(self, flags: SupFlags, specs: Iterable[ChildSpec]) -> None:
        self.flags = flags
        self.window = RestartWindow(flags.intensity, flags.period)
        self.children = Children()
        for spec in specs:
            self.children.add(spec)

    def take_over(self, old: Regular) -> None:
        """Go on with the children of `old` under these specs (V19)."""
        for child in old.children:
            heir = self.children.find(child.spec.id)
            if heir is None:
                heir = self.children.add(child.spec)
            heir.pace = handed_on(child.pace, child.spec, heir.spec)
            self.children.set_pid(heir, child.pid)

    @abstractmethod
    def bound_to(self, child: Child, /) -> list[Child]:
        """Those that are restarted when `child` is, it included, oldest first."""

    @abstractmethod
    def restart(self, child: Child, /) -> Plan[Child | None]:
        """Bring `child`, and whom the strategy binds to it, up again.

        Returns the child whose start failed, or None when all are up.
        """

    # --- the life of the supervisor ---------------------------------------------------

    def boot(self) -> Plan[Reason | None]:
        """Start all, left to right (V2). Returns None, or why it failed, all stopped again."""
        failed = yield from self.start_in_order(list(self.children))
        if failed is None:
            return None
        child, reason = failed
        yield from self.stop_all()
        return ("failed_to_start_child", child.spec.id, reason)

    def stop_all(self) -> Plan[None]:
        """Stop all in reverse order of starting, one at a time (V4)."""
        yield from self.stop_in_reverse(list(self.children))

    def exited(self, pid: ChildPid, reason: Reason, now: float) -> Plan[Halt | None]:
        """A linked process ended by itself; `now` is the monotonic clock in seconds (V7, V8).

        One that is no child is nothing to a supervisor (V15).
        """
        child = self.children.of_pid(pid)
        if child is None:
            return None
        if child.pace is not None:
            child.pace.waiting = False  # whoever ended the pause early was not counted for it
        if restarts(child.spec, reason):
            yield Tell("child_terminated", reason, child.offender)
            return (yield from self._attempt(child, now))
        if not is_normal(reason):
            yield Tell("child_terminated", reason, child.offender)
        self.children.ended(child)
        return self._auto_shutdown(child)

    def retry(self, id: Hashable, now: float) -> Plan[Halt | None]:
        """The time of a `Retry` has come (V11); nothing if the child was seen to meanwhile."""
        child = self.children.find(id)
        if child is None or child.pid is not RESTARTING:
            return None
        if child.pace is not None and now < child.pace.due:
            return None  # the timer of an earlier pause, which has been cut short
        return (yield from self._attempt(child, now))

    def _attempt(self, child: Child, now: float) -> Plan[Halt | None]:
        pause = go_ahead(child.pace, now, self.window)
        if pause is None:
            yield Tell("shutdown", "reached_max_restart_intensity", child.offender)
            self.children.ended(child)
            return Halt("shutdown")
        if pause > 0:
            yield from self._pause(child, pause)
            return None
        self.children.set_pid(child, None)
        failed = yield from self.restart(child)
        if failed is not None:
            yield Retry(failed.spec.id)
        return None

    def _pause(self, child: Child, seconds: float) -> Plan[None]:
        """Put off a restart; whom it concerns besides is stopped now, not after it."""
        self.children.set_pid(child, None)
        yield from self.stop_in_reverse([c for c in self.bound_to(child) if c is not child])
        self.children.set_pid(child, RESTARTING)
        yield Retry(child.spec.id, seconds)

    def _auto_shutdown(self, ended: Child) -> Halt | None:
        """V16: whether the end of this child, which is not restarted, ends the supervisor."""
        if self.flags.auto_shutdown == "never" or not ended.spec.significant:
            return None
        if self.flags.auto_shutdown == "all_significant" and any(
            child.spec.significant and child.pid is not None for child in self.children
        ):
            return None
        return Halt("shutdown")

    # --- what restarts are made of ----------------------------------------------------

    def start_in_order(self, children: Iterable[Child]) -> Plan[tuple[Child, Reason] | None]:
        """Start these one after the other; stops at the first failure and returns it."""
        for child in children:
            outcome: StartOutcome = yield Start(child.spec.id, child.spec.start)
            if isinstance(outcome, Failed):
                yield Tell("start_error", outcome.reason, child.offender)
                return child, outcome.reason
            if isinstance(outcome, Started):
                self.children.set_pid(child, outcome.pid)
                yield Progress(child.offender)
            else:
                self.children.ended(child)
        return None

    def bring_back(self, children: Iterable[Child]) -> Plan[Child | None]:
        """Start these again; the one that fails is marked `RESTARTING` and returned."""
        failed = yield from self.start_in_order(children)
        if failed is None:
            return None
        child, _ = failed
        self.children.set_pid(child, RESTARTING)
        return child

    def stop_in_reverse(self, children: list[Child]) -> Plan[None]:
        """Stop these, newest first, each waited for; temporary ones are forgotten (V10)."""
        for child in reversed(children):
            yield from self._stop(child)

    def _stop(self, child: Child) -> Plan[None]:
        if child.running:
            pid = child.pid
            reasons: StopOutcome = yield Stop((pid,), child.spec.stops_within)
            reason = reasons[pid]
            if not stopped_well(child.spec, reason):
                yield Tell("shutdown_error", reason, child.offender)
        self.children.ended(child)

    # --- administration ---------------------------------------------------------------

    def start_child(self, term: object) -> Plan[Any]:
        """Start a child after all others and keep its spec. Returns the API's answer.

        Raises `SupervisorError`: the spec's fault, ``("already_started", pid)``,
        ``"already_present"``, or ``(reason, spec)`` when it does not start.
        """
        spec = check_child_spec(term, self.flags.auto_shutdown)
        present = self.children.find(spec.id)
        if present is not None:
            if present.running:
                raise SupervisorError(("already_started", present.pid))
            raise SupervisorError("already_present")
        outcome: StartOutcome = yield Start(spec.id, spec.start)
        if isinstance(outcome, Failed):
            raise SupervisorError((outcome.reason, spec))
        if isinstance(outcome, Ignored):
            if spec.restart != "temporary":
                self.children.add(spec)
            return None
        return (yield from self._runs(self.children.add(spec), outcome))

    def restart_child(self, id: Hashable) -> Plan[Any]:
        """Start a child that was stopped or ended. Returns the API's answer.

        Raises `SupervisorError`: "not_found", "running", "restarting", or why it failed.
        """
        child = self._stopped(id)
        outcome: StartOutcome = yield Start(child.spec.id, child.spec.start)
        if isinstance(outcome, Failed):
            raise SupervisorError(outcome.reason)
        if isinstance(outcome, Ignored):
            return None
        return (yield from self._runs(child, outcome))

    def terminate_child(self, id: Hashable) -> Plan[None]:
        """Stop a child and keep its spec (a temporary's goes); no effect on siblings.

        Raises `SupervisorError("not_found")`.
        """
        yield from self._stop(self._known(id))

    def delete_child(self, id: Hashable) -> None:
        """Forget a child that does not run. Raises `SupervisorError` as restart_child."""
        self.children.remove(self._stopped(id))

    def get_childspec(self, id: Hashable) -> ChildSpec:
        """The spec with its defaults. Raises `SupervisorError("not_found")`."""
        return self._known(id).spec

    def which_child(self, id: Hashable) -> ChildInfo:
        """The child with this id. Raises `SupervisorError("not_found")`."""
        child = self._known(id)
        return ChildInfo.of(child.spec.id, child.pid, child.spec)

    def which_children(self) -> list[ChildInfo]:
        """Every child, newest first."""
        return [ChildInfo.of(c.spec.id, c.pid, c.spec) for c in reversed(self.children)]

    def count_children(self, alive: Callable[[ChildPid], bool]) -> ChildCounts:
        """The counts; `alive` tells whether a process is there just now."""
        active = sum(child.running and alive(child.pid) for child in self.children)
        supervisors = sum(child.spec.type == "supervisor" for child in self.children)
        specs = len(self.children)
        return ChildCounts(specs, active, supervisors, specs - supervisors)

    def _runs(self, child: Child, outcome: Started) -> Plan[Any]:
        self.children.set_pid(child, outcome.pid)
        yield Progress(child.offender)
        return outcome.answer

    def _known(self, id: Hashable) -> Child:
        try:
            child = self.children.find(id)
        except TypeError:  # unhashable: no child can be called that
            child = None
        if child is None:
            raise SupervisorError("not_found")
        return child

    def _stopped(self, id: Hashable) -> Child:
        child = self._known(id)
        if child.running:
            raise SupervisorError("running")
        if child.pid is RESTARTING:
            raise SupervisorError("restarting")
        return child
