"""What the kernel tells the operator: structured events, delivered to subscribers.

Reports never travel through mailboxes, so a flooded or dead logger cannot hold up the
process that reports; a subscriber runs at once, on the reporter's stack, and must be
quick. OTP: logger, domain [otp, sasl].
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ._errors import Reason, unwinds
from ._pid import Pid


@dataclass(frozen=True, slots=True)
class Report:
    """Base of all reports.

    pid: the process that reports, or is reported on; None for the runtime itself.
    """

    pid: Pid | None


@dataclass(frozen=True, slots=True)
class CrashReport(Report):
    """A process ended with anything but normal, shutdown or (shutdown, term): proc_lib.

    kind: "exit", "throw" or "error" (rule P3); reason: its exit reason.
    name, label, initial_call, ancestors, message_queue_len, links, trap_exit, status:
    the process as it was when it ended. neighbours: linked processes that do not trap,
    breadth first, at most 15.
    """

    kind: str
    reason: Reason
    name: str | None
    label: object
    initial_call: str
    ancestors: tuple[Pid | str, ...]
    message_queue_len: int
    links: tuple[Pid, ...]
    trap_exit: bool
    neighbours: tuple[Pid, ...] = ()


@dataclass(frozen=True, slots=True)
class ErrorReport(Report):
    """A behaviour terminated abnormally: gen_server's own report (rule G10).

    message: the last message it handled; state: its state as `format_status` shows it,
    and so the log (the events that `sys.log` keeps). details: what its behaviour shows
    besides: of a state machine queue, postponed, timeouts and modules.
    """

    name: str | None
    behaviour: str
    message: object
    state: object
    reason: Reason
    log: list[Any] = field(default_factory=list, kw_only=True)
    details: dict[str, Any] = field(default_factory=dict, kw_only=True)


@dataclass(frozen=True, slots=True)
class SupervisorReport(Report):
    """What a supervisor had to do (OTP: supervisor reports).

    supervisor: its registered name, else its pid. context: "start_error",
    "child_terminated", "shutdown_error" or "shutdown". offender: the child, with keys
    pid, id, mfargs, restart_type, significant, shutdown, child_type.
    """

    supervisor: Pid | str
    context: str
    reason: Reason
    offender: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProgressReport(Report):
    """A supervisor started a child; `started` has the keys of an offender."""

    supervisor: Pid | str
    started: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LongSchedule(Report):
    """A process held the loop: nobody else ran meanwhile (`Watchdog`; OTP: system_monitor).

    seconds: how long, up to when it was looked at. initial_call: what the process runs.
    stack: where it was, as text. raised: whether it was made to crash (``max_run``).
    """

    seconds: float
    initial_call: str
    stack: str
    raised: bool


@dataclass(frozen=True, slots=True)
class WarningReport(Report):
    """Something odd that stopped nobody: an unhandled info message (G11), a stray message.

    text: one line; details: what it was about.
    """

    text: str
    details: dict[str, Any] = field(default_factory=dict)


Subscriber = Callable[[Report], object]


class Reports:
    """The subscribers of one runtime.

    unheard: gets the reports that nobody has subscribed to (`run`).
    """

    __slots__ = ("_subscribers", "unheard")

    def __init__(self) -> None:
        self._subscribers: tuple[Subscriber, ...] = ()
        self.unheard: Subscriber | None = None

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber(report)` for every report from now on; returns the way to end it."""
        self._subscribers = (*self._subscribers, subscriber)

        def unsubscribe() -> None:
            self._subscribers = tuple(s for s in self._subscribers if s is not subscriber)

        return unsubscribe

    def emit(self, report: Report) -> None:
        """Deliver to every subscriber; one that raises is dropped, and the others are told."""
        if not self._subscribers and self.unheard is not None:
            self.unheard(report)
        for subscriber in self._subscribers:
            try:
                subscriber(report)
            except BaseException as error:
                if unwinds(error):
                    raise
                self._subscribers = tuple(s for s in self._subscribers if s is not subscriber)
                sys.stderr.write(f"supervisors: report subscriber removed: {error!r}\n")
                self.emit(
                    WarningReport(
                        report.pid,
                        "a report subscriber raised and was removed",
                        {"subscriber": repr(subscriber), "error": repr(error)},
                    )
                )
