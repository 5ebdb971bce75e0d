"""The kernels' own tables between nodes, as they must be whenever everybody waits, and the
floor: what must be left after the stop, nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...._cell import cell
from ...._gen_server.calls import Waiter
from ...._process import Monitor, Process, Remote, Watch
from ...._runtime import Runtime
from .subjects import SUBJECTS
from .world import World


def check(world: World, *, quiet: bool) -> Iterator[str]:
    """Every violation there is now, as a sentence; quiet: no signal is under way."""
    yield from world.violations
    world.violations.clear()
    if cell.current is not None or cell.depth:
        yield f"{cell.current} is current, and nobody runs"
    for node, runtime in world.runtimes.items():
        yield from _processes(runtime)
        yield from _watches(world, node, runtime, quiet)
    for subject in SUBJECTS:
        yield from subject.check(world, quiet)


def _processes(runtime: Runtime) -> Iterator[str]:
    if runtime.queue:
        yield f"the run queue of {runtime.node} is not empty, and nobody runs it"
    for name, pid in runtime.names.items():
        if pid._process is None or pid._process.name != name:
            yield f"the name {name!r} on {runtime.node} belongs to {pid}, which has it no more"
    for process in list(runtime.table.values()):
        extras = process.extras
        if extras is None:
            continue
        for ref, monitor in extras.monitors.items():
            target = monitor.target
            if target.extras is None or target.extras.monitored_by.get(ref) is not monitor:
                yield f"{process.pid} monitors {target.pid}, which does not know"
        for watch in extras.monitored_by.values():
            yield from _watcher(process, watch)
    for watches, key in runtime.endpoint.asked.values():
        yield from _watcher(watches.process, watches[key])


def _watcher(process: Process, watch: Watch) -> Iterator[str]:
    """Who is to be told of an end must be there to hear of it."""
    if isinstance(watch, Monitor):
        watcher = watch.watcher
        if watcher.extras is None or watch.ref not in watcher.extras.monitors:
            yield f"{process.pid} is monitored by {watcher.pid}, which does not know"
    elif isinstance(watch, Waiter) and watch.released:
        yield f"{process.pid} keeps a call that has ended"


def _watches(world: World, node: str, runtime: Runtime, quiet: bool) -> Iterator[str]:
    """Monitors and calls: what one node asks for, the other watches."""
    endpoint = runtime.endpoint
    asked: dict[str, set[int]] = {}
    for number, (watches, key) in endpoint.asked.items():
        other = watches.process.pid.node
        asked.setdefault(other, set()).add(number)
        if not world.connections.stands(node, other):
            yield f"{node} still watches somebody on {other}, which is not connected"
        if watches.numbers.get(key) != number:
            yield f"{node} has a number for a monitor that is gone"
    for other, _ in endpoint.watching:
        if not world.connections.stands(node, other):
            yield f"{node} keeps a monitor of {other}, which is not connected"
    if not quiet:
        return
    for other in world.connections.seen_by(node) - {node}:
        theirs = world.runtimes[other].endpoint.watching
        watched = {number for asker, number in theirs if asker == node}
        if watched != asked.get(other, set()):
            yield f"{node} asked {other} for monitors {asked.get(other)}, it has {watched}"


def at_floor(world: World) -> Iterator[str]:
    """After the stop of all trees: nobody is left, and nothing that belonged to others."""
    for node, runtime in world.runtimes.items():
        for pid, process in runtime.table.items():
            yield f"{pid} ({_what(process)}) is left over on {node}"
        if runtime.names or len(runtime.timers):
            yield f"{node} has names or timers left over: {list(runtime.names)}"
        endpoint = runtime.endpoint
        names = endpoint.globals
        for what, left in (
            ("monitors of others", endpoint.asked),
            ("monitors for others", endpoint.watching),
            ("unlinks", endpoint.links.unlinking),
            ("global names", names._table),
            ("reserved names", names._reserved),
            ("questions", names._questions),
            ("watched names", names._watches),
        ):
            if left:
                yield f"{node} has {what} left over: {left}"
        for pid in list(endpoint._pids.values()):
            stands_for = pid._process
            if isinstance(stands_for, Remote) and stands_for.links:
                yield f"{node} has links of {pid} left over"


def _what(process: Process) -> str:
    return f"{process.initial_call} {process.label or ''}".strip()
