"""What a manager says about a handler it had to remove, and how a handler's state is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._cell import require_process
from .._errors import Reason, format_reason, unwinds
from .._pid import Pid
from .._reports import ErrorReport, Reports, WarningReport
from .._sys.debug import logged

if TYPE_CHECKING:
    from .behaviour import GenEvent
    from .handlers import Installed

HIDDEN = "format_status failed"


@dataclass(frozen=True, slots=True)
class HandlerReport(ErrorReport):
    """An event handler failed and was removed; its manager goes on (OTP: gen_event, E1).

    pid: the manager. name: the handler and where it was installed, for people.
    behaviour: ``module:name`` of the handler's class. handler: the class, or
    ``(class, id)``. manager: the manager's registered name, else its pid.
    message: the last event, request or message it handled; state and reason: as the
    handler's `format_status` shows them. reason is ``("EXIT", reason)`` when it raised,
    otherwise the value it must not return.
    """

    handler: Any
    manager: Pid | str

    def __str__(self) -> str:
        return (
            f"event handler {self.name} was removed: {format_reason(self.reason)}; "
            f"last event {self.message!r}; state {self.state!r}"
        )


def shown(
    handler: GenEvent, status: dict[str, Any], reports: Reports, pid: Pid | None
) -> dict[str, Any]:
    """`status` as the handler's `format_status` wants it shown.

    One that raises or changes the keys is reported, and nothing of the state is shown: it
    may have been there to hide a secret (G18).
    """
    name = type(handler).__qualname__
    try:
        answer: object = handler.format_status(dict(status))
        if isinstance(answer, dict) and answer.keys() == status.keys():
            return answer
        problem = f"must return a dict with the keys {sorted(status)}, returned {answer!r}"
    except BaseException as error:
        if unwinds(error):
            raise
        problem = format_reason(error)
    reports.emit(WarningReport(pid, f"{name}.format_status failed: {problem}"))
    return {**status, "state": HIDDEN, "message": HIDDEN, "log": []}


def failed(handler: Installed, reason: Reason, message: Any) -> None:
    """Emit the HandlerReport of a handler that the current process, its manager, removes."""
    process = require_process("removing an event handler")
    bare = reason[1] if _is_exit(reason) else reason
    log = logged(process)
    status = {"state": handler.state, "message": message, "reason": bare, "log": log}
    status = shown(handler.handler.module, status, process.runtime.reports, process.pid)
    manager = process.name or process.pid
    process.runtime.reports.emit(
        HandlerReport(
            pid=process.pid,
            name=f"{handler} in {manager}",
            behaviour=f"{handler.handler.__module__}:{handler.handler.__qualname__}",
            message=status["message"],
            state=status["state"],
            reason=("EXIT", status["reason"]) if _is_exit(reason) else status["reason"],
            handler=handler.designation,
            manager=manager,
        )
    )


def _is_exit(reason: Reason) -> bool:
    return type(reason) is tuple and len(reason) == 2 and reason[0] == "EXIT"
