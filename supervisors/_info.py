"""`process_info`: what can be known of a process from outside (SEMANTICS 1.9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from sys import getsizeof
from time import perf_counter
from typing import Any

from ._gen_server.plain import PlainServer
from ._pid import Pid
from ._process import RUNNABLE, STATUS_NAMES, WAITING, Monitor, Process
from ._task import TaskProcess


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One process at one moment.

    status: "waiting", "runnable", "running", "suspended" or "exiting". message_queue_len:
    messages that wait. messages_in: messages received since the start, and reductions the
    same number of handled ones as far as a callback process is concerned. memory: bytes,
    an estimate of the record, mailbox and the reachable state, bounded in effort.
    started_at: `time.perf_counter` seconds; uptime: seconds. kind: "callback" or "task".
    behaviour: ``module:name`` of the code it runs.
    """

    pid: Pid
    registered_name: str | None
    label: Any
    initial_call: str
    behaviour: str
    kind: str
    status: str
    message_queue_len: int
    messages_in: int
    reductions: int
    links: tuple[Pid, ...]
    monitors: tuple[Pid, ...]
    monitored_by: tuple[Pid, ...]
    trap_exit: bool
    parent: Pid | None
    ancestors: tuple[Pid | str, ...]
    memory: int
    started_at: float
    uptime: float


def process_info(pid: Pid) -> ProcessInfo | None:
    """What is known of a process; None when it is dead."""
    process = pid._process
    if process is None:
        return None
    extras = process.extras
    monitors = () if extras is None else tuple(m.target.pid for m in extras.monitors.values())
    watchers = (
        ()
        if extras is None
        else tuple(w.watcher.pid for w in extras.monitored_by.values() if isinstance(w, Monitor))
    )
    suspended = extras is not None and extras.suspended and process.status <= RUNNABLE
    suspended = suspended or (extras is not None and extras.suspended and process.status == WAITING)
    return ProcessInfo(
        pid=pid,
        registered_name=process.name,
        label=process.label,
        initial_call=process.initial_call,
        behaviour=process.initial_call,
        kind=process.kind,
        status="suspended" if suspended else STATUS_NAMES[process.status],
        message_queue_len=process.queue_length(),
        messages_in=process.messages_in,
        reductions=process.messages_in,
        links=tuple(p.pid for p in process.links or ()),
        monitors=monitors,
        monitored_by=watchers,
        trap_exit=process.trap_exit,
        parent=process.parent,
        ancestors=process.ancestors,
        memory=_memory(process),
        started_at=process.started_at,
        uptime=perf_counter() - process.started_at,
    )


def _memory(process: Process, limit: int = 2000) -> int:
    """Bytes of the record and what hangs on it, looking at no more than `limit` objects."""
    total = getsizeof(process) + getsizeof(process.pid)
    if process.extras is not None:
        total += getsizeof(process.extras)
    if process.links is not None:
        total += getsizeof(process.links)
    todo: list[Any] = []
    if isinstance(process, PlainServer):
        todo += [process.state, process.module, process.mailbox]
    elif isinstance(process, TaskProcess):
        total += 2600  # the trio task, its coroutine and cancel scope
        todo.append(process.mailbox)
        if process.sys is not None:
            todo.append(process.sys.get_state())
    seen: set[int] = set()
    while todo and len(seen) < limit:
        item = todo.pop()
        if id(item) in seen or isinstance(item, Pid | type | Process):
            continue
        seen.add(id(item))
        total += getsizeof(item, 0)
        todo.extend(_inside(item))
    return total


def _inside(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    if isinstance(item, list | tuple | set | frozenset):
        return item
    values = getattr(item, "__dict__", None)
    return [] if not isinstance(values, dict) else [values]
