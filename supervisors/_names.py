"""Registered names: one per process, free again before anyone hears of its end (P11, P13)."""

from __future__ import annotations

from ._cell import current_runtime
from ._errors import BadArg
from ._pid import Pid
from ._process import Process


def resolve(name: str) -> Pid | None:
    """The pid registered under `name` in the current runtime."""
    return current_runtime().names.get(name)


def claim(name: str, process: Process) -> None:
    """Give `process` the name, which the caller has seen to be free."""
    process.runtime.names[name] = process.pid
    extras = process.more()
    extras.name = name
    extras.children_ancestors = None


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
