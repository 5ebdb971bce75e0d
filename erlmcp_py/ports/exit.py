"""How an operating-system process ended."""

from __future__ import annotations

import os
import signal

import msgspec


class Exit(msgspec.Struct, frozen=True):
    """status: the exit status, None if a signal ended it. signal: the number of that signal.

    Both are None if the system does not tell: a node that was started with SIGCHLD ignored hears
    nothing of its children.
    """

    status: int | None = None
    signal: int | None = None

    @property
    def success(self) -> bool:
        """Whether it ended by itself with status 0."""
        return self.status == 0

    def __str__(self) -> str:
        if self.status is None and self.signal is None:
            return "ended, nobody knows how"
        if self.signal is None:
            return f"ended with status {self.status}"
        try:
            name = signal.Signals(self.signal).name
        except ValueError:  # real-time signals have numbers only
            name = f"signal {self.signal}"
        return f"was ended by {name}"


def reap(watch: int, leader: int) -> Exit | None:
    """How the child `leader`, whose pidfd is `watch`, ended, None if it has not; reaped together with what
    else of its group is ours: where this process is the init of a container, orphans become its children.
    """
    ended = take(watch)
    try:
        while ended is not None and os.waitid(os.P_PGID, leader, os.WEXITED | os.WNOHANG):
            continue
    except ChildProcessError:
        return ended
    return ended


def take(watch: int, options: int = 0) -> Exit | None:
    """How the child of this pidfd ended, None if it has not; it is reaped unless `options` is WNOWAIT."""
    try:
        told = os.waitid(os.P_PIDFD, watch, os.WEXITED | os.WNOHANG | options)
    except ChildProcessError:
        return Exit()
    if told is None:
        return None
    if told.si_code == os.CLD_EXITED:
        return Exit(told.si_status)
    return Exit(None, told.si_status)
