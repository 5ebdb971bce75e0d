"""Reports on standard error, where nobody has subscribed to them: what `run` does by default.

A crash that nobody hears of is the worst of them, so a small program gets a block of text
for each report of level warning and above, as from Erlang's default logger handler. Whoever
subscribes is on his own from then on. A printer never fails and stays cheap: terms are
shown in part, a broken ``repr`` is named, and of a storm the first `BURST` in a second are
printed and the others counted, as in OTP's handlers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from reprlib import Repr
from time import monotonic
from typing import Final

from ._application.reports import ApplicationReport
from ._errors import Reason, Stack, format_reason, unwinds
from ._gen_event.reporting import HandlerReport
from ._reports import (
    CrashReport,
    ErrorReport,
    LongSchedule,
    Report,
    SupervisorReport,
    WarningReport,
)
from .alarm_handler import AlarmReport

BURST: Final = 500
"""Reports printed at most in `WINDOW` seconds: OTP's ``burst_limit_max_count``."""
WINDOW: Final = 1.0
WIDTH: Final = 1000
"""Characters of a line at most."""

_short = Repr()
_short.maxstring = _short.maxother = _short.maxlong = 300
_short.maxlist = _short.maxtuple = _short.maxdict = _short.maxset = _short.maxfrozenset = 12


class Printer:
    """``printer(report)`` prints it, if it is of level warning or above.

    clock: seconds, for `BURST`; real ones, as it is a real terminal that is flooded.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._printed = self._dropped = 0

    def __call__(self, report: Report) -> None:
        try:
            lines = list(block(report))
        except BaseException as error:
            if unwinds(error):
                raise
            what, why = type(report).__name__, type(error).__name__
            lines = [f"error {report.pid}: a {what} that cannot be shown: {why}"]
        if lines and self._may_print():
            _write(lines)

    def close(self) -> None:
        """Say how many were not printed since that was last said."""
        if self._dropped:
            _write([f"warning: {self._dropped} reports more were not printed"])
            self._dropped = 0

    def _may_print(self) -> bool:
        if (now := self._clock()) - self._since > WINDOW:
            self._since, self._printed = now, 0
            self.close()
        if self._printed == BURST:
            self._dropped += 1
            return False
        self._printed += 1
        return True


def block(report: Report) -> Iterator[str]:
    """The lines of a report, the first one with its level; none below level warning."""
    who = report.pid if report.pid is not None else "runtime"
    match report:
        case CrashReport():
            name = report.name or report.label or "process"
            yield f"error {who}: {name} ({report.initial_call}) crashed: {_why(report.reason)}"
            yield f"ancestors: {_shown(report.ancestors)}; links: {_shown(report.links)}"
            yield f"messages waiting: {report.message_queue_len}"
            yield from _stack(report.reason)
        case HandlerReport():
            yield f"error {who}: event handler {report.name} was removed: {_why(report.reason)}"
            yield from _last(report)
        case ErrorReport():
            name = report.name or "server"
            yield f"error {who}: {name} ({report.behaviour}) terminates: {_why(report.reason)}"
            yield from _last(report)
        case SupervisorReport():
            yield f"error {who}: supervisor {report.supervisor}: {report.context}"
            yield f"reason: {_why(report.reason)}"
            child = report.offender
            yield f"child: {_shown(child.get('id'))}, {child.get('pid')}, {child.get('restart_type')}"
        case LongSchedule():
            end = ", and was made to crash (max_run)" if report.raised else ""
            yield f"warning {who}: {report.initial_call} held the loop for {report.seconds:.3f} s{end}"
            yield from report.stack.splitlines()
        case AlarmReport(change="set"):
            yield f"warning {who}: alarm set: {_shown(report.alarm_id)}"
            yield f"description: {_shown(report.description)}"
        case ApplicationReport(event="exited") if report.reason != "stopped":
            yield f"error {who}: application {report.application} ended: {_why(report.reason)}"
        case WarningReport():
            yield f"warning {who}: {report.text}"
            for key, value in report.details.items():
                yield f"{key}: {_shown(value)}"


def _last(report: ErrorReport) -> Iterator[str]:
    yield f"last message: {_shown(report.message)}"
    yield f"state: {_shown(report.state)}"


def _stack(reason: Reason) -> Iterator[str]:
    if isinstance(reason, tuple) and len(reason) == 2 and isinstance(reason[1], Stack):
        yield from str(reason[1]).splitlines()


def _why(reason: Reason) -> str:
    return format_reason(reason)[:WIDTH]


def _shown(term: object) -> str:
    """A part of ``repr(term)``, without looking at all of a large state."""
    try:
        return _short.repr(term)
    except Exception as error:
        return f"<{type(term).__name__} that shows itself with {type(error).__name__}>"


def _write(lines: list[str]) -> None:
    first, *others = (_printable(line) for line in lines)
    text = "".join(f"{line}\n" for line in (first, *(f"    {line}" for line in others)))
    # No standard error, a closed or a full one: there is no place left to say so.
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _printable(line: str) -> str:
    """Without control characters: a message of strangers must not talk to the terminal."""
    line = line if len(line) <= WIDTH else f"{line[:WIDTH]}…"
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
