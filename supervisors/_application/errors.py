"""What the application controller answers when it refuses."""

from __future__ import annotations

from .._errors import Reason, format_reason

_WORDS = {
    "already_loaded": "an application of this name is loaded; unload it first",
    "already_started": "the application runs",
    "not_loaded": "no application of this name is loaded; give its class, or load it first",
    "not_started": "the application does not run; start it, or use ensure_all_started",
    "not_running": "the application has ended; start it again",
    "running": "the application runs; stop it first",
    "invalid_restart_type": "it must be 'permanent', 'transient' or 'temporary'",
    "bad_return": "start must return the pid of the top process, or (pid, state)",
    "bad_return_value": "start_phase must return None",
    "circular_dependency": "these need each other",
    "bad_application": "the application's definition is at fault",
    "node_down": "the node is going down",
    "stopped": "all applications were stopped while it started",
}


class ApplicationError(Exception):
    """An application was not started, stopped or loaded: Erlang's ``{error, Reason}``.

    Attributes
    ----------
    reason: OTP's term, e.g. ``("not_started", name)``; of `ensure_all_started`
        ``(name, reason)`` with the application that failed.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        tags = [self.reason]
        while isinstance(tags[-1], tuple) and tags[-1]:
            tags.append(tags[-1][0])
        if isinstance(self.reason, tuple) and len(self.reason) == 2:
            second = self.reason[1]
            tags.append(second[0] if isinstance(second, tuple) and second else None)
        words = [_WORDS[tag] for tag in tags if isinstance(tag, str) and tag in _WORDS]
        text = format_reason(self.reason)
        return f"{text}: {words[0]}" if words else text
