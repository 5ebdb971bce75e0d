"""Stopping a behaviour from outside, through its terminate callback (1.2, S26)."""

from __future__ import annotations

import math

import trio

from .. import sys
from .._callback import CallbackProcess
from .._cell import current_process
from .._errors import CallExit, Exit, Reason
from .._names import Name, resolve
from .._pid import Pid
from .._process import DIRTY, RUNNING, Process, Remote, Watch
from .._sys.hooks import SystemHooks


async def stop(server: Pid | Name, reason: Reason = "normal", timeout: float = math.inf) -> None:
    """Have a server terminate with `reason` and wait until it is gone.

    Raises Exit: "noproc" when nobody is there, "timeout" after `timeout` seconds (the
    server still stops), otherwise the reason it ended with when that is not `reason`. When
    the server ends before it is told, or the connection to its node does, it is ``(cause,
    ("sys", "terminate", (pid, reason, timeout)))`` with cause the server's reason or
    ``("nodedown", node)``; and "noconnection" when the connection ends after that.
    ValueError for a timeout that is none; the server goes on.
    """
    if not timeout >= 0:
        raise ValueError(f"stop(): timeout={timeout!r}; it is seconds, 0 or more, or math.inf")
    pid = server if isinstance(server, Pid) else resolve(server)
    process = None if pid is None else pid._process
    if process is None or not (process.alive or isinstance(process, Remote)):
        raise Exit("noproc")
    if process is current_process():
        raise Exit("calling_self")
    if isinstance(process, CallbackProcess):
        if process.status in (RUNNING, DIRTY):
            raise Exit("calling_self")
        if not isinstance(process, SystemHooks):
            raise Exit("not_a_behaviour")
        process.system_terminate(reason)
        ended = process.exit_reason
    else:
        asked = server if _is_name_of_node(server) else process.pid
        ended = await _terminate(process, asked, reason, timeout)
    if ended != reason:
        raise Exit(ended)


def _is_name_of_node(server: Pid | Name) -> bool:
    """``(name, node)``: its process is not known by pid when the node is another."""
    return isinstance(server, tuple) and len(server) == 2 and server[0] != "global"


class _End(Watch):
    """Waits for the end of a process."""

    __slots__ = ("heard", "reason")

    def __init__(self) -> None:
        self.heard = trio.Event()
        self.reason: Reason = None

    def down(self, pid: Pid, reason: Reason) -> None:
        self.reason = reason
        self.heard.set()


async def _terminate(process: Process, asked: Pid | Name, reason: Reason, timeout: float) -> Reason:
    """A monitor, ``sys.terminate``, the end (OTP: proc_lib:stop); what it ended with."""
    end = _End()
    watches = process.more().monitored_by
    if process.alive:
        watches[end] = end  # type: ignore[index]
    try:
        with trio.fail_after(timeout):
            await sys.terminate(asked, reason, math.inf)
            await end.heard.wait()
    except trio.TooSlowError:
        raise Exit("timeout") from None
    except CallExit as failed:
        if failed.cause in ("noproc", "not_a_behaviour"):
            raise Exit(failed.cause) from None
        request = ("sys", "terminate", (asked, reason, timeout))
        raise Exit((failed.cause, request)) from None
    finally:
        watches.pop(end, None)  # type: ignore[call-overload]
    return end.reason
