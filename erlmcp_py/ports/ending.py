"""Bringing the processes of a port to their end: first asked, then made to.

WHY the leader is reaped last: as long as it is a zombie, its number, which is also that of its group
and session, belongs to nobody else. What is signalled here is what was started, whatever else the
system starts meanwhile.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from typing import Final

import trio
from trio.lowlevel import wait_readable

from erlmcp_py.ports.exit import take
from erlmcp_py.ports.group import any_stopped, living

_STUBBORN: Final = 5.0
"""Seconds that processes get to disappear after SIGKILL; one that waits for a dead disk does not."""


async def end_group(leader: int, grace: float) -> list[int]:
    """End what lives of the session of `leader`, which must not have been reaped yet.

    SIGTERM, `grace` seconds, SIGKILL. Returns those that even SIGKILL has not ended.

    WHY SIGCONT behind SIGTERM: one that is stopped (SIGSTOP) can act on neither the end of its input nor
    SIGTERM, and would only be killed. Woken with SIGTERM pending it tidies up as any other does, which
    matters where something outside depends on it (`docker run` ends its container), and turns to
    requests that wait in its pipe, if at all, after that. Others ignore SIGCONT.
    """
    try:
        return await _end_members(leader, grace)
    except OSError:
        # There is no descriptor left to look with, or no memory. The group is there without looking; it is
        # not asked, because whether it obeys could not be seen.
        _signal_group(leader)
        return []


def is_held_up(leader: int) -> bool:
    """Whether one of its session is stopped, as far as can be seen."""
    try:
        return any_stopped(leader)
    except OSError:
        return False


async def _end_members(leader: int, grace: float) -> list[int]:
    if members := _first_look(leader):
        _signal(members, signal.SIGTERM)
        _signal(members, signal.SIGCONT)
        with trio.move_on_after(grace):
            await _all_gone(members)
        with trio.move_on_after(_STUBBORN) as waited:
            while members := living(leader):  # again, for those that were started meanwhile
                _signal_group(leader)
                _signal(members, signal.SIGKILL)
                await _all_gone(members)
        if waited.cancelled_caught:
            return living(leader)
    _signal_group(leader)  # the system misses nobody
    return []


def _first_look(leader: int) -> list[int]:
    """Who lives. WHY perhaps two looks: a look lists all processes, and then reads what each of them is. A
    leader that starts another between the two, and ends, is read as ended, and the other one not at all.
    """
    had_ended = take(leader, os.WNOWAIT) is not None
    return living(leader) or ([] if had_ended else living(leader))


def signal_all(leader: int, number: int) -> None:
    """Send a signal to what lives of the session of `leader`, which must not have been reaped yet."""
    _signal(living(leader), number)


def _signal_group(leader: int) -> None:
    """All at once, so that none can start another before it is its turn."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # they left for groups of their own; they are signalled one by one


def _signal(members: Iterable[int], number: int) -> None:
    for pid in members:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue  # it has ended since
        except PermissionError:
            continue  # it runs as somebody else now; it is counted among the stubborn


async def _all_gone(members: Iterable[int]) -> None:
    async with trio.open_nursery() as nursery:
        for pid in members:
            nursery.start_soon(_gone, pid)


async def _gone(pid: int) -> None:
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except OSError:
        # No descriptor is left: whoever waits has a time limit, and looks then.
        await trio.sleep_forever()
    try:
        await wait_readable(watch)
    finally:
        os.close(watch)
