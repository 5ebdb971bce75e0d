"""`process_info`: what can be known of a process from outside (SEMANTICS 1.9).

>>> import supervisors
>>> from supervisors import GenServer, cast, process_info
>>> class Idle(GenServer):
...     pass
>>> async def main():
...     pid = await Idle.start(name="idle")
...     supervisors.send(pid, "hello")
...     return (
...         process_info(pid, "registered_name"),
...         process_info(pid, ["message_queue_len", "messages"]),
...         process_info(pid).kind,
...     )
>>> supervisors.run(main)
('idle', {'message_queue_len': 1, 'messages': ('hello',)}, 'callback')
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from sys import getsizeof
from time import perf_counter
from traceback import FrameSummary, StackSummary
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, Final, overload

from ._callback import CallbackProcess
from ._errors import BadArg
from ._gen_server.plain import PlainServer, shown
from ._pid import Pid, no_pid
from ._process import STATUS_NAMES, Monitor, Process, Remote
from ._sys.special import Special
from ._task import TaskProcess


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One process at one moment.

    status: "waiting", "runnable", "running", "suspended" or "exiting". message_queue_len:
    messages that wait; mailbox_limit: how many may, None for any number; dropped: lost to
    the limit. messages_in: messages received since the start; reductions: the same number,
    this kernel's measure of work. links, monitors, monitored_by: other processes. memory:
    bytes, an estimate of the record, mailbox and reachable state, bounded in effort.
    started_at: `time.perf_counter` seconds; uptime: seconds. kind: "callback" or "task".
    parent: who started it, linked or not.
    initial_call, behaviour: ``module:name`` of the code it runs.
    """

    pid: Pid
    registered_name: str | None
    label: Any
    initial_call: str
    behaviour: str
    kind: str
    status: str
    message_queue_len: int
    mailbox_limit: int | None
    dropped: int
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


def _status(process: Process) -> str:
    extras = process.extras
    if extras is not None and extras.suspended and process.alive:
        return "suspended"
    return STATUS_NAMES[process.status]


def _messages(process: Process) -> tuple[Any, ...]:
    if isinstance(process, CallbackProcess):
        return tuple(shown(message) for message in process.waiting_messages())
    assert isinstance(process, TaskProcess)
    return tuple(process.mailbox)


def _monitors(process: Process) -> tuple[Pid, ...]:
    extras = process.extras
    return () if extras is None else tuple(m.target.pid for m in extras.monitors.values())


def _monitored_by(process: Process) -> tuple[Pid, ...]:
    extras = process.extras
    if extras is None:
        return ()
    return tuple(w.watcher.pid for w in extras.monitored_by.values() if isinstance(w, Monitor))


def _limit(process: Process) -> int | None:
    extras = process.extras
    return None if extras is None or extras.limit is None else extras.limit.limit


def _dropped(process: Process) -> int:
    extras = process.extras
    return 0 if extras is None or extras.limit is None else extras.limit.dropped


def _parent(process: Process) -> Pid | None:
    """Who started it, also when it is not linked and its EXIT is mail like any other."""
    return process.parent or getattr(process, "spawner", None)


def _dictionary(process: Process) -> dict[str, Any]:
    """The part of Erlang's process dictionary that introspection needs."""
    entries = {"$ancestors": process.ancestors, "$initial_call": process.initial_call}
    return entries if process.label is None else {**entries, "$process_label": process.label}


def _stack(process: Process) -> StackSummary:
    """Where a task process waits, innermost frame last; empty for a callback process."""
    task = process.task if isinstance(process, TaskProcess) else None
    if task is None:
        return StackSummary()
    frames = ((frame, line) for frame, line in task.iter_await_frames())
    return StackSummary.extract(frames, lookup_lines=False)


def _here(process: Process) -> FrameSummary | None:
    """The innermost frame that is not of the kernel or of trio."""
    stack = _stack(process)
    own = [f for f in stack if "/trio/" not in f.filename and "/supervisors/_" not in f.filename]
    return own[-1] if own else None


def _location(process: Process) -> str | None:
    here = _here(process)
    return None if here is None else f"{here.filename}:{here.lineno}"


def _function(process: Process) -> str | None:
    here = _here(process)
    return None if here is None else here.name


