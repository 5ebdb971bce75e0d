"""The log writer: a process that turns kernel reports and audit records into lines.

A report arrives on the stack of the process that reports, in the middle of its death; so the
subscriber only sends it on, and formatting happens in the writer's own time. Killing the writer
silences nothing: until a new one is registered, its subscriber writes what it gets by itself.

Level and sink are the runtime's, so that they hold before there is a writer and between two of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from supervisors import (
    BadArg,
    GenServer,
    Pid,
    Report,
    Runtime,
    current_runtime,
    is_alive,
    limit_mailbox,
    send,
    whereis,
)
from supervisors import self as own_pid

from .entry import SEVERITY, Entry, Level, describe
from .sink import Sink

NAME: Final = "log"
"""The registered name of the log writer."""

FLUSH_TIMEOUT: Final = 0.5
"""Seconds a stopping writer waits for a slow reader of its last lines."""

stderr: Final = Sink(2)
"""Standard error, where a node's log goes: in stdio mode the other two streams are the protocol's."""


class Log:
    """A sink and the level from which on entries go there."""

    __slots__ = ("_threshold", "sink")

    def __init__(self, level: Level, sink: Sink) -> None:
        self.sink = sink
        self._threshold = SEVERITY[level]

    def set_level(self, level: Level) -> None:
        """Write entries at or above `level` from now on."""
        self._threshold = SEVERITY[level]

    def write(self, entry: Entry) -> None:
        """Queue the entry's line if its level is high enough."""
        if SEVERITY[entry.level] >= self._threshold:
            self.sink.put(entry.line())

    def write_report(self, report: Report, at: float) -> None:
        """Queue the lines of a report, whatever the objects in it do when they are printed."""
        try:
            entries = list(describe(report, at))
        except Exception as error:  # noqa: BLE001 - a user's __repr__ may raise anything
            text = f"{type(report).__name__} that cannot be shown: {type(error).__name__}"
            entries = [Entry(at, "error", report.pid, text)]
        for entry in entries:
            self.write(entry)


_logs: Final[WeakKeyDictionary[Runtime, Log]] = WeakKeyDictionary()
_DEFAULT: Final = Log("info", stderr)


def set_level(level: Level) -> None:
    """Write entries of this runtime at or above `level` from now on, with or without a log writer."""
    _logs.setdefault(current_runtime(), Log(level, stderr)).set_level(level)


def _own_log() -> Log:
    try:
        return _logs[current_runtime()]
    except (KeyError, RuntimeError):
        return _DEFAULT


class LogWriter(GenServer):
    """Writes the runtime's reports and what `log` and `audit` send, from `level` on.

    Requests: ("set_level", level) -> "ok" | ("error", text).
    """

    def init(
        self,
        level: Level | Callable[[], Level] = "info",
        sink: Sink = stderr,
        mailbox: int = 10_000,
    ) -> Any:
        """Listen to the reports of this runtime.

        level: or what says it, where it may be another one when this is started again. mailbox:
        messages that may wait. A storm of crashes that a stranger can cause comes faster than it can be
        written, and its beginning tells more than its end: what does not fit is dropped, except what the
        audit has to say.
        """
        limit_mailbox(mailbox, "refuse", exempt=_is_audit)
        log = Log(level() if callable(level) else level, sink)
        _logs[current_runtime()] = log
        _subscribe(own_pid(), log)
        return ("ok", log)

    def handle_call(self, request: Any, _from: Any, state: Log) -> Any:
        """Answer ("set_level", level)."""
        match request:
            case ("set_level", str() as level) if level in SEVERITY:
                state.set_level(level)  # type: ignore[arg-type]
                return ("reply", "ok", state)
            case _:
                usage = f"('set_level', one of {', '.join(SEVERITY)})"
                return ("reply", ("error", f"{request!r} is not {usage}"), state)

    def handle_info(self, message: Any, state: Log) -> Any:
        """Write a report or an entry."""
        match message:
            case ("report", Report() as report, float() as at):
                state.write_report(report, at)
            case ("entry", Entry() as entry):
                state.write(entry)
            case _:
                text = f"the log writer got an unknown message {message!r}"
                state.write(Entry(time.time(), "warning", own_pid(), text))
        return ("noreply", state)

    def terminate(self, _reason: Any, state: Log) -> Any:
        """Give a slow reader a moment to take the last lines."""
        state.sink.flush(FLUSH_TIMEOUT)


def _is_audit(message: Any) -> bool:
    match message:
        case ("entry", Entry(level="audit")):
            return True
    return False


def _subscribe(writer: Pid, log: Log) -> None:
    """Pass every report on to `writer` until another one has taken its place."""

    def forward(report: Report) -> None:
        if is_alive(writer) and report.pid != writer:
            send(writer, ("report", report, time.time()))
        elif whereis(NAME) in (None, writer):
            log.write_report(report, time.time())
        else:
            unsubscribe()

    unsubscribe = current_runtime().subscribe(forward)


def log(level: Level, text: str, pid: Pid | None = None) -> None:
    """Write one entry. Never waits and never fails, also while the log writer is down.

    pid: the process it is about; by default the one that calls, if any.
    """
    entry = Entry(time.time(), level, pid or _caller(), text)
    try:
        send(NAME, ("entry", entry))
    except (BadArg, RuntimeError):
        _own_log().write(entry)


def audit(who: str, action: str, /, **details: object) -> None:
    """Record that `who` changed the node: ``audit(peer, "kill", target="<erlmcp.7.0>")``.

    Written whatever the level of the log. Never waits and never fails.
    """
    log("audit", f"{who} {action}" + "".join(f" {key}={value!r}" for key, value in details.items()))


def _caller() -> Pid | None:
    try:
        return own_pid()
    except RuntimeError:
        return None
