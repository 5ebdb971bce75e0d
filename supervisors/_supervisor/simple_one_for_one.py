"""simple_one_for_one: any number of children made from one spec, known only by pid.

WHY its own state: connections, sessions and requests are children of such a supervisor,
thousands of them coming and going, so a child here is one entry in a dict (pid to the
arguments it was started with, kept only if it can be restarted) and every operation on
one of them costs the same however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from .._errors import Reason, format_reason, is_normal
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
    Offender,
    Plan,
    Retry,
    Start,
    StartOutcome,
    Stop,
    StopOutcome,
    Tell,
    offender,
)
from .spec import ChildSpec, SupFlags
from .verdicts import restarts, stopped_well

Args = tuple[Any, ...]


class SimpleOneForOne:
    """The state of a supervisor of dynamic children."""

    def __init__(self, flags: SupFlags, spec: ChildSpec) -> None:
        self.flags = flags
        self.spec = spec
        self.window = RestartWindow(flags.intensity, flags.period)
        self._function, self._args = spec.start[0], tuple(spec.start[1])
        self._keeps_args = spec.restart != "temporary"
        self._live: dict[ChildPid, Args] = {}
        self._restarting: dict[ChildPid, Args] = {}
        self._paces = Paces()

    def take_over(self, old: SimpleOneForOne) -> None:
        """Go on with the children of `old` under this spec (V19)."""
        self._live = old._live
        self._restarting = old._restarting
        self._paces = old._paces.handed_on(old.spec, self.spec)

    # --- the life of the supervisor ---------------------------------------------------

    def boot(self) -> Plan[Reason | None]:
        """Nothing to start: children come later."""
        yield from ()
        return None

    def stop_all(self) -> Plan[None]:
        """Stop all at once under one time limit; one report per reason, with a count."""
        if not self._live:
            return
        reasons: StopOutcome = yield Stop(tuple(self._live), self.spec.stops_within)
        self._live.clear()
        counted: dict[str, tuple[Reason, int]] = {}
        for reason in reasons.values():
            if not stopped_well(self.spec, reason):
                key = format_reason(reason)
                first, count = counted.get(key, (reason, 0))
                counted[key] = first, count + 1
        for reason, count in counted.values():
            about = offender(self.spec, None)
            del about["pid"]
            yield Tell("shutdown_error", reason, {"nb_children": count, **about})

    def exited(self, pid: ChildPid, reason: Reason, now: float) -> Plan[Halt | None]:
        """As for regular supervisors: V7, V9, V15, V16."""
        args = self._live.pop(pid, None)
        if args is None:
            return None
        if restarts(self.spec, reason):
            yield Tell("child_terminated", reason, self._offender(pid, args))
            return (yield from self._attempt(pid, pid, args, now))
        self._paces.forget(pid)
        if not is_normal(reason):
            yield Tell("child_terminated", reason, self._offender(pid, args))
        return self._auto_shutdown()

    def retry(self, key: Hashable, now: float) -> Plan[Halt | None]:
        """The time of a `Retry` has come; `key` is the pid the child had (V11)."""
        args = self._restarting.pop(key, None)
        if args is None:
            return None
        return (yield from self._attempt(key, RESTARTING, args, now))

    def _attempt(self, key: ChildPid, shown: ChildPid, args: Args, now: float) -> Plan[Halt | None]:
        pause = go_ahead(self._paces.of(key, self.spec), now, self.window)
        if pause is None:
            yield Tell("shutdown", "reached_max_restart_intensity", self._offender(shown, args))
            return Halt("shutdown")
        if pause > 0:
            self._restarting[key] = args
            yield Retry(key, pause)
            return None
        outcome: StartOutcome = yield self._start(args)
        if isinstance(outcome, Failed):
            self._restarting[key] = args
            yield Tell("start_error", outcome.reason, self._offender(RESTARTING, args))
            yield Retry(key)
        elif isinstance(outcome, Ignored):
            self._paces.forget(key)
        else:
            self._live[outcome.pid] = args
            self._paces.rename(key, outcome.pid)
        return None

    def _auto_shutdown(self) -> Halt | None:
        if self.flags.auto_shutdown == "never" or not self.spec.significant:
            return None
        if self.flags.auto_shutdown == "all_significant" and (self._live or self._restarting):
            return None
        return Halt("shutdown")

    def _start(self, args: Args) -> Start:
        return Start(self.spec.id, (self._function, self._args + args))

    def _offender(self, pid: ChildPid, args: Args) -> Offender:
        return offender(self.spec, pid, (self._function, self._args + args))

    # --- administration ---------------------------------------------------------------

    def start_child(self, term: object) -> Plan[Any]:
        """Start a child with these arguments after the spec's own. Returns the API's answer.

        Raises `SupervisorError`: ``("invalid_args", term)`` for anything but a sequence
        of arguments, or why the child did not start.
        """
        if not isinstance(term, (tuple, list)):
            raise SupervisorError(("invalid_args", term))
        args = tuple(term)
        outcome: StartOutcome = yield self._start(args)
        if isinstance(outcome, Failed):
            raise SupervisorError(outcome.reason)
        if isinstance(outcome, Ignored):
            return None
        self._live[outcome.pid] = args if self._keeps_args else ()
        return outcome.answer

    def terminate_child(self, pid: ChildPid) -> Plan[None]:
        """Stop the child with this pid; one whose restart is pending is given up.

        Raises `SupervisorError("not_found")`: whether the process of an unknown pid is
        alive is for the supervisor process to say (a dead one is no error).
        """
        self._paces.forget(pid)
        if pid in self._live:
            reasons: StopOutcome = yield Stop((pid,), self.spec.stops_within)
            args = self._live.pop(pid)
            reason = reasons[pid]
            if not stopped_well(self.spec, reason):
                yield Tell("shutdown_error", reason, self._offender(pid, args))
        elif self._restarting.pop(pid, None) is None:
            raise SupervisorError("not_found")

    def restart_child(self, _id: Hashable) -> Plan[Any]:
        """Refused: children have no ids."""
        raise SupervisorError("simple_one_for_one")

    def delete_child(self, _id: Hashable) -> None:
        """Refused: children have no specs of their own."""
        raise SupervisorError("simple_one_for_one")

    def get_childspec(self, pid: ChildPid) -> ChildSpec:
        """The one spec, for the pid of any child. Raises `SupervisorError("not_found")`."""
        if pid in self._live or pid in self._restarting:
            return self.spec
        raise SupervisorError("not_found")

    def which_child(self, pid: ChildPid) -> ChildInfo:
        """The child with this pid. Raises `SupervisorError("not_found")`."""
        spec = self.get_childspec(pid)
        return ChildInfo.of(None, RESTARTING if pid in self._restarting else pid, spec)

    def which_children(self) -> list[ChildInfo]:
        """Every child, those with a pending restart first, then newest first."""
        pids = [*(RESTARTING for _ in self._restarting), *reversed(self._live)]
        return [ChildInfo.of(None, pid, self.spec) for pid in pids]

    def count_children(self, _alive: Callable[[ChildPid], bool]) -> ChildCounts:
        """The counts; whether the processes are alive is not looked at (OTP)."""
        active = len(self._live)
        total = active + len(self._restarting)
        if self.spec.type == "supervisor":
            return ChildCounts(1, active, total, 0)
        return ChildCounts(1, active, 0, total)
