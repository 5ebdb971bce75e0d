"""What must be true whenever everybody waits; each check answers with what is wrong.

The kernel's tables are read as they are: names, links and monitors have two ends that must
agree, mail must not lie before a process that waits for mail, and a supervisor that rests
must know exactly its children. What ought to be there is told by the ledger (`world`).
"""

from __future__ import annotations

from collections.abc import Iterator

from ..._callback import CallbackProcess
from ..._cell import cell
from ..._gen_server.calls import ParkedCall
from ..._pid import Pid
from ..._process import EXITED, RUNNABLE, RUNNING, Monitor, Process
from ..._runtime import Runtime
from ..._supervisor.plan import RESTARTING
from ..._supervisor.process import SupervisorProcess
from ..._task import TaskProcess
from .world import World


def check(runtime: Runtime, world: World) -> Iterator[str]:
    """Every violation there is now, as a sentence; everybody must be waiting."""
    yield from _dispatcher(runtime)
    yield from _names(runtime)
    for process in list(runtime.table.values()):
        yield from _record(runtime, process)
        yield from _mail(process)
    yield from _calls(runtime, world)
    yield from _downs(world)
    world.bury()
    yield from _family(world)
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
    for pid, process in runtime.table.items():
        if process.name is not None and runtime.names.get(process.name) is not pid:
            yield f"{pid} thinks it is {process.name!r}, which is {runtime.names.get(process.name)}"


def _record(runtime: Runtime, process: Process) -> Iterator[str]:
    pid = process.pid
    if process.status == EXITED or pid._process is not process:
        yield f"{pid} has ended and is still in the table"
    for other in process.links or ():
        if other.pid not in runtime.table or process not in (other.links or ()):
            yield f"{pid} is linked to {other.pid}, which is not linked to it"
    extras = process.extras
    if extras is None:
        return
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


def _mail(process: Process) -> Iterator[str]:
    suspended = process.extras is not None and process.extras.suspended
    waits = process.queue_length()
    if isinstance(process, CallbackProcess):
        if process.status in (RUNNABLE, RUNNING):
            yield f"{process.pid} has status {process.status}, and nobody runs it"
        elif waits and not suspended:
            yield f"{process.pid} does not look at its {waits} messages"
    elif (
        isinstance(process, TaskProcess)
        and waits
        and not suspended
        and process.waiting_task is not None
        and process.waiting_for is None
    ):
        yield f"{process.pid} waits for mail before {waits} messages"


def _calls(runtime: Runtime, world: World) -> Iterator[str]:
    now = runtime.now()
    for token, call in list(world.calls.items()):
        if call.caller._process is None or not call.caller._process.alive:
            del world.calls[token]  # the caller went first
        elif call.server.status == EXITED:
            yield f"{call.caller} still waits for {call.server.pid}, which has ended"
        elif call.deadline < now:
            yield f"{call.caller} waits for {call.server.pid} past its time limit"


def _rests(pid: Pid) -> bool:
    """Whether a live process waits for mail, has none, and is not suspended."""
    process = pid._process
    if process is None or not process.alive:
        return False
    if process.extras is not None and process.extras.suspended:
        return False
    if isinstance(process, TaskProcess):
        if process.behaviour is not None:
            return process.at_rest and process.borrowed is None
        return process.waiting_task is not None
    return True


def _downs(world: World) -> Iterator[str]:
    for ref, (watcher, target) in list(world.watches.items()):
        if watcher._process is None or not watcher._process.alive:
            del world.watches[ref]
        elif target._process is None and _rests(watcher):
            yield f"{watcher} got no DOWN of {target}, which is gone"


def _family(world: World) -> Iterator[str]:
    """Supervisors and children agree; orphans end; nobody is there twice."""
    seen: dict[tuple[Pid, str], Pid] = {}
    known = {pid: _children(pid) for pid in world.budgets if _at_rest(pid)}
    for pid, (id, parent) in world.births.items():
        process = pid._process
        if process is None or not process.alive:
            continue
        if parent._process is None:
            if pid not in world.unlinked and _rests(pid):
                yield f"{id} {pid} is an orphan: its supervisor {parent} is gone"
            continue
        if "." in id and not id.endswith("x"):
            twin = seen.setdefault((parent, id), pid)
            if twin is not pid:
                yield f"{id} runs twice under {parent}: as {twin} and as {pid}"
        children = known.get(parent)
        if children is not None and children.get(pid) != id:
            yield f"{id} {pid} runs, and its supervisor {parent} does not know it"
    for supervisor, children in known.items():
        budget = world.budgets[supervisor]
        if budget.exceeded and supervisor not in world.gave_up:
            yield f"{supervisor} restarts more often than its budget allows"
        for pid, id in children.items():
            if pid._process is None and pid not in world.unlinked:
                yield f"{supervisor} believes in its child {id} {pid}, which is gone"
        yield from _missing(world, supervisor)


def _at_rest(pid: Pid) -> bool:
    process = pid._process
    return (
        isinstance(process, TaskProcess)
        and process.at_rest
        and process.alive
        and not process.mailbox
    )


def _children(supervisor: Pid) -> dict[Pid, str]:
    machine = _process(supervisor).machine
    pattern = getattr(getattr(machine, "spec", None), "id", None)
    return {
        child.pid: str(child.id if pattern is None else pattern)
        for child in machine.which_children()
        if isinstance(child.pid, Pid)
    }


def _process(supervisor: Pid) -> SupervisorProcess:
    record = supervisor._process
    assert isinstance(record, TaskProcess)
    assert isinstance(record.sys, SupervisorProcess)
    return record.sys


def _missing(world: World, supervisor: Pid) -> Iterator[str]:
    """Children that should run under a supervisor at rest, and do not."""
    for child in _process(supervisor).machine.which_children():
        if child.pid == RESTARTING:
            yield f"{supervisor} has forgotten to try the restart of {child.id} again"
        elif (
            child.pid is None
            and world.nodes[str(child.id)].restart == "permanent"
            and (supervisor, child.id) not in world.absent
        ):
            yield f"{supervisor} has lost its permanent child {child.id}"
