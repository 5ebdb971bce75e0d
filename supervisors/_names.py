"""Registered names: one per process, free again before anyone hears of its end (P11, P13)."""

from __future__ import annotations

import trio

from ._callback import CallbackProcess
from ._cell import current_runtime
from ._errors import BadArg, Reason, StartError
from ._pid import Pid
from ._process import Process, Watch
from ._runtime import Runtime
from ._task import TaskProcess


def resolve(name: str) -> Pid | None:
    """The pid registered under `name` in the current runtime."""
    return current_runtime().names.get(name)


def claim(name: str, process: Process) -> None:
    """Give `process` the name, which the caller has seen to be free."""
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


async def free_to_start(runtime: Runtime, name: str) -> None:
    """Return when a process may be started under `name`.

    Raises StartError ``("already_started", pid)`` when somebody has it (G2). A holder that
    is about to end is waited for: after a supervisor was killed its replacement would
    otherwise use up its restarts on children of the old one that are still stopping.
    """
    while (pid := runtime.names.get(name)) is not None:
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


def register(name: str, pid: Pid) -> None:
    """Give a process a name.

    Raises BadArg when the name is taken, empty or ``"undefined"``, or when the process is
    dead or has a name already (rule P13).
    """
    if not name or name == "undefined":
        raise BadArg(f"{name!r} is no name; a name is a non-empty string, not 'undefined'")
    process = pid._process
    if process is None or not process.alive:
        raise BadArg(f"cannot register {name!r}: process {pid} is dead")
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
