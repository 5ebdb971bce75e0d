"""What an action means: tuples as OTP writes them, read into records.

Actions come in a list or alone. Times are seconds; `math.inf` and "infinity" stop a
time-out instead of starting it (OTP: gen_statem, ``action()``):

    ("reply", from_, value)                   answer a call
    "postpone", ("postpone", bool)            keep the event until the state changes
    ("next_event", type, content)             handle this next, before all that is queued
    ("timeout", time, content[, options])     event time-out: any event cancels it
    time                                      the same, its content being the time
    ("state_timeout", time, content[, …])     a change of state cancels it
    (("timeout", name), time, content[, …])   runs until it fires or is set again
    (<one of these>, "cancel")                stop it
    (<one of these>, "update", content)       change what it will bring
    "hibernate", ("hibernate", bool)          hibernate while nothing comes, as a GenServer
    ("change_callback_module", module), ("push_callback_module", module), "pop_callback_module"

options: ``("abs", True)`` or a list of such: time is a moment on the runtime's clock
(`Runtime.now`), not a duration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .._gen_server.calls import From
from .misuse import Misuse

TimeoutName = Any
"""``"timeout"``, ``"state_timeout"`` or ``("timeout", name)``: also the type of its event."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer `from_` at once."""

    from_: From
    value: Any


@dataclass(frozen=True, slots=True)
class NextEvent:
    """Insert an event before everything queued."""

    type: Any
    content: Any


@dataclass(frozen=True, slots=True)
class Postpone:
    """Whether the event is kept for after the next change of state."""

    flag: bool


@dataclass(frozen=True, slots=True)
class Hibernate:
    """Whether to hibernate until the next message (G17)."""

    flag: bool


@dataclass(frozen=True, slots=True)
class SetTimeout:
    """Start a time-out anew. time: seconds from now, or a moment if `absolute`."""

    name: TimeoutName
    time: float
    content: Any
    absolute: bool = False


@dataclass(frozen=True, slots=True)
class CancelTimeout:
    """Stop a time-out, if it runs."""

    name: TimeoutName


@dataclass(frozen=True, slots=True)
class UpdateTimeout:
    """Change the content of a running time-out; one that does not run fires at once."""

    name: TimeoutName
    content: Any


@dataclass(frozen=True, slots=True)
class SwitchModule:
    """Other callbacks from the next one on. how: "change", "push" or "pop"."""

    how: str
    module: Any = None


Timeout = SetTimeout | CancelTimeout | UpdateTimeout
Action = Reply | NextEvent | Postpone | Hibernate | Timeout | SwitchModule


def listed(actions: Any) -> list[Any]:
    """Actions as a list, whether a list was given, one action, or () for none."""
    if type(actions) is list:
        return actions
    return [] if actions == () else [actions]


def is_timeout_name(name: object) -> bool:
    """Whether `name` names one of the three kinds of time-out."""
    if isinstance(name, str):
        return name in ("timeout", "state_timeout")
    return type(name) is tuple and len(name) == 2 and name[0] == "timeout"


def is_event_type(type_: object) -> bool:
    """Whether events of this type may be inserted."""
    if isinstance(type_, str):
        return type_ in ("cast", "info", "internal", "timeout", "state_timeout")
    if type(type_) is not tuple or len(type_) != 2:
        return False
    return type_[0] == "timeout" or (type_[0] == "call" and isinstance(type_[1], From))


def read_action(action: Any, *, entering: bool) -> Action:
    """The record of one action.

    entering: it comes from an enter call, which may not postpone, insert events or change
    the callback module (T4). Raises Misuse for anything unknown.
    """
    if type(action) is list:  # a sequence pattern would take it for a tuple
        raise Misuse(("bad_action_from_state_function", action))
    match action:
        case ("reply", From() as from_, value):
            return Reply(from_, value)
        case "postpone":
            return _not_entering(action, Postpone(flag=True), entering)
        case ("postpone", bool(flag)):
            return _not_entering(action, Postpone(flag), entering and flag)
        case "hibernate":
            return Hibernate(flag=True)
        case ("hibernate", bool(flag)):
            return Hibernate(flag)
        case ("next_event", type_, content):
            return _not_entering(
                action, NextEvent(type_, content) if is_event_type(type_) else None, entering
            )
        case ("change_callback_module" | "push_callback_module" as how, module):
            how = how.removesuffix("_callback_module")
            return _not_entering(action, SwitchModule(how, module), entering)
        case "pop_callback_module":
            return _not_entering(action, SwitchModule("pop"), entering)
        case (name, "cancel") if is_timeout_name(name):
            return CancelTimeout(name)
        case (name, "update", content) if is_timeout_name(name):
            return UpdateTimeout(name, content)
        case (name, time, content) if is_timeout_name(name):
            return _timeout(action, name, time, content, absolute=False)
        case (name, time, content, options) if is_timeout_name(name):
            return _timeout(action, name, time, content, absolute=_absolute(action, options))
    return _timeout(action, "timeout", action, action, absolute=False)


def _not_entering(action: Any, meaning: Action | None, entering: bool) -> Action:
    if entering:
        raise Misuse(("bad_state_enter_action_from_state_function", action))
    if meaning is None:
        raise Misuse(("bad_action_from_state_function", action))
    return meaning


def _timeout(
    action: Any, name: TimeoutName, time: Any, content: Any, *, absolute: bool
) -> SetTimeout | CancelTimeout:
    if time == "infinity":
        return CancelTimeout(name)
    number = isinstance(time, int | float) and not isinstance(time, bool)
    if not number or math.isnan(time) or (time < 0 and not absolute):
        raise Misuse(("bad_action_from_state_function", action))
    return CancelTimeout(name) if time == math.inf else SetTimeout(name, time, content, absolute)


def _absolute(action: Any, options: Any) -> bool:
    absolute = False
    for option in listed(options):
        match option:
            case ("abs", bool(flag)):
                absolute = flag
            case _:
                raise Misuse(("bad_action_from_state_function", action))
    return absolute


def read_reply(action: Any) -> Reply:
    """The one kind of action that "stop_and_reply" takes."""
    match action:
        case ("reply", From() as from_, value):
            return Reply(from_, value)
    raise Misuse(("bad_reply_action_from_state_function", action))
