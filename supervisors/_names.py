"""Registered names: one per process, free again before anyone hears of its end (P11, P13).

Besides the names of the runtime there are those kept elsewhere: ``("via", module, term)``
asks `module`, anything with the functions of `NameKeeper`, whom it calls `term` (G19);
``("global", term)`` is known to all connected nodes; ``(name, node)`` is whoever has the
registered name on that node when a signal gets there.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Protocol, TypeAlias

import trio

from ._callback import CallbackProcess
from ._cell import current_runtime
from ._errors import BadArg, Reason, StartError
from ._pid import Pid, no_pid
from ._process import Process, Remote, Watch, finish
from ._runtime import Runtime
from ._task import TaskProcess

Name: TypeAlias = str | tuple[Any, ...]
"""What a process can be called: a registered name, ``(name, node)``, ``("global", term)`` or
``("via", module, term)``."""


class NameKeeper(Protocol):
    """What the module of a via name has to offer (G19)."""

    def register_name(self, term: Any, pid: Pid, /) -> Literal["yes", "no"]:
        """Give the process this name; "no" when another has it."""

    def unregister_name(self, term: Any, /) -> object:
        """Take the name away."""

    def whereis_name(self, term: Any, /) -> Pid | None:
        """The live process with this name."""


def resolve(name: Name) -> Pid | None:
    """The process that `name` stands for now, None when nobody has it.

    For ``(name, node)`` of another node it is a pid that stands for the name there.
    Raises TypeError for what is no name.
    """
    if isinstance(name, str):
        return current_runtime().names.get(name)
    if type(name) is tuple and len(name) == 2 and name[0] != "global":
        own_name, node = name
        if isinstance(own_name, str) and isinstance(node, str):
            runtime = current_runtime()
            if node == runtime.node:
                return runtime.names.get(own_name)
            return runtime.endpoint.named(own_name, node)
    keeper, term = _keeper_of(name)
    return keeper.whereis_name(term)


def _keeper_of(name: object) -> tuple[NameKeeper, Any]:
    if isinstance(name, tuple):
        if len(name) == 2 and name[0] == "global":
            return current_runtime().endpoint.globals, name[1]
        if len(name) == 3 and name[0] == "via":
            keeper: Any = name[1]
            if hasattr(keeper, "whereis_name"):
                return keeper, name[2]
    raise TypeError(
        f"{name!r} is no name of a process; a name is a string, (name, node), ('global', term) "
        "or ('via', module, term) with a module that has whereis_name, register_name and "
        "unregister_name"
    )


def claim(name: Name, process: Process) -> None:
    """Give `process`, which is being started, the name.

    A string the caller has seen to be free. A name kept elsewhere is asked for here: when
    it is refused the process ends as if it had never been started, and its starter gets
    StartError ``("already_started", pid)`` (G2).
    """
    if not isinstance(name, str):
        granted = False
        try:
            keeper, term = _keeper_of(name)
            granted = keeper.register_name(term, process.pid) == "yes"
        finally:
            if not granted:
                parent = None if process.parent is None else process.parent._process
                if parent is not None:
                    process.unlink_from(parent)
                finish(process, "normal")
        if not granted:
            raise StartError(("already_started", keeper.whereis_name(term)))
        return
    process.runtime.names[name] = process.pid
    extras = process.more()
    extras.name = name
    extras.children_ancestors = None


class _Vacancy(Watch):
    """Somebody who waits for the end of a name's holder."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended = trio.Event()

    def down(self, pid: Pid, reason: Reason) -> None:
        self.ended.set()


def _is_ending(process: Process) -> bool:
    """Whether a process is sure to end by itself: it unwinds, or it is a behaviour whose
    parent has gone, whose EXIT it has yet to obey (G8, V15).
    """
    if not process.alive:
        return True
    behaviour = isinstance(process, CallbackProcess) or (
        isinstance(process, TaskProcess) and process.sys is not None
    )
    return behaviour and process.extras is not None and process.extras.orphaned


async def free_to_start(runtime: Runtime, name: Name) -> None:
    """Return when a process may be started under `name`.

    Raises StartError ``("already_started", pid)`` when somebody has it (G2), BadArg or
    TypeError for what nobody can be started as. A holder that
    is about to end is waited for: after a supervisor was killed its replacement would
    otherwise use up its restarts on children of the old one that are still stopping.
    """
    if isinstance(name, str):
        require_name(name)
    else:
        _keeper_of(name)  # (name, node) can be sent to, but nobody starts there
    while True:
        pid = runtime.names.get(name) if isinstance(name, str) else resolve(name)
        if pid is None and isinstance(name, tuple) and name[0] == "global":
            if await runtime.endpoint.globals.reserve(name[1]):
                return
            pid = resolve(name)
            if pid is None:
                raise StartError("name_taken")
        if pid is None:
            return
        process = pid._process
        if process is None or not _is_ending(process):
            raise StartError(("already_started", pid))
        vacancy = _Vacancy()
        watches = process.more().monitored_by
        watches[vacancy] = vacancy  # type: ignore[index]
        try:
            await vacancy.ended.wait()
        finally:
            watches.pop(vacancy, None)  # type: ignore[call-overload]


NO_NAMES: Final = ("", "undefined")
"""What no process can be registered as (P13)."""


def require_name(name: str) -> None:
    if name in NO_NAMES or not isinstance(name, str):
        raise BadArg(f"{name!r} is no name; a name is a non-empty string, not 'undefined'")


def register(name: str, pid: Pid) -> None:
    """Give a process a name.

    Raises BadArg when the name is taken, empty or ``"undefined"``, or when the process is
    dead or has a name already (rule P13).
    """
    require_name(name)
    try:
        process = pid._process
    except AttributeError:
        raise no_pid("register()", pid) from None
    if process is None or not process.alive:
        raise BadArg(f"cannot register {name!r}: process {pid} is dead")
    if isinstance(process, Remote):
        raise BadArg(f"cannot register {name!r}: process {pid} lives on another node")
    if process.name is not None:
        raise BadArg(f"cannot register {name!r}: {pid} is already registered as {process.name!r}")
    holder = process.runtime.names.get(name)
    if holder is not None:
        raise BadArg(f"cannot register {name!r}: the name belongs to {holder}")
    claim(name, process)


def unregister(name: str) -> None:
    """Take a name away; BadArg when nobody has it."""
    pid = current_runtime().names.pop(name, None)
    if pid is None:
        raise BadArg(f"cannot unregister {name!r}: no process has that name")
    process = pid._process
    if process is not None and process.extras is not None:
        process.extras.name = None
        process.extras.children_ancestors = None


def whereis(name: str) -> Pid | None:
    """The live process registered under `name`, else None."""
    return resolve(name)


def registered() -> dict[str, Pid]:
    """All names of the current runtime and who has them, a copy."""
    return dict(current_runtime().names)
