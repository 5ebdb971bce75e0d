"""Ending children and waiting until they are gone (rule V5).

A child is monitored, so that one which has unlinked itself cannot hang its supervisor, and
stays linked until it is gone, so that a supervisor killed meanwhile takes it along. One
timer covers all children of a call that have the same time to stop in.

WHY mail is set aside: what is not about these children has to wait, and a selective
receive would look at all of it again for each child that ends. Ten thousand sessions
stopping while a thousand requests wait would make ten million looks; here it is one each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import trio

from .._errors import Reason
from .._pid import Pid, Ref
from .._signals import exit_signal, monitor, unlink
from .._task import TaskProcess
from .spec import Shutdown


async def stop_children(
    supervisor: TaskProcess, shutdowns: Mapping[Pid, Shutdown]
) -> dict[Pid, Reason]:
    """Signal all of them at once, wait for all; the reason each one ended with.

    supervisor: the process this runs in. shutdowns: for each child "brutal_kill", or
    seconds until it is killed. The reason is that of the EXIT message where one came: a
    child that had ended before has one in the mailbox, which the monitor only knows as
    "noproc".
    """
    waiting: dict[Ref, Pid] = {monitor(pid): pid for pid in shutdowns}
    reasons: dict[Pid, Reason] = {}
    for pid, shutdown in shutdowns.items():
        exit_signal(pid, "kill" if shutdown == "brutal_kill" else "shutdown")
    limits = sorted({s for s in shutdowns.values() if not isinstance(s, str)}, reverse=True)
    begun = trio.current_time()
    aside: list[Any] = []
    try:
        while waiting:
            left = max(0.0, begun + limits[-1] - trio.current_time()) if limits else math.inf
            try:
                message = await supervisor.receive(None, left)
            except trio.TooSlowError:
                late = limits.pop()
                for pid in waiting.values():
                    if shutdowns[pid] == late:
                        exit_signal(pid, "kill")
                continue
            match message:
                case (str("EXIT"), Pid() as pid, reason) if pid in shutdowns:
                    reasons[pid] = reason
                case (str("DOWN"), Ref() as ref, _, _, reason) if ref in waiting:
                    pid = waiting.pop(ref)
                    reasons.setdefault(pid, reason)
                    unlink(pid)
                case _:
                    aside.append(message)
    finally:
        supervisor.mailbox.extendleft(reversed(aside))
    return reasons
