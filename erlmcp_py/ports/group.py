"""What the processes of ports use: read from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

import msgspec

from erlmcp_py.ports.family import SESSION, has_ended, table

_TICK: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TIMES: Final = range(7, 11)
"""User and system time, own and of children waited for, behind the session."""
_PAGES: Final = 17


class Usage(msgspec.Struct, frozen=True):
    """What the processes of one port use now.

    processes: how many there are. memory: bytes resident, pages they share counted for each.
    cpu: seconds of processor time they and the children they have waited for have used.
    """

    processes: int
    memory: int
    cpu: float


def usage(leaders: Iterable[int]) -> dict[int, Usage]:
    """What each of the sessions uses, by the pid of its leader; one look at /proc for all."""
    found = {leader: Usage(0, 0, 0.0) for leader in leaders}
    sessions = {b"%d" % leader: leader for leader in found}
    for _, fields in table():
        leader = sessions.get(fields[SESSION])
        if leader is not None and not has_ended(fields):
            before, figures = found[leader], fields[-1].split()
            ticks = sum(int(figures[index]) for index in _TIMES)
            found[leader] = Usage(
                before.processes + 1,
                before.memory + int(figures[_PAGES]) * _PAGE,
                before.cpu + ticks / _TICK,
            )
    return found