ITEMS: Final[dict[str, Callable[[Process], Any]]] = {
    "pid": lambda p: p.pid,
    "registered_name": lambda p: p.name,
    "label": lambda p: p.label,
    "initial_call": lambda p: p.initial_call,
    "behaviour": lambda p: p.initial_call,
    "kind": lambda p: p.kind,
    "status": _status,
    "message_queue_len": lambda p: p.queue_length(),
    "mailbox_limit": _limit,
    "dropped": _dropped,
    "messages_in": lambda p: p.messages_in,
    "reductions": lambda p: p.messages_in,
    "links": lambda p: tuple(other.pid for other in p.links or ()),
    "monitors": _monitors,
    "monitored_by": _monitored_by,
    "trap_exit": lambda p: p.trap_exit,
    "parent": _parent,
    "ancestors": lambda p: p.ancestors,
    "memory": lambda p: _memory(p),
    "started_at": lambda p: p.started_at,
    "uptime": lambda p: perf_counter() - p.started_at,
    "messages": _messages,
    "dictionary": _dictionary,
    "current_stacktrace": _stack,
    "current_function": _function,
    "current_location": _location,
}
"""Every item of `process_info`; the last five only when asked for by name."""

_FIELDS: Final = tuple(field.name for field in fields(ProcessInfo))


@overload
def process_info(pid: Pid) -> ProcessInfo | None: ...
@overload
def process_info(pid: Pid, item: str) -> Any: ...
@overload
def process_info(pid: Pid, item: Sequence[str]) -> dict[str, Any] | None: ...


def process_info(pid: Pid, item: str | Sequence[str] | None = None) -> Any:
    """What is known of a process; None when it is dead.

    item: nothing for a `ProcessInfo`; a name of `ITEMS` for that value alone, a list of
    them for a dict. Beside the fields of `ProcessInfo` there are messages (a copy of the
    mailbox), dictionary, current_stacktrace, current_function and
    current_location (of a task process: where it waits). Raises BadArg for an unknown one,
    and for a process of another node, as Erlang does: ask there.
    """
    wanted = () if item is None else (item,) if isinstance(item, str) else item
    for name in wanted:
        if name not in ITEMS:
            raise BadArg(f"{name!r} is no item of process_info; there are {', '.join(ITEMS)}")
    try:
        process = pid._process
    except AttributeError:
        raise no_pid("process_info()", pid) from None
    if process is None:
        return None
    if isinstance(process, Remote):
        raise BadArg(f"process_info(): {pid} lives on another node; ask there")
    if item is None:
        return ProcessInfo(*[ITEMS[name](process) for name in _FIELDS])
    if isinstance(item, str):
        return ITEMS[item](process)
    return {name: ITEMS[name](process) for name in item}


_SHARED: Final = (
    Pid,
    Process,
    type,
    ModuleType,
    FunctionType,
    BuiltinFunctionType,
    MethodType,
    CodeType,
)
"""What hangs on a process and is not its own: other processes, and code."""

_INCREDIBLE: Final = 1 << 40
"""Bytes no object has: extension types exist whose `__sizeof__` answers with an address."""


def _memory(process: Process, limit: int = 2000) -> int:
    """Bytes of the record and what hangs on it, looking at no more than `limit` objects."""
    total = getsizeof(process) + getsizeof(process.pid)
    if process.extras is not None:
        total += getsizeof(process.extras)
    if process.links is not None:
        total += getsizeof(process.links)
    todo: list[Any] = []
    if isinstance(process, PlainServer):
        todo += [process.state, process.mailbox, process.box]
    elif isinstance(process, TaskProcess):
        total += 2600  # the trio task, its coroutine and cancel scope
        todo.append(process.mailbox)
        if process.sys is not None and not isinstance(process.sys, Special):
            todo.append(process.sys.get_state())  # a special process alone knows its own
    seen: set[int] = set()
    kept: list[Any] = []  # an object made by looking must not leave its id to the next
    while todo and len(seen) < limit:
        item = todo.pop()
        if id(item) in seen or issubclass(type(item), _SHARED):
            continue
        seen.add(id(item))
        kept.append(item)
        total += _size(item)
        todo.extend(_inside(item))
    return total


def _size(item: Any) -> int:
    try:
        size = getsizeof(item, 0)
    except Exception:  # a __sizeof__ of the user's own: the others still count
        return 0
    return size if size < _INCREDIBLE else 0


def _inside(item: Any) -> Iterable[Any]:
    """What hangs on an object. No code of its class is run, which may raise or do things."""
    kind = type(item)
    if issubclass(kind, dict):
        return [*dict.keys(item), *dict.values(item)]
    for container in (list, tuple, set, frozenset, deque):
        if issubclass(kind, container):
            return list(container.__iter__(item))
    inside: list[Any] = []
    for base in kind.__mro__:
        members = vars(base)
        if "__dict__" in members and isinstance(members["__dict__"], GetSetDescriptorType):
            inside.append(members["__dict__"].__get__(item))
        if "__slots__" in members:
            inside += _slots(members.values(), item)
    return inside


def _slots(members: Iterable[Any], item: Any) -> Iterator[Any]:
    for member in members:
        if isinstance(member, MemberDescriptorType):
            try:
                yield member.__get__(item)
            except AttributeError:
                continue  # not set
