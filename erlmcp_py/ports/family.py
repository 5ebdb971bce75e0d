"""A program and those it has started: found in /proc, and held so that no signal reaches anybody else.

WHY pidfds: between a look and a signal a process may end, and its number be given to a stranger. Here a
pidfd is opened first and looked at what it is of then: if the number has changed hands in between, the
pidfd is that of the dead one, and reaches nobody.

WHY a mark: who begins a session of its own and loses its parent (a daemon) is nobody's any more, except
that its environment is the one it was given. Refused were a parent between the node and each program that
adopts orphans (PR_SET_CHILD_SUBREAPER: a process more for each, and exit statuses at second hand), the
node as that parent (it changes the program that embeds us, and does not tell whose orphan it is), and
control groups (most nodes may not make any). Jenkins ends the processes of a build in this way.

Known limits: who has cleared or overwritten its environment, or may not be looked at (another user's), is
not found.

No imports but of what is loaded anyhow: `warden_program`, which is to be small, runs it too.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable, Iterator

NAME = "ERLMCP_PORT"
"""The variable that holds the marks of a program, and of those in which its node runs itself."""
_DEAD = (b"Z", b"X")
_STATE = 0
_GROUP = 2
SESSION = 3
_STOPPED = b"T"
_THREADS = 13
_STARTED = 15
"""Behind the session."""
_LONGEST = 4096
_MORE = 1 << 20


class Family:
    """leader: the program, which leads a session. since: when it was started, in ticks of the system; 0 if
    it is not known. mark: what those have in their environment who have left the session; empty: they are
    not looked for.
    """

    __slots__ = ("_entry", "leader", "mark", "since")

    def __init__(self, leader: int, since: int, mark: str) -> None:
        self.leader = leader
        self.since = since
        self.mark = mark
        self._entry = mark.encode("ascii")

    def living(self, *, everywhere: bool = True) -> list[int]:
        """Those that have not ended, the leader among them; everywhere: also outside of its session and its
        group, as far as that is asked for. Raises OSError.
        """
        near, far = [], []
        for pid, fields in table():
            if not has_ended(fields):
                if self._is_near(pid, fields):
                    near.append(pid)
                elif everywhere and self._is_marked(pid, fields):
                    far.append(pid)
        return (near if near and self._has_its_number() else []) + far

    def any_stopped(self) -> bool:
        """Whether one of its session is stopped by a signal; one that a debugger holds is not meant."""
        return any(
            fields[_STATE] == _STOPPED and self._is_near(pid, fields) for pid, fields in table()
        )

    def hold(self, pid: int) -> int | None:
        """A pidfd of this process if it is one of them, else None. Raises OSError."""
        try:
            held = os.pidfd_open(pid)
        except ProcessLookupError:
            return None
        try:
            if self._has(pid):
                return held
        except BaseException:
            os.close(held)
            raise
        os.close(held)
        return None

    def _has(self, pid: int) -> bool:
        fields = stat(pid)
        if fields is None or has_ended(fields):
            return False
        if self._is_near(pid, fields):
            return self._has_its_number()
        return self._is_marked(pid, fields)

    def _is_near(self, pid: int, fields: list[bytes]) -> bool:
        return pid == self.leader or b"%d" % self.leader in (fields[_GROUP], fields[SESSION])

    def _has_its_number(self) -> bool:
        """False if that is somebody else's now, who has it only when nobody is left of the session: where the
        system tells us of no ends (SIGCHLD ignored), or others have taken the exit status.
        """
        fields = stat(self.leader)
        return fields is None or not self.since or started(fields) == self.since

    def _is_marked(self, pid: int, fields: list[bytes]) -> bool:
        if not self.mark or started(fields) < self.since:
            return False
        text = _read(f"/proc/{pid}/environ")
        if text is None:
            return False
        name = NAME.encode("ascii") + b"="
        return any(
            entry.startswith(name) and self._entry in entry[len(name) :].split(b" ")
            for entry in text.split(b"\0")
        )


class Held:
    """Those of a family that were found, each by a pidfd."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self._living: dict[int, int] = {}
        self._ended: list[int] = []

    def update(self, pids: Iterable[int]) -> bool:
        """Hold these, as far as they live, and let go of those that have ended. Whether anybody lives. Raises
        OSError.
        """
        for pid, held in list(self._living.items()):
            if _has_ended(held):
                del self._living[pid]
                if pid == self.family.leader:
                    os.close(held)  # it is reaped last
                else:
                    self._ended.append(held)
        for pid in pids:
            if pid not in self._living and (found := self.family.hold(pid)) is not None:
                self._living[pid] = found
        return bool(self._living)

    def send(self, number: int) -> None:
        """A signal to each of them."""
        for held in self._living.values():
            send(held, number)

    @property
    def descriptors(self) -> list[int]:
        """Of those that lived; each can be read as soon as its process has ended."""
        return list(self._living.values())

    def close(self) -> list[int]:
        """Let go of all; who still lives. Those that had become children of this process, because it is the
        first one of a container, are reaped, apart from the leader.
        """
        self.update(())
        left = list(self._living)
        for held in self._ended:
            try:
                os.waitid(os.P_PIDFD, held, os.WEXITED | os.WNOHANG)
            except ChildProcessError:
                continue
        for held in (*self._ended, *self._living.values()):
            os.close(held)
        self._ended.clear()
        self._living.clear()
        return left


def send(held: int, number: int) -> None:
    """A signal to the process of a pidfd, if it is there and may be sent one."""
    try:
        signal.pidfd_send_signal(held, number)
    except (ProcessLookupError, PermissionError):
        return


def stat(pid: int) -> list[bytes] | None:
    """State, parent, group and session of a process, and the other fields in one piece; None: it cannot be
    seen. Raises OSError.

    proc(5): the name, in parentheses, may hold anything, so fields are counted from its end.
    """
    text = _read(f"/proc/{pid}/stat")
    return text[text.rindex(b")") + 2 :].split(b" ", 4) if text else None


def table() -> Iterator[tuple[int, list[bytes]]]:
    """Pid and `stat` of every process. A look at a machine with a thousand processes is taken whenever a
    port ends, hence no more than needed.
    """
    for name in os.listdir("/proc"):  # noqa: PTH208 - a thousand paths are not needed
        if name.isdigit() and (fields := stat(int(name))) is not None:
            yield int(name), fields


def started(fields: list[bytes]) -> int:
    """When, in ticks of the system."""
    return int(fields[-1].split()[_STARTED])


def has_ended(fields: list[bytes]) -> bool:
    """A process is shown as dead when its first thread is; it has ended when all are."""
    return fields[_STATE] in _DEAD and int(fields[-1].split()[_THREADS]) <= 1


def _has_ended(held: int) -> bool:
    poll = select.poll()
    poll.register(held, select.POLLIN)
    return bool(poll.poll(0))


def _read(path: str) -> bytes | None:
    """All of it; None if the process has ended since, or is somebody else's."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None  # the last: a system that shows only one's own (hidepid), or its environment
    try:
        text = os.read(file, _LONGEST)
        while len(text) >= _LONGEST and (more := os.read(file, _MORE)):
            text += more
    except (ProcessLookupError, PermissionError):
        return None
    finally:
        os.close(file)
    return text
