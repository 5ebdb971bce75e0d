"""What the whole kernel looks at on every message: who runs, and how long it may go on.

WHY a cell and not contextvars alone: a callback process runs on the stack of whoever
dispatches it (DESIGN 2.2), so "the current process" changes several million times a
second and must cost one attribute store. Task processes keep theirs in a context
variable, which trio carries across every suspension for them; the cell overrides it only
while a plain callback runs, and a plain callback never suspends.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._process import Process
    from ._runtime import Runtime
    from ._task import TaskProcess

BUDGET = 2000
"""Reductions (messages handled or calls made) between two checkpoints: rule P17."""


class Cell:
    """The mutable heart of the dispatcher; there is exactly one, in the trio thread."""

    __slots__ = ("budget", "current", "depth")

    def __init__(self) -> None:
        self.current: Process | None = None
        self.budget: int = BUDGET
        self.depth = 0


cell = Cell()

task_process: ContextVar[TaskProcess | None] = ContextVar("supervisors.process", default=None)
active_runtime: ContextVar[Runtime | None] = ContextVar("supervisors.runtime", default=None)


def current_process() -> Process | None:
    """The process whose code is running, or None in a trio task that is no process."""
    return cell.current or task_process.get()


def require_process(doing: str) -> Process:
    """The current process; RuntimeError naming `doing` when there is none."""
    process = cell.current or task_process.get()
    if process is None:
        raise RuntimeError(
            f"{doing} works only inside a process; start one with supervisors.spawn() "
            "or run the program with supervisors.run()"
        )
    return process


def current_runtime() -> Runtime:
    """The runtime of the current process, else the innermost `async with Runtime()`.

    Raises RuntimeError when no runtime is open in this trio run.
    """
    process = cell.current or task_process.get()
    if process is not None:
        return process.runtime
    runtime = active_runtime.get()
    if runtime is None:
        raise RuntimeError(
            "no supervisors.Runtime is open here; use `async with supervisors.Runtime():` "
            "or supervisors.run()"
        )
    return runtime
