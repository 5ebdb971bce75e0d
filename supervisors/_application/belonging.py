"""Which processes are part of an application (A2).

In OTP a process inherits its group leader, and that of an application's processes is its
master. Here the mark is the list of ancestors, which every process has anyway: whatever is
started, by whomever below, has the master among them, also when those between are dead. It
costs nothing at a start and a walk over the process table at a stop.
"""

from __future__ import annotations

from .._errors import is_atom
from .._pid import Ref
from .._process import Process, signal_exit
from .._runtime import Runtime
from .._signals import monitor
from .._task import receive


def processes_of(runtime: Runtime, master: object) -> list[Process]:
    """The processes that `master` has started, directly or not, without itself."""
    return [process for process in runtime.table.values() if master in process.ancestors]


def kill_all(runtime: Runtime, master: object) -> None:
    """Kill them, without waiting for those that have to unwind."""
    for process in processes_of(runtime, master):
        signal_exit(process, process.pid, "kill", linked=False)


async def end_all(runtime: Runtime, master: object) -> None:
    """Kill them and return when they are gone, their names free and their files closed."""
    while left := processes_of(runtime, master):
        awaited = {monitor(process.pid) for process in left}
        for process in left:
            signal_exit(process, process.pid, "kill", linked=False)
        while awaited:
            down = await receive(_is_down)
            awaited.discard(down[1])


def _is_down(message: object) -> bool:
    return (
        type(message) is tuple
        and len(message) == 5
        and is_atom(message[0], "DOWN")
        and type(message[1]) is Ref
    )
