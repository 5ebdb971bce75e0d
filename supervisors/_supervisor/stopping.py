"""Ending children and waiting until they are gone (rule V5).

A child is monitored, so that one which has unlinked itself cannot hang its supervisor, and
stays linked until it is gone, so that a supervisor killed meanwhile takes it along. One
deadline covers all children of a call.
"""

from __future__ import annotations

import math
from typing import Any

import trio

from .._errors import Reason
from .._pid import Pid, Ref
from .._signals import exit_signal, monitor, unlink
from .._task import receive
from .spec import Shutdown


async def stop_children(pids: tuple[Pid, ...], shutdown: Shutdown) -> dict[Pid, Reason]:
    """Signal all of them at once, wait for all; the reason each one ended with.

    shutdown: "brutal_kill", or seconds until those that are left are killed. The reason is
    that of the EXIT message where one came: a child that had ended before has one in the
    mailbox, which the monitor only knows as "noproc".
    """
    waiting: dict[Ref, Pid] = {monitor(pid): pid for pid in pids}
    reasons: dict[Pid, Reason] = {}
    stopping = frozenset(pids)
    brutal = shutdown == "brutal_kill"
    for pid in pids:
        exit_signal(pid, "kill" if brutal else "shutdown")
    deadline = math.inf if isinstance(shutdown, str) else trio.current_time() + shutdown

    def concerns(message: Any) -> bool:
        if type(message) is not tuple or len(message) < 3:
            return False
        if message[0] == "EXIT":
            return message[1] in stopping
        return message[0] == "DOWN" and message[1] in waiting

    while waiting:
        try:
            left = max(0.0, deadline - trio.current_time())
            message = await receive(concerns, timeout=left)
        except trio.TooSlowError:
            deadline = math.inf
            for pid in waiting.values():
                exit_signal(pid, "kill")
            continue
        if message[0] == "EXIT":
            reasons[message[1]] = message[2]
        else:
            pid = waiting.pop(message[1])
            reasons.setdefault(pid, message[4])
            unlink(pid)
    return reasons
