"""Who belongs to a port, and what they use: read from /proc.

A port's process leads a session of its own. What it starts is in that session unless it begins
another one (a daemon), and such processes are nobody's any more.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

_TICK: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_DEAD: Final = (b"Z", b"X")
_STOPPED: Final = b"T"
_STATE, _GROUP, _SESSION = 0, 2, 3
_TIMES: Final = range(7, 11)
"""User and system time, own and of children waited for, behind the session."""
_THREADS: Final = 13
_PAGES: Final = 17
_LONGEST: Final = 4096


class Usage(msgspec.Struct, frozen=True):
    """What the processes of one port use now.

    processes: how many there are. memory: bytes resident, pages they share counted for each.
    cpu: seconds of processor time they and the children they have waited for have used.
    """

    processes: int
    memory: int
    cpu: float


def living(leader: int) -> list[int]:
    """The processes of `leader`'s group or session that have not ended, itself among them."""
    return [pid for pid, _ in _members(leader)]


def any_stopped(leader: int) -> bool:
    """Whether one of them is stopped by a signal (SIGSTOP); one that a debugger holds is not meant."""
    return any(fields[_STATE] == _STOPPED for _, fields in _members(leader))


def _members(leader: int) -> Iterator[tuple[int, list[bytes]]]:
    wanted = b"%d" % leader
    for pid, fields in _table():
        belongs = pid == leader or wanted in (fields[_GROUP], fields[_SESSION])
        if belongs and not _has_ended(fields):
            yield pid, fields


def usage(leaders: Iterable[int]) -> dict[int, Usage]:
    """What each of the sessions uses, by the pid of its leader; one look at /proc for all."""
    found = {leader: Usage(0, 0, 0.0) for leader in leaders}
    sessions = {b"%d" % leader: leader for leader in found}
    for _, fields in _table():
        leader = sessions.get(fields[_SESSION])
        if leader is not None and not _has_ended(fields):
            before, figures = found[leader], fields[-1].split()
            ticks = sum(int(figures[index]) for index in _TIMES)
            found[leader] = Usage(
                before.processes + 1,
                before.memory + int(figures[_PAGES]) * _PAGE,
                before.cpu + ticks / _TICK,
            )
    return found


def _has_ended(fields: list[bytes]) -> bool:
    """A process is shown as dead when its first thread is; it has ended when all are."""
    return fields[_STATE] in _DEAD and int(fields[-1].split()[_THREADS]) <= 1


def _table() -> Iterator[tuple[int, list[bytes]]]:
    """Pid, state, parent, group and session of every process, and the other fields in one piece.

    proc(5): the name, in parentheses, may hold anything, so fields are counted from its end. A look
    at a machine with a thousand processes is taken whenever a port ends, hence no more than needed.
    """
    for name in os.listdir("/proc"):  # noqa: PTH208 - a thousand paths are not needed
        if name.isdigit():
            try:
                file = os.open(f"/proc/{name}/stat", os.O_RDONLY | os.O_CLOEXEC)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended since
            except PermissionError:
                continue  # somebody else's, on a system that shows only one's own (hidepid)
            try:
                text = os.read(file, _LONGEST)
            except ProcessLookupError:
                continue
            finally:
                os.close(file)
            yield int(name), text[text.rindex(b")") + 2 :].split(b" ", 4)
