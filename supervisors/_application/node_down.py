"""What it means that an application the node cannot do without has ended (A4).

The other applications are stopped in order, then the node ends. How, is a hook: by default
the main process of `supervisors.run` ends, which then raises ``Exit(reason)``; a program
with a main of its own puts its own function there (`application.on_node_down`).
"""

from __future__ import annotations

from collections.abc import Callable

from .._cell import current_runtime
from .._errors import Reason
from .._process import signal_exit
from .._reports import WarningReport
from .._runtime import Runtime
from .._task import TaskProcess

NodeDown = Callable[[Reason], object]
"""Called once, in a process, with ``("application_terminated", name, reason)``."""


def _main(runtime: Runtime) -> TaskProcess | None:
    """The process that `supervisors.run` was called for."""
    for process in runtime.table.values():
        if isinstance(process, TaskProcess) and process.parent is None and process.label == "main":
            return process
    return None


def end_node(reason: Reason) -> None:
    """End the main process with `reason`; it cannot trap this. Without one, as in a bare
    ``async with Runtime()``, kill every process, after a report.
    """
    runtime = current_runtime()
    main = _main(runtime)
    if main is not None:
        main.die(reason)
        return
    runtime.reports.emit(
        WarningReport(None, "the node goes down: every process is killed", {"reason": reason})
    )
    for process in list(runtime.table.values()):
        signal_exit(process, process.pid, "kill", linked=False)
