"""What a server that ends abnormally says about itself (rules G10, G18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .._errors import Exit, Reason, Stack, format_reason, unwinds
from .._process import Process
from .._reports import ErrorReport, WarningReport
from .._sys.debug import logged

if TYPE_CHECKING:
    from .behaviour import GenServer


class Shown(Protocol):
    """What has a say in what is shown of a process."""

    @property
    def status_details(self) -> tuple[str, ...]: ...

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]: ...


def shown_status(
    process: Process, module: Shown, state: Any, message: Any, reason: Reason
) -> dict[str, Any]:
    """State, message, reason and log as the server's `format_status` wants them shown, and
    what its behaviour adds (`GenServer.status_details`).

    A `format_status` that raises or changes the keys is reported and overruled by a text
    that shows nothing of the state: it may have been there to hide a secret.
    """
    status = {"state": state, "message": message, "reason": reason, "log": logged(process)}
    try:
        shown: object = module.format_status(dict(status))
        if isinstance(shown, dict) and shown.keys() == status.keys() | set(module.status_details):
            return shown
        problem = f"must return a dict with the keys {sorted(status)}, returned {shown!r}"
    except BaseException as error:
        if unwinds(error):
            raise
        problem = format_reason(error)
    process.runtime.reports.emit(
        WarningReport(
            process.pid,
            f"{type(module).__qualname__}.format_status failed: {problem}",
        )
    )
    hidden = "format_status failed"
    return {"state": hidden, "message": hidden, "reason": reason, "log": []}


def reported(reason: Reason, raised: BaseException | None) -> Reason:
    """The reason as the report shows it: an Exit that was raised with where it was (OTP)."""
    return (reason, Stack(raised)) if isinstance(raised, Exit) else reason


def error_report(
    process: Process, module: GenServer, state: Any, message: Any, reason: Reason
) -> None:
    """Emit the ErrorReport of a server that terminates."""
    shown = shown_status(process, module, state, message, reason)
    process.runtime.reports.emit(
        ErrorReport(
            pid=process.pid,
            name=process.name,
            behaviour=f"{type(module).__module__}:{type(module).__qualname__}",
            message=shown["message"],
            state=shown["state"],
            reason=shown["reason"],
            log=shown["log"],
            details={key: shown[key] for key in module.status_details if key in shown},
        )
    )
