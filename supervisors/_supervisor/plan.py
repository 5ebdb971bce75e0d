"""The language between a strategy and the supervisor process: actions out, outcomes in.

WHY generators: every answer of a strategy is a `Plan`, a generator that yields one action
at a time and is sent that action's outcome. The order of stops, starts and reports (which
is the whole point of a strategy) then reads top to bottom, and the plan still awaits
nothing, knows no clock and touches no process: a test drives it with made-up outcomes,
the supervisor process with real ones. A list of actions could not do it, because what
comes after a start depends on whether it worked.

=============  ====================================================  ==================
action         asks the process to                                   outcome
=============  ====================================================  ==================
`Start`        run a start function                                  `StartOutcome`
`Stop`         end these children, all signalled at once (V5)        reason per pid
`StopEach`     the same, each child with a time limit of its own     reason per pid
`Tell`         publish a supervisor report                           None
`Progress`     publish a progress report                             None
`Retry`        come back with ``retry(key)`` through its mailbox     None
=============  ====================================================  ==================
"""

from __future__ import annotations

from collections.abc import Generator, Hashable, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

from .._errors import Reason
from .spec import ChildSpec, Shutdown, StartFunction

ChildPid: TypeAlias = Hashable
"""The machine only compares pids; the process uses `Pid`, tests use short names."""

Context = Literal["start_error", "child_terminated", "shutdown_error", "shutdown"]
Offender: TypeAlias = dict[str, Any]

RESTARTING: Final = "restarting"
"""Stands for the pid of a child whose restart failed and will be tried again (V11)."""


class Start(NamedTuple):
    """Call the start function of the child `id`."""

    id: Hashable
    start: StartFunction


class Started(NamedTuple):
    """It returned a pid. answer: what it returned in full, the pid or ``(pid, extra)``."""

    pid: ChildPid
    answer: Any


class Ignored:
    """It asked to be left out (rule V3)."""

    __slots__ = ()


class Failed(NamedTuple):
    """It raised, or returned something else."""

    reason: Reason


StartOutcome: TypeAlias = Started | Ignored | Failed


class Stop(NamedTuple):
    """End these children; one time limit covers them all."""

    pids: tuple[ChildPid, ...]
    shutdown: Shutdown


class StopEach(NamedTuple):
    """End these children; those with the same time limit share one timer."""

    shutdowns: Mapping[ChildPid, Shutdown]


StopOutcome: TypeAlias = Mapping[ChildPid, Reason]


class Tell(NamedTuple):
    """Publish a supervisor report about `offender`."""

    context: Context
    reason: Reason
    offender: Offender


class Progress(NamedTuple):
    """Publish that a child runs."""

    started: Offender


class Retry(NamedTuple):
    """Try the restart of `key` again, after what is already in the mailbox (V11).

    delay: seconds to wait before that, for a child with a `Backoff`.
    """

    key: Hashable
    delay: float = 0.0


Action: TypeAlias = Start | Stop | StopEach | Tell | Progress | Retry


class Halt(NamedTuple):
    """Result of a plan: the supervisor stops its children and exits with `reason`."""

    reason: Reason


Result = TypeVar("Result")
Plan: TypeAlias = Generator[Action, Any, Result]


def offender(spec: ChildSpec, pid: ChildPid | None, start: StartFunction | None = None) -> Offender:
    """A child as reports show it (OTP: the offender of a supervisor report)."""
    return {
        "pid": pid,
        "id": spec.id,
        "mfargs": spec.start if start is None else start,
        "restart_type": spec.restart,
        "significant": spec.significant,
        "shutdown": spec.stops_within,
        "child_type": spec.type,
    }
