"""What a state callback's return value means (OTP: ``event_handler_result()``).

    ("next_state", state, data[, actions])
    ("keep_state", data[, actions]), "keep_state_and_data", ("keep_state_and_data", actions)
    ("repeat_state", data[, actions]), "repeat_state_and_data", ("repeat_state_and_data", actions)
    "stop", ("stop", reason[, data])
    ("stop_and_reply", reason, replies[, data])

Pure; what the actions mean is `actions`' subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._errors import Reason
from .misuse import Misuse


@dataclass(frozen=True, slots=True)
class Go:
    """Go on. enter: an enter call is due, should the machine have them (T1, T2)."""

    state: Any
    data: Any
    actions: Any = ()
    enter: bool = False


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop. replies: sent before terminate (T5)."""

    reason: Reason
    data: Any
    replies: Any = ()


def read(value: Any, state: Any, data: Any, *, entering: bool) -> Go | Halt:
    """The meaning of `value`, returned by a callback that was given `state` and `data`.

    entering: from an enter call, which may not change the state (T4). Raises Misuse.
    """
    if type(value) is list:  # a sequence pattern would take it for a tuple
        raise Misuse(("bad_return_from_state_function", value))
    match value:
        case "keep_state_and_data":
            return Go(state, data)
        case ("keep_state", new):
            return Go(state, new)
        case ("next_state", next_state, new):
            return Go(next_state, new, (), _changes(value, state, next_state, entering))
        case ("keep_state", new, actions):
            return Go(state, new, actions)
        case ("next_state", next_state, new, actions):
            return Go(next_state, new, actions, _changes(value, state, next_state, entering))
        case ("keep_state_and_data", actions):
            return Go(state, data, actions)
        case "repeat_state_and_data":
            return Go(state, data, (), enter=True)
        case ("repeat_state", new):
            return Go(state, new, (), enter=True)
        case ("repeat_state", new, actions):
            return Go(state, new, actions, enter=True)
        case ("repeat_state_and_data", actions):
            return Go(state, data, actions, enter=True)
        case "stop":
            return Halt("normal", data)
        case ("stop", reason):
            return Halt(reason, data)
        case ("stop", reason, new):
            return Halt(reason, new)
        case ("stop_and_reply", reason, replies):
            return Halt(reason, data, replies)
        case ("stop_and_reply", reason, replies, new):
            return Halt(reason, new, replies)
    raise Misuse(("bad_return_from_state_function", value))


def _changes(value: Any, state: Any, next_state: Any, entering: bool) -> bool:
    if next_state == state:
        return False
    if entering:
        raise Misuse(("bad_state_enter_return_from_state_function", value))
    return True
