"""What must be true whenever everybody waits; each check answers with what is wrong.

The kernel's tables are read as they are: names, links and monitors have two ends that must
agree, mail must not lie before a process that waits for mail, and a supervisor that rests
must know exactly its children. What ought to be there is told by the ledger (`world`), and
each of the `subjects` has checks of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..._callback import CallbackProcess
from ..._cell import cell
from ..._gen_server.calls import ParkedCall
from ..._pid import Pid
from ..._process import EXITED, RUNNABLE, RUNNING, Extras, Monitor, Process
from ..._runtime import Runtime
from ..._task import TaskProcess
from .subjects import SUBJECTS
from .world import World


def check(runtime: Runtime, world: World) -> Iterator[str]:
    """Every violation there is now, as a sentence; everybody must be waiting."""
    yield from _dispatcher(runtime)
    yield from _names(runtime)
    for pid, process in list(runtime.table.items()):
        if process.status == EXITED or pid._process is not process:
            yield f"{pid} has ended and is still in the table"
        if process.links:
            yield from _links(runtime, process)
        if process.extras is not None:
            yield from _record(runtime, process, process.extras)
        waits = process.queue_length()
        if waits or isinstance(process, CallbackProcess):
            yield from _mail(process, waits)
        if isinstance(process, TaskProcess) and process.system and world.rests(pid):
            # Inside a callback that receives for itself, requests rightly wait until it is through.
            yield f"{pid} waits for mail before {len(process.system)} system requests"
    world.bury()
    for subject in SUBJECTS:
        yield from subject.check(world)
    yield from world.violations
    world.violations.clear()


def at_floor(runtime: Runtime, expected: set[Pid]) -> Iterator[str]:
    """After a stop: nobody but `expected` is left, and nothing that belonged to others."""
    for pid, process in runtime.table.items():
        if pid not in expected:
            yield f"{pid} ({process.initial_call}) is left over after the stop"
        elif process.links:
            yield f"{pid} is still linked to {[p.pid for p in process.links]}"
        elif process.extras is not None and (
            process.extras.monitors or process.extras.monitored_by
        ):
            yield f"{pid} still monitors or is monitored after the stop"
    if runtime.names:
        yield f"names are left over after the stop: {sorted(runtime.names)}"
    if len(runtime.timers):
        yield f"{len(runtime.timers)} timers are left over after the stop"


def _dispatcher(runtime: Runtime) -> Iterator[str]:
    if runtime.queue:
        yield f"the run queue holds {len(runtime.queue)} processes, and nobody runs them"
    if cell.current is not None:
        yield f"{cell.current.pid} is current, and nobody runs"
    if cell.depth:
        yield f"direct dispatch is {cell.depth} deep, and nobody runs"


def _names(runtime: Runtime) -> Iterator[str]:
    for name, pid in runtime.names.items():
        process = pid._process
        if process is None:
            yield f"the name {name!r} belongs to {pid}, which is gone"
        elif process.name != name:
            yield f"the name {name!r} belongs to {pid}, which thinks it is {process.name!r}"


def _links(runtime: Runtime, process: Process) -> Iterator[str]:
    for other in process.links or ():
        if other.pid not in runtime.table or process not in (other.links or ()):
            yield f"{process.pid} is linked to {other.pid}, which is not linked to it"


def _record(runtime: Runtime, process: Process, extras: Extras) -> Iterator[str]:
    pid = process.pid
    if extras.name is not None and runtime.names.get(extras.name) is not pid:
        yield f"{pid} thinks it is {extras.name!r}, which is {runtime.names.get(extras.name)}"
    for ref, monitor in extras.monitors.items():
        target = monitor.target
        if target.extras is None or target.extras.monitored_by.get(ref) is not monitor:
            yield f"{pid} monitors {target.pid}, which does not know"
    for watch in extras.monitored_by.values():
        if isinstance(watch, Monitor):
            watcher = watch.watcher
            if watcher.extras is None or watch.ref not in watcher.extras.monitors:
                yield f"{pid} is monitored by {watcher.pid}, which does not know"
        elif isinstance(watch, ParkedCall) and watch.server is not process:
            yield f"{pid} keeps a call that has ended"


def _mail(process: Process, waits: int) -> Iterator[str]:
    suspended = process.extras is not None and process.extras.suspended
    if isinstance(process, CallbackProcess):
        if process.status in (RUNNABLE, RUNNING):
            yield f"{process.pid} has status {process.status}, and nobody runs it"
        elif waits and not suspended:
            yield f"{process.pid} does not look at its {waits} messages"
    elif (
        isinstance(process, TaskProcess)
        and not suspended
        and process.waiting_task is not None
        and process.waiting_for is None
    ):
        yield f"{process.pid} waits for mail before {waits} messages"
