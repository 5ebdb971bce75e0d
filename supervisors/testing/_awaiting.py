"""Waiting for what a cause leads to: an end, a restart, silence.

WHY a cause is handed over: a test that first kills and then looks has to guess how long to
sleep, and one that first looks may see the process of before. Here the watch stands before
the cause happens, so nothing is missed and nothing is slept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from .._errors import Reason, format_reason
from .._names import resolve
from .._pid import Pid
from .._process import Watch
from .._reports import ProgressReport, Report
from .._supervisor.administration import which_children

Cause = Callable[[], object]


class _End(Watch):
    """Notes the reason and wakes who waits; needs no mailbox, so any task may wait."""

    __slots__ = ("happened", "reason")

    def __init__(self) -> None:
        self.happened = trio.Event()
        self.reason: Reason = None

    def down(self, pid: Pid, reason: Reason) -> None:
        self.reason = reason
        self.happened.set()


def _pid_of(process: Pid | str) -> Pid:
    pid = resolve(process) if isinstance(process, str) else process
    if pid is None:
        raise AssertionError(f"no process is registered as {process!r}")
    return pid


async def end_of(process: Pid | str, cause: Cause | None = None, *, within: float = 60.0) -> Reason:
    """The reason the process ends with, after ``cause()``.

    process: a pid or a registered name. "noproc" when it had ended before. AssertionError
    when it still lives after `within` seconds of the clock.
    """
    pid = _pid_of(process)
    record = pid._process
    end = _End()
    watches: dict[Any, Watch] = {} if record is None else record.more().monitored_by
    watches[end] = end
    try:
        if cause is not None:
            cause()
        if record is None:
            return "noproc"
        with trio.move_on_after(within):
            await end.happened.wait()
            return end.reason
    finally:
        watches.pop(end, None)
    raise AssertionError(f"{process} has not ended within {within} s")


async def restart_of(
    supervisor: Pid | str, id: Hashable, cause: Cause, *, within: float = 60.0
) -> Pid:
    """The pid with which the supervisor starts its child `id` again, after ``cause()``.

    AssertionError when there is no such child, when the supervisor ends instead, or when
    nothing has come of it `within` seconds. The children of a simple_one_for_one
    supervisor have no ids: use `end_of` and ask for the children.
    """
    pid = _pid_of(supervisor)
    known = [child.id for child in await which_children(pid)]
    if id not in known:
        raise AssertionError(f"{supervisor} has no child {id!r}; it has {known}")
    end = _End()
    record = pid._process
    if record is None:
        raise AssertionError(f"{supervisor} has ended")
    watches: dict[Any, Watch] = record.more().monitored_by
    watches[end] = end
    started: list[Pid] = []

    def look(report: Report) -> None:
        if isinstance(report, ProgressReport) and report.pid is pid and report.started["id"] == id:
            started.append(report.started["pid"])
            end.happened.set()

    stop_looking = record.runtime.subscribe(look)
    try:
        cause()
        with trio.move_on_after(within):
            await end.happened.wait()
    finally:
        watches.pop(end, None)
        stop_looking()
    if started:
        return started[0]
    if end.happened.is_set():
        raise AssertionError(
            f"{supervisor} ended with {format_reason(end.reason)} instead of restarting {id!r}"
        )
    raise AssertionError(f"{supervisor} has not restarted {id!r} within {within} s")


async def wait_all_blocked() -> None:
    """Return when every task waits: what was caused has happened, and no time has passed."""
    await wait_all_tasks_blocked()
