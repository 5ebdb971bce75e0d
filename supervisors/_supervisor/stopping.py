"""Ending children and waiting until they are gone (rule V5).

A child is monitored, so that one which has unlinked itself cannot hang its supervisor, and
stays linked until it is gone, so that a supervisor killed meanwhile takes it along. One
deadline covers all children of a call.

WHY mail is set aside: what is not about these children has to wait, and a selective
receive would look at all of it again for each child that ends. Ten thousand sessions
stopping while a thousand requests wait would make ten million looks; here it is one each.
"""

from __future__ import annotations

import math
from typing import Any

import trio

from .._errors import Reason
from .._pid import Pid, Ref
from .._signals import exit_signal, monitor, unlink
from .._task import TaskProcess
from .spec import Shutdown


async def stop_children(
    supervisor: TaskProcess, pids: tuple[Pid, ...], shutdown: Shutdown
) -> dict[Pid, Reason]:
    """Signal all of them at once, wait for all; the reason each one ended with.

    supervisor: the process this runs in. shutdown: "brutal_kill", or seconds until those
    that are left are killed. The reason is that of the EXIT message where one came: a
    child that had ended before has one in the mailbox, which the monitor only knows as
    "noproc".
    """
    waiting: dict[Ref, Pid] = {monitor(pid): pid for pid in pids}
    reasons: dict[Pid, Reason] = {}
    stopping = frozenset(pids)
    for pid in pids:
        exit_signal(pid, "kill" if shutdown == "brutal_kill" else "shutdown")
    deadline = math.inf if isinstance(shutdown, str) else trio.current_time() + shutdown
    aside: list[Any] = []
    try:
        while waiting:
            left = max(0.0, deadline - trio.current_time())
            try:
                message = await supervisor.receive(None, left)
            except trio.TooSlowError:
                deadline = math.inf
                for pid in waiting.values():
                    exit_signal(pid, "kill")
                continue
            match message:
                case ("EXIT", Pid() as pid, reason) if pid in stopping:
                    reasons[pid] = reason
                case ("DOWN", Ref() as ref, _, _, reason) if ref in waiting:
                    pid = waiting.pop(ref)
                    reasons.setdefault(pid, reason)
                    unlink(pid)
                case _:
                    aside.append(message)
    finally:
        supervisor.mailbox.extendleft(reversed(aside))
    return reasons
