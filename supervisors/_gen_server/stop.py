"""Stopping a behaviour from outside, through its terminate callback (1.2, S26)."""

from __future__ import annotations

import math
from typing import Any

import trio

from .._callback import CallbackProcess
from .._cell import current_process
from .._errors import CallExit, Exit, Reason
from .._names import Name, resolve
from .._pid import Pid
from .._process import DIRTY, RUNNING, Remote, Watch
from .._sys.hooks import SystemHooks
from .._task import TaskProcess
from .calls import ParkedCall, wait_for, watch


async def stop(server: Pid | Name, reason: Reason = "normal", timeout: float = math.inf) -> None:
    """Have a server terminate with `reason` and wait until it is gone.

    Raises Exit: "noproc" when nobody is there, "timeout" after `timeout` seconds (the
    server still stops), otherwise the reason it ended with when that is not `reason`. For
    a server of another node also ``(("nodedown", node), ("sys", "terminate", (server,
    reason, inf)))`` when it cannot be told, and "noconnection" when its end cannot be heard
    of any more. ValueError for a timeout that is none; the server goes on.
    """
    if not timeout >= 0:
        raise ValueError(f"stop(): timeout={timeout!r}; it is seconds, 0 or more, or math.inf")
    pid = server if isinstance(server, Pid) else resolve(server)
    process = None if pid is None else pid._process
    if isinstance(process, Remote):
        await _stop_there(process, server, reason, timeout)
        return
    if process is None or not process.alive:
        raise Exit("noproc")
    if process is current_process():
        raise Exit("calling_self")
    waiter = ParkedCall(process)
    if isinstance(process, CallbackProcess):
        if process.status in (RUNNING, DIRTY):
            raise Exit("calling_self")
        if not isinstance(process, SystemHooks):
            raise Exit("not_a_behaviour")
        process.system_terminate(reason)
        ended: Any = process.exit_reason
    else:
        if not isinstance(process, TaskProcess) or process.sys is None:
            raise Exit("not_a_behaviour")
        watch(process, waiter)
        process.sys.post_terminate(process, reason)
        try:
            await wait_for(waiter, process, server, "terminate", timeout)
        except CallExit as exit_:
            ended = exit_.cause
    if ended != reason:
        raise Exit(ended)


class _End(Watch):
    """Waits for the end of a process of another node."""

    __slots__ = ("heard", "reason")

    def __init__(self) -> None:
        self.heard = trio.Event()
        self.reason: Reason = None

    def down(self, pid: Pid, reason: Reason) -> None:
        self.reason = reason
        self.heard.set()


async def _stop_there(process: Remote, server: Pid | Name, reason: Reason, timeout: float) -> None:
    """As `proc_lib:stop`: a monitor, ``sys.terminate``, the end."""
    nodedown = (process.exit_reason, ("sys", "terminate", (server, reason, math.inf)))
    if not process.alive:
        raise Exit(nodedown)
    end = _End()
    watches = process.more().monitored_by
    watches[end] = end  # type: ignore[index]
    waiter = ParkedCall(process)
    watch(process, waiter)
    process.system(waiter, ("terminate", reason))
    try:
        with trio.fail_after(timeout):
            await wait_for(waiter, process, server, "terminate", math.inf)
            await end.heard.wait()
        ended = end.reason
    except trio.TooSlowError:
        raise Exit("timeout") from None
    except CallExit as exit_:
        ended = nodedown if exit_.cause == process.exit_reason else exit_.cause
    finally:
        watches.pop(end, None)  # type: ignore[call-overload]
    if ended != reason:
        raise Exit(ended)
