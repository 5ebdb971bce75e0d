"""What is reported of applications (OTP: application_controller, progress and exit)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .._errors import Reason
from .._reports import Report


@dataclass(frozen=True, slots=True)
class ApplicationReport(Report):
    """An application has started or ended; `pid` is its master.

    reason: of the end: "stopped" when it was asked for, else that of its top process.
    restart_type: permanent, transient or temporary.
    """

    application: str
    event: Literal["started", "exited"]
    restart_type: str
    reason: Reason = None
