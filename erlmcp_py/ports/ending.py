"""Bringing the processes of a port to their end: first asked, then made to.

WHY the leader is reaped last: as long as it is a zombie, its number, which is also that of its group
and session, belongs to nobody else. What is signalled here is what was started, whatever else the
system starts meanwhile; each of them by a pidfd (`family`), because theirs are reaped by others.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from typing import Final

import trio
from trio.lowlevel import wait_readable

from erlmcp_py.ports.exit import Exit, take
from erlmcp_py.ports.family import Family, Held, send

_STUBBORN: Final = 5.0
"""Seconds that processes get to disappear after SIGKILL; one that waits for a dead disk does not."""
_LOOKING: Final = 5.0
"""Seconds for a look at the environments of processes, which one whose memory is locked may hold up."""


async def end_family(family: Family, watch: int, grace: float) -> list[int]:
    """End what lives of the family, whose leader must not have been reaped yet. watch: a pidfd of it.

    SIGTERM, `grace` seconds, SIGKILL. Returns those that even SIGKILL has not ended.

    WHY SIGCONT behind SIGTERM: one that is stopped (SIGSTOP) can act on neither the end of its input nor
    SIGTERM, and would only be killed. Woken with SIGTERM pending it tidies up as any other does, which
    matters where something outside depends on it (`docker run` ends its container), and turns to
    requests that wait in its pipe, if at all, after that. Others ignore SIGCONT.
    """
    held = Held(family)
    try:
        await _end_members(family, watch, held, grace)
    except OSError:
        # There is no descriptor left to look with, or no memory. The group is there without looking; it is
        # not asked, because whether it obeys could not be seen.
        _kill_group(family, watch)
        held.close()
        return []
    return held.close()


def is_held_up(family: Family) -> bool:
    """Whether one of its session is stopped, as far as can be seen."""
    try:
        return family.any_stopped()
    except OSError:
        return False


async def _end_members(family: Family, watch: int, held: Held, grace: float) -> None:
    if held.update(await _living(family, watch)):
        held.send(signal.SIGTERM)
        held.send(signal.SIGCONT)
        with trio.move_on_after(grace):
            await _all_gone(held.descriptors)
        with trio.move_on_after(_STUBBORN):
            while held.update(
                await _living(family, watch)
            ):  # again, for those that were started meanwhile
                _kill_group(family, watch)
                held.send(signal.SIGKILL)
                await _all_gone(held.descriptors)
    _kill_group(family, watch)  # the system misses nobody


async def _living(family: Family, watch: int) -> list[int]:
    """Who lives. WHY perhaps two looks: a look lists all processes, and then reads what each of them is. One
    that starts another between the two, and ends, is read as ended, and the other one not at all.
    """
    had_ended = take(watch, os.WNOWAIT) is not None and not family.mark
    return await _look(family) or ([] if had_ended else await _look(family))


async def _look(family: Family) -> list[int]:
    """WHY a thread where environments are read: that takes longer, and may hang. It is not one of those that
    tools may all have taken.
    """
    if family.mark:
        with trio.move_on_after(_LOOKING):
            return await trio.to_thread.run_sync(
                family.living, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1)
            )
    return family.living(everywhere=False)


def signal_all(family: Family, number: int) -> None:
    """Send a signal to what lives of the session, whose leader must not have been reaped yet."""
    for pid in family.living(everywhere=False):
        held = family.hold(pid)
        if held is not None:
            send(held, number)
            os.close(held)


def _kill_group(family: Family, watch: int) -> None:
    """All at once, so that none can start another before it is its turn.

    Not if nothing is known of the leader: its number is somebody else's perhaps (see `family`).
    """
    if take(watch, os.WNOWAIT) == Exit():
        return
    try:
        os.killpg(family.leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # they left for groups of their own; they are signalled one by one


async def _all_gone(held: Iterable[int]) -> None:
    for each in held:
        await wait_readable(each)
