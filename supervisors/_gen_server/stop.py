"""Stopping a behaviour from outside, through its terminate callback (1.2, S26)."""

from __future__ import annotations

import math
from typing import Any

from .._callback import CallbackProcess
from .._cell import current_process
from .._errors import CallExit, Exit, Reason
from .._names import Name, resolve
from .._pid import Pid
from .._process import DIRTY, RUNNING
from .._sys.hooks import SystemHooks
from .._task import TaskProcess
from .calls import ParkedCall, wait_for, watch


async def stop(server: Pid | Name, reason: Reason = "normal", timeout: float = math.inf) -> None:
    """Have a server terminate with `reason` and wait until it is gone.

    Raises Exit: "noproc" when nobody is there, "timeout" after `timeout` seconds (the
    server still stops), otherwise the reason it ended with when that is not `reason`.
    """
    pid = server if isinstance(server, Pid) else resolve(server)
    process = None if pid is None else pid._process
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
