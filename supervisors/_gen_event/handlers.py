"""What happens to installed handlers: the rules E1-E3, without a process or a mailbox.

A manager's state is a tuple of `Installed`, the newest first. Functions take it and answer
what came of it, an `After`; callbacks are run here and nowhere else, through `attempt`, which
is Erlang's ``catch``: a `Throw` is a return, anything else raised is ``("EXIT", reason)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from .._errors import Reason, Throw, reason_of, unwinds
from .._pid import Pid
from .._signals import link, send
from .behaviour import GenEvent
from .reporting import failed

Handler = type[GenEvent] | tuple[type[GenEvent], Any]
"""How a handler is designated: its class, or ``(class, id)``."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One handler of a manager.

    handler: its class. id: None when it was added without one. state: what its callbacks
    returned last. supervisor: the process that added it with `add_sup_handler`.
    """

    handler: type[GenEvent]
    id: Any
    state: Any = None
    supervisor: Pid | None = None

    @property
    def designation(self) -> Handler:
        return self.handler if self.id is None else (self.handler, self.id)

    def is_called(self, handler: type[GenEvent], id: Any) -> bool:
        return self.handler is handler and bool(self.id == id)

    def __str__(self) -> str:
        name = self.handler.__qualname__
        return name if self.id is None else f"({name}, {self.id!r})"


Handlers = tuple[Installed, ...]


class After(NamedTuple):
    """What came of a message: the handlers there are now, and the answer for who asked.

    hibernate: one of the callbacks that ran for it wants the manager to.
    """

    handlers: Handlers
    answer: Any = None
    hibernate: bool = False


class Refused(NamedTuple):
    """What did not go as asked; `reason` is what Erlang puts behind ``error``."""

    reason: Reason


def blank(designation: Handler, supervisor: Pid | None = None) -> Installed:
    """The record of a handler that is not initialised yet; TypeError if it is no handler."""
    named = type(designation) is tuple and len(designation) == 2
    handler, id = designation if named else (designation, None)  # type: ignore[misc]
    if not (isinstance(handler, type) and issubclass(handler, GenEvent)) or handler is GenEvent:
        raise TypeError(
            f"{designation!r} is no event handler: give a subclass of GenEvent, or (subclass, id)"
        )
    return Installed(handler, id, None, supervisor)


def attempt(callback: Callable[..., Any], *args: Any) -> Any:
    """What a callback returns or throws, or ``("EXIT", reason)`` if it raises or exits."""
    try:
        return callback(*args)
    except Throw as thrown:
        return thrown.value
    except BaseException as error:
        if unwinds(error):
            raise
        return "EXIT", reason_of(error)[1]


def find(handlers: Handlers, wanted: Installed) -> Installed | None:
    """The newest handler that is designated as `wanted` is."""
    for one in handlers:
        if one.is_called(wanted.handler, wanted.id):
            return one
    return None


def _without(handlers: Handlers, gone: Installed) -> Handlers:
    return tuple(one for one in handlers if one is not gone)


def _initialised(new: Installed, args: Any) -> tuple[Installed | Refused, bool]:
    """The handler with the state of its init, and whether that wants to hibernate."""
    value = attempt(new.handler.module.init, args)
    match value:
        case ("ok", state) | ("ok", state, "hibernate") if type(value) is tuple:
            return replace(new, state=state), len(value) == 3
    return Refused(value), False


def add(handlers: Handlers, new: Installed, args: Any) -> After:
    """Initialise a handler and put it before all others.

    With a supervisor the manager is linked to it first; the link stays when the handler
    goes, because another handler may have the same supervisor (E2).
    """
    if new.supervisor is not None:
        link(new.supervisor)
    installed, sleepy = _initialised(new, args)
    if isinstance(installed, Refused):
        return After(handlers, installed)
    return After((installed, *handlers), None, sleepy)


def delete(handlers: Handlers, wanted: Installed, argument: Any) -> After:
    """Terminate a handler and remove it; what its terminate returned, or Refused."""
    one = find(handlers, wanted)
    if one is None:
        return After(handlers, Refused("module_not_found"))
    return After(_without(handlers, one), terminate(one, argument, "normal", "delete"))


def swap(handlers: Handlers, old: Installed, args1: Any, new: Installed, args2: Any) -> After:
    """Replace `old` by `new`, which is told what `old` returned when it was terminated (E3).

    `new` is added even if there is no `old`; its supervisor is the one it asks for, else
    the one `old` had.
    """
    one = find(handlers, old)
    if one is None:
        return add(handlers, new, (args2, "error"))
    heir = replace(new, supervisor=new.supervisor or one.supervisor)
    reason = ("swapped", new.designation, heir.supervisor)
    result = terminate(one, args1, reason, "swapped")
    return add(_without(handlers, one), heir, (args2, result))


def notify(handlers: Handlers, callback: str, message: Any) -> After:
    """Give `message` to every handler, the newest first, and keep those that stay (E1)."""
    sleepy = False
    kept: list[Installed] = []
    for one in handlers:
        left, wants = _handle(one, callback, message)
        sleepy = sleepy or wants
        if left is not None:
            kept.append(left)
    return After(tuple(kept), None, sleepy)


def _handle(one: Installed, callback: str, message: Any) -> tuple[Installed | None, bool]:
    """The handler that is in this place now, if any, and whether it wants to hibernate."""
    value = attempt(getattr(one.handler.module, callback), message, one.state)
    if type(value) is tuple:
        match value:
            case ("ok", state) | ("ok", state, "hibernate"):
                after = one if state is one.state else replace(one, state=state)
                return after, len(value) == 3
            case ("swap_handler", args1, state, new, args2):
                return _swap_in_place(replace(one, state=state), args1, new, args2)
    elif isinstance(value, str) and value == "remove_handler":
        terminate(one, "remove_handler", "normal", "remove")
        return None, False
    terminate(one, ("error", value), value, message)
    return None, False


def call(handlers: Handlers, wanted: Installed, request: Any) -> After:
    """Have one handler answer `request`; its reply, or Refused."""
    one = find(handlers, wanted)
    if one is None:
        return After(handlers, Refused("bad_module"))
    value = attempt(one.handler.module.handle_call, request, one.state)
    after: Installed | None
    if type(value) is tuple:
        match value:
            case ("ok", reply, state) | ("ok", reply, state, "hibernate"):
                after = replace(one, state=state)
                return After(_instead(handlers, one, after), reply, len(value) == 4)
            case ("remove_handler", reply):
                terminate(one, "remove_handler", "normal", "remove")
                return After(_without(handlers, one), reply)
            case ("swap_handler", reply, args1, state, new, args2):
                after, sleepy = _swap_in_place(replace(one, state=state), args1, new, args2)
                if after is None:
                    return After(_without(handlers, one), reply)
                return After(_instead(handlers, one, after), reply, sleepy)
    terminate(one, ("error", value), value, request)
    return After(_without(handlers, one), Refused(value))


def _instead(handlers: Handlers, old: Installed, new: Installed) -> Handlers:
    return tuple(new if one is old else one for one in handlers)


def _swap_in_place(
    old: Installed, args1: Any, designation: Any, args2: Any
) -> tuple[Installed | None, bool]:
    """The swap a handler asks for itself: the new one takes its place and its supervisor."""
    try:
        new = blank(designation, old.supervisor)
    except TypeError as error:
        value = "EXIT", reason_of(error)[1]
        terminate(old, ("error", value), value, "swapped")
        return None, False
    reason = ("swapped", new.designation, new.supervisor)
    result = terminate(old, args1, reason, "swapped")
    installed, sleepy = _initialised(new, (args2, result))
    if isinstance(installed, Refused):
        _tell(new, installed.reason, "swapped")
        return None, False
    return installed, sleepy


def exited(handlers: Handlers, pid: Pid, reason: Reason) -> After:
    """A linked process ended: its handlers go (E2), the others are told by handle_info."""
    for one in handlers:
        if one.supervisor is pid:
            terminate(one, ("stop", reason), "shutdown", ("parent_terminated", (pid, reason)))
    kept = tuple(one for one in handlers if one.supervisor is not pid)
    return notify(kept, "handle_info", ("EXIT", pid, reason))


def stop_all(handlers: Handlers) -> None:
    """The manager ends: every handler is terminated, the newest first."""
    for one in handlers:
        terminate(one, "stop", "shutdown", "stop")


def terminate(one: Installed, argument: Any, reason: Reason, message: Any) -> Any:
    """Run terminate of a handler that is being removed; what it returns.

    reason: "normal", "shutdown", ``("swapped", new, supervisor)``, or why it failed, which
    is reported. Its supervisor gets ``("gen_event_EXIT", handler, reason)`` (E2).
    """
    result = attempt(one.handler.module.terminate, argument, one.state)
    _tell(one, reason, message)
    return result


def _tell(one: Installed, reason: Reason, message: Any) -> None:
    swapped = type(reason) is tuple and len(reason) == 3 and reason[0] == "swapped"
    if not swapped and not (isinstance(reason, str) and reason in ("normal", "shutdown")):
        failed(one, reason, message)
    if one.supervisor is not None:
        send(one.supervisor, ("gen_event_EXIT", one.designation, reason))
