"""Children that come and go, each with a spec of its own, known only by pid.

The strategy of Elixir's DynamicSupervisor (1.6): one_for_one without order and without
ids. It differs from simple_one_for_one in that every child brings its spec, that there
may be a limit to their number, and in its answers.

As there, a child is one entry in a dict, so starting and stopping one costs the same
whether there are three or fifty thousand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any

from .._errors import Reason, is_normal
from .answers import ChildCounts, ChildInfo
from .errors import SupervisorError
from .intensity import RestartWindow
from .pacing import Paces, go_ahead
from .plan import (
    RESTARTING,
    ChildPid,
    Failed,
    Halt,
    Ignored,
    Plan,
    Retry,
    Start,
    StartOutcome,
    Stop,
    StopEach,
    StopOutcome,
    Tell,
    offender,
)
from .spec import ChildSpec, SupFlags, check_child_spec, check_flags
from .verdicts import restarts, stopped_well


class Dynamic:
    """The state of a dynamic supervisor.

    max_children: how many there may be, those being restarted included. extra_arguments:
    go before the arguments of every child's start function.
    Raises `SupervisorError` ``("supervisor_data", fault)`` for what makes no sense.
    """

    def __init__(
        self, flags: SupFlags, max_children: float = math.inf, extra_arguments: Any = ()
    ) -> None:
        try:
            self.flags = _checked(flags, max_children, extra_arguments)
        except SupervisorError as fault:
            raise SupervisorError(("supervisor_data", fault.reason)) from None
        self.max_children = max_children
        self.extra_arguments = tuple(extra_arguments)
        self.window = RestartWindow(flags.intensity, flags.period)
        self._live: dict[ChildPid, ChildSpec] = {}
        self._restarting: dict[ChildPid, ChildSpec] = {}
        self._paces = Paces()

    # --- the life of the supervisor ---------------------------------------------------

    def boot(self) -> Plan[Reason | None]:
        """Nothing to start: children come later."""
        yield from ()
        return None

    def stop_all(self) -> Plan[None]:
        """Stop all at once; those with the same time to stop in share one timer."""
        if not self._live:
            return
        specs, self._live = self._live, {}
        reasons: StopOutcome = yield StopEach({p: s.stops_within for p, s in specs.items()})
        for pid, reason in reasons.items():
            if not stopped_well(specs[pid], reason):
                yield Tell("shutdown_error", reason, offender(specs[pid], pid))

    def exited(self, pid: ChildPid, reason: Reason, now: float) -> Plan[Halt | None]:
        """A child ended by itself; `now` is the monotonic clock in seconds (V7, V9, V15)."""
        spec = self._live.pop(pid, None)
        if spec is None:
            return None
        if restarts(spec, reason):
            yield Tell("child_terminated", reason, offender(spec, pid))
            return (yield from self._attempt(pid, pid, spec, now))
        self._paces.forget(pid)
        if not is_normal(reason):
            yield Tell("child_terminated", reason, offender(spec, pid))
        return None

    def retry(self, key: Hashable, now: float) -> Plan[Halt | None]:
        """The time of a `Retry` has come; `key` is the pid the child had (V11)."""
        spec = self._restarting.pop(key, None)
        if spec is None:
            return None
        return (yield from self._attempt(key, RESTARTING, spec, now))

    def _attempt(
        self, key: ChildPid, shown: ChildPid, spec: ChildSpec, now: float
    ) -> Plan[Halt | None]:
        pause = go_ahead(self._paces.of(key, spec), now, self.window)
        if pause is None:
            yield Tell("shutdown", "reached_max_restart_intensity", offender(spec, shown))
            return Halt("shutdown")
        if pause > 0:
            self._restarting[key] = spec
            yield Retry(key, pause)
            return None
        outcome: StartOutcome = yield self._start(spec)
        if isinstance(outcome, Failed):
            self._restarting[key] = spec
            yield Tell("start_error", outcome.reason, offender(spec, RESTARTING))
            yield Retry(key)
        elif isinstance(outcome, Ignored):
            self._paces.forget(key)
        else:
            self._live[outcome.pid] = spec
            self._paces.rename(key, outcome.pid)
        return None

    def _start(self, spec: ChildSpec) -> Start:
        function, args = spec.start
        return Start(spec.id, (function, self.extra_arguments + tuple(args)))

    # --- administration ---------------------------------------------------------------

    def start_child(self, term: object) -> Plan[Any]:
        """Start one more child; its id is nothing to us. Returns the API's answer.

        Raises `SupervisorError`: the spec's fault, "max_children", or the bare reason the
        child did not start for.
        """
        spec = check_child_spec(term)
        if spec.significant:
            raise SupervisorError(("invalid_significant", True))
        if len(self._live) + len(self._restarting) >= self.max_children:
            raise SupervisorError("max_children")
        outcome: StartOutcome = yield self._start(spec)
        if isinstance(outcome, Failed):
            raise SupervisorError(outcome.reason)
        if isinstance(outcome, Ignored):
            return None
        self._live[outcome.pid] = spec
        return outcome.answer

    def terminate_child(self, pid: Hashable) -> Plan[None]:
        """Stop the child with this pid; one whose restart is pending is given up.

        Raises `SupervisorError("not_found")` for everybody else, the dead included.
        """
        self._paces.forget(pid)
        spec = self._live.get(pid)
        if spec is not None:
            reasons: StopOutcome = yield Stop((pid,), spec.stops_within)
            self._live.pop(pid, None)
            if not stopped_well(spec, reasons[pid]):
                yield Tell("shutdown_error", reasons[pid], offender(spec, pid))
        elif self._restarting.pop(pid, None) is None:
            raise SupervisorError("not_found")

    def restart_child(self, _id: Hashable) -> Plan[Any]:
        """Refused: children have no ids to be asked for by."""
        raise SupervisorError("not_found")

    def delete_child(self, _id: Hashable) -> None:
        """Refused: the spec of a child goes with it."""
        raise SupervisorError("not_found")

    def get_childspec(self, pid: ChildPid) -> ChildSpec:
        """The spec of the child with this pid. Raises `SupervisorError("not_found")`."""
        spec = self._live.get(pid) or self._restarting.get(pid)
        if spec is None:
            raise SupervisorError("not_found")
        return spec

    def which_child(self, pid: Hashable) -> ChildInfo:
        """The child with this pid. Raises `SupervisorError("not_found")`."""
        spec = self.get_childspec(pid)
        return ChildInfo.of(None, RESTARTING if pid in self._restarting else pid, spec)

    def which_children(self) -> list[ChildInfo]:
        """Every child, those with a pending restart first, then newest first."""
        waiting = [ChildInfo.of(None, RESTARTING, spec) for spec in self._restarting.values()]
        return waiting + [ChildInfo.of(None, p, s) for p, s in reversed(self._live.items())]

    def count_children(self, _alive: Callable[[ChildPid], bool]) -> ChildCounts:
        """The counts; whether the processes are alive is not looked at."""
        specs = [*self._live.values(), *self._restarting.values()]
        supervisors = sum(spec.type == "supervisor" for spec in specs)
        return ChildCounts(len(specs), len(self._live), supervisors, len(specs) - supervisors)


def _checked(flags: SupFlags, max_children: object, extra_arguments: object) -> SupFlags:
    check_flags(flags)
    if flags.strategy != "one_for_one":
        raise SupervisorError(("invalid_strategy", flags.strategy))
    whole = isinstance(max_children, int) and not isinstance(max_children, bool)
    if not (max_children == math.inf or (whole and max_children >= 0)):  # type: ignore[operator]
        raise SupervisorError(("invalid_max_children", max_children))
    if not isinstance(extra_arguments, (tuple, list)):
        raise SupervisorError(("invalid_extra_arguments", extra_arguments))
    return flags
