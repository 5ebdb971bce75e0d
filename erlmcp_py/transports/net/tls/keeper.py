"""The process that keeps a listener's certificate fresh, and warns before it runs out.

Every few seconds it looks whether the files are others than before (their inode, size or time). New
connections get what is in them then; those that are open go on with what they began with. What cannot
be used is logged, and the old pair stays. `reload` does the same at once, whether they look changed
or not.

Thirty days before the certificate expires an alarm is set, ``("certificate_expires", NAME)``, and
cleared when a fresh one is loaded.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import trio

from erlmcp_py.telemetry.log import log
from erlmcp_py.transports.net.tls.credentials import Credentials, Loaded, TlsProblem
from supervisors import GenServer, Pid, alarm_handler, send_after, set_label, whereis
from supervisors import self as own_pid

CHECK_INTERVAL: Final = 10.0
"""Seconds between two looks at the files."""
WARN_BEFORE: Final = timedelta(days=30)


class _State:
    def __init__(self, name: str, credentials: Credentials) -> None:
        self.name = name
        self.credentials = credentials
        self.alarm: tuple[str, Pid | None] | None = None
        """What it says, and who has been told: a restarted alarm handler knows nothing."""


class CertificateKeeper(GenServer):
    """``"reload"`` -> ``("ok", facts)`` or ``("error", text)``; ``"facts"`` -> ``("ok", facts)``."""

    def init(self, name: str, credentials: Credentials) -> tuple[Any, ...]:
        """The owner of the socket has loaded them before."""
        set_label(f"{name} certificates")
        state = _State(name, credentials)
        send_after(0.0, own_pid(), "look")
        return ("ok", state)

    async def handle_call(self, request: Any, _from: Any, state: _State) -> tuple[Any, ...]:
        """Reload, or tell what is in use."""
        if request == "reload":
            problem = await _load(state)
            if problem is not None:
                return ("reply", ("error", problem), state)
        elif request != "facts":
            return ("reply", ("error", f"unknown request {request!r}"), state)
        loaded = state.credentials.loaded
        if loaded is None:
            return ("reply", ("error", "no certificate has been loaded"), state)
        return ("reply", ("ok", facts(loaded)), state)

    async def handle_info(self, message: Any, state: _State) -> tuple[Any, ...]:
        """A look at the files and at the calendar."""
        if message == "look":
            if state.credentials.changed():
                await _load(state)
            _judge_age(state)
            send_after(CHECK_INTERVAL, own_pid(), "look")
        return ("noreply", state)

    def terminate(self, _reason: Any, state: _State) -> None:
        """Nobody would clear it any more."""
        _clear(state)

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """What is in use, for people."""
        state = status.get("state")
        if not isinstance(state, _State) or state.credentials.loaded is None:
            return status
        return {**status, "state": facts(state.credentials.loaded)}


def facts(loaded: Loaded) -> dict[str, Any]:
    """What is in use, as JSON has it."""
    return {
        "subject": loaded.subject,
        "not_after": loaded.not_after.isoformat(),
        "days_left": (loaded.not_after - datetime.now(UTC)).days,
    }


async def _load(state: _State) -> str | None:
    """The problem, if there is one. In a thread, for an encrypted key takes its time."""
    try:
        loaded = await trio.to_thread.run_sync(state.credentials.load)
    except TlsProblem as problem:
        log("error", f"{state.name}: tls: {problem}; the certificate in use stays")
        return str(problem)
    log("info", f"{state.name}: certificate of {loaded.subject}, until {loaded.not_after:%Y-%m-%d}")
    return None


def _judge_age(state: _State) -> None:
    """Set, change or clear the alarm."""
    loaded = state.credentials.loaded
    left = timedelta.max if loaded is None else loaded.not_after - datetime.now(UTC)
    if loaded is None or left > WARN_BEFORE:
        _clear(state)
        return
    day = f"{loaded.not_after:%Y-%m-%d}"
    if left <= timedelta(0):
        text = f"the certificate of {loaded.subject} has expired on {day}"
    else:
        text = f"the certificate of {loaded.subject} expires on {day}"
    told = (text, whereis(alarm_handler.NAME))
    if state.alarm == told:
        return
    if state.alarm is None or state.alarm[0] != text:
        log("warning", f"{state.name}: {text}; renew it")
        _clear(state)
    if told[1] is not None:
        alarm_handler.set_alarm((("certificate_expires", state.name), text))
    state.alarm = told


def _clear(state: _State) -> None:
    handler = whereis(alarm_handler.NAME)
    if state.alarm is not None and handler is not None and state.alarm[1] == handler:
        alarm_handler.clear_alarm(("certificate_expires", state.name))
    state.alarm = None
