"""Log entries: what one line of the log says, and how a kernel report becomes one. Pure.

One event is one line, so that `grep`, `tail` and every collector can work on it; anything a
stranger may have put into a text (a tool's name, an exception's message) is escaped, or it could
forge lines of its own. Only at level debug the stack of a crash follows, a line per frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from supervisors import (
    ApplicationReport,
    CrashReport,
    ErrorReport,
    LongSchedule,
    Pid,
    ProgressReport,
    Report,
    SupervisorReport,
    WarningReport,
    format_reason,
    process_info,
)
from supervisors.alarm_handler import AlarmReport
from supervisors.gen_event import HandlerReport

Level: TypeAlias = Literal["debug", "info", "warning", "error", "critical", "audit"]

SEVERITY: Final[dict[str, int]] = {
    level: rank
    for rank, level in enumerate(("debug", "info", "warning", "error", "critical", "audit"))
}
"""`audit` stands above all: who changed the node is written whatever the level of the log."""

MAX_TEXT: Final = 4096
"""Characters of one entry's text; the rest is cut and the cut is marked."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event.

    at: seconds since the epoch. pid: the process it is about; None for the node itself.
    """

    at: float
    level: Level
    pid: Pid | None
    text: str

    def line(self) -> str:
        """``2026-11-21T02:19:44.123Z error <erlmcp.12.0> text``, without a newline."""
        time = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        who = "-" if self.pid is None else str(self.pid)
        return f"{time.removesuffix('+00:00')}Z {self.level:<8} {who} {_printable(self.text)}"


def describe(report: Report, at: float) -> Iterator[Entry]:
    """The entries of one kernel report, the stack (level debug) behind its error."""
    match report:
        case CrashReport():
            who = f"{_name(report.name, report.label)} ({report.initial_call})"
            text = f"crash: {who} ended with {report.kind} {_reason(report.reason)}"
            yield Entry(at, "error", report.pid, text)
            yield from _lines(_stack_of(report.reason), report.pid, at)
        case HandlerReport():
            text = (
                f"event handler {report.name} ({report.behaviour}) was removed: "
                f"{_reason(_bare(report.reason))}; last event {report.message!r}"
            )
            yield Entry(at, "error", report.pid, text)
        case ErrorReport():
            who = _name(report.name, report.behaviour)
            text = f"terminating: {who} {_reason(report.reason)}; last message {report.message!r}"
            yield Entry(at, "error", report.pid, text)
        case SupervisorReport():
            child = f"{report.offender.get('id')} {report.offender.get('pid')}"
            text = (
                f"supervisor {report.supervisor}: {report.context}: child {child} "
                f"{_reason(report.reason)}"
            )
            yield Entry(at, _gravity(report), report.pid, text)
        case ProgressReport():
            child = f"{report.started.get('id')} {report.started.get('pid')}"
            yield Entry(at, "debug", report.pid, f"supervisor {report.supervisor}: started {child}")
        case LongSchedule():
            who = _named(report.pid, report.initial_call)
            end = "; it was made to crash (max_run)" if report.raised else ""
            text = f"{who} held the loop for {report.seconds:.3f} s{_place(report.stack)}{end}"
            yield Entry(at, "warning", report.pid, text)
            yield from _lines(report.stack, report.pid, at)
        case AlarmReport(change="set"):
            text = f"alarm set: {report.alarm_id!r}: {report.description!r}"
            yield Entry(at, "warning", report.pid, text)
        case AlarmReport():
            yield Entry(at, "info", report.pid, f"alarm cleared: {report.alarm_id!r}")
        case ApplicationReport(event="started"):
            text = f"application {report.application} started, {report.restart_type}"
            yield Entry(at, "info", report.pid, text)
        case ApplicationReport():
            asked = report.reason == "stopped"
            text = f"application {report.application} ended, {report.restart_type}"
            why = "" if asked else f": {_reason(report.reason)}"
            yield Entry(at, "info" if asked else "error", report.pid, text + why)
        case WarningReport():
            details = ", ".join(f"{key}={value!r}" for key, value in report.details.items())
            text = f"{report.text} ({details})" if details else report.text
            yield Entry(at, "warning", report.pid, text)
        case _:
            yield Entry(at, "info", report.pid, repr(report))


def _gravity(report: SupervisorReport) -> Level:
    """A child that ended in order, ``("shutdown", why)``, and is started again, is nobody's mishap: whoever
    ended it so says what is to be said.
    """
    orderly = isinstance(report.reason, tuple) and report.reason[:1] == ("shutdown",)
    return "debug" if orderly and report.context == "child_terminated" else "error"


def _name(name: str | None, label: object) -> str:
    return str(name or label or "unnamed")


def _reason(reason: object) -> str:
    """The reason with the place it was raised at, if it has one."""
    frames = getattr(_stack_of(reason), "frames", None)
    place = f" at {frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
    return format_reason(reason) + place


def _bare(reason: object) -> object:
    """What is inside ``("EXIT", reason)``."""
    return reason[1] if isinstance(reason, tuple) and reason[:1] == ("EXIT",) else reason


def _named(pid: Pid | None, initial_call: str) -> str:
    """Name or label, and the code, of a process that may have ended meanwhile."""
    info = None if pid is None else process_info(pid)
    if info is None:
        return initial_call
    return f"{_name(info.registered_name, info.label)} ({initial_call})"


def _place(stack: str) -> str:
    """`` at FILE:LINE in NAME`` of the innermost frame of a formatted stack."""
    frames = re.findall(r'^  File "(.+)", line (\d+), in (.+)$', stack, re.M)
    return " at {}:{} in {}".format(*frames[-1]) if frames else ""


def _lines(stack: object, pid: Pid | None, at: float) -> Iterator[Entry]:
    """A stack, line by line, for those who read at level debug."""
    for line in () if stack is None else str(stack).splitlines():
        yield Entry(at, "debug", pid, f"  {line}")


def _stack_of(reason: object) -> object:
    """The kernel's `Stack` in ``(exception, Stack)``, else None."""
    if isinstance(reason, tuple) and len(reason) == 2 and hasattr(reason[1], "frames"):
        return reason[1]
    return None


def _printable(text: str) -> str:
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}… ({len(text) - MAX_TEXT} more characters)"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
