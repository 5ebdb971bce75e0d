"""What a GenServer callback's return value means: one reading for both kinds of server.

OTP: gen_server, rules G1 and G4. Pure; nothing here runs a callback.

WHY named tuples: they are made in half the time of frozen dataclasses, of which one is made for
most callbacks, and defined in a tenth of it, at every import.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from .._errors import Reason

STARTED: Final = "init"
"""Stands for the message, in reports, when what `init` asked for is carried out."""


class Next(NamedTuple):
    """Go on with `state`. option: None, a timeout in seconds, or ("continue", term)."""

    state: Any
    option: Any = None


class Answer(NamedTuple):
    """Reply to the caller, then go on."""

    reply: Any
    state: Any
    option: Any = None


class Stop(NamedTuple):
    """Terminate with `reason`; with `replies` the caller gets `reply` afterwards (G5)."""

    reason: Reason
    state: Any
    reply: Any = None
    replies: bool = False
    keep_state: bool = False


Outcome = Next | Answer | Stop


def is_option(option: object) -> bool:
    """A timeout in seconds, "infinity", "hibernate" or ("continue", term)."""
    if isinstance(option, int | float) and not isinstance(option, bool):
        return option >= 0 and not math.isnan(option)
    if option in ("hibernate", "infinity"):
        return True
    return type(option) is tuple and len(option) == 2 and option[0] == "continue"


def read(value: Any, *, is_call: bool) -> Outcome:
    """The outcome a callback's return value stands for.

    A value of no known shape is ``Stop(("bad_return_value", value))`` (rule G4), with the
    state the server had before.
    """
    if type(value) is tuple:
        match value:
            case ("noreply", state):
                return Next(state)
            case ("noreply", state, option) if is_option(option):
                return Next(state, option)
            case ("reply", reply, state) if is_call:
                return Answer(reply, state)
            case ("reply", reply, state, option) if is_call and is_option(option):
                return Answer(reply, state, option)
            case ("stop", reason, state):
                return Stop(reason, state)
            case ("stop", reason, reply, state) if is_call:
                return Stop(reason, state, reply, replies=True)
    return Stop(("bad_return_value", value), None, keep_state=True)


class Started(NamedTuple):
    state: Any
    option: Any = None


class NotStarted(NamedTuple):
    """init refused. error: what the starter is told, None for ignore; reason: the exit
    reason of the process; report: whether a crash report is due (G1).
    """

    error: Reason | None
    reason: Reason
    report: bool


def read_init(value: Any) -> Started | NotStarted:
    """The meaning of what `init` returned (rule G1)."""
    if value == "ignore":
        return NotStarted(None, "normal", report=False)
    if type(value) is tuple:
        match value:
            case ("ok", state):
                return Started(state)
            case ("ok", state, option) if is_option(option):
                return Started(state, option)
            case ("stop", reason):
                return NotStarted(reason, reason, report=True)
            case ("error", reason):
                return NotStarted(reason, "normal", report=False)
    reason = ("bad_return_value", value)
    return NotStarted(reason, reason, report=True)
