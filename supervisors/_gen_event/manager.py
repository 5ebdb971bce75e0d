"""The manager's process: a GenServer of plain callbacks whose state is its handlers.

It traps exits, so the end of a process that supervises a handler is a message to it; the
EXIT of its own parent ends it (G8). What is neither an event nor one of its own requests,
stray calls and casts included, goes to the handlers' `handle_info`, as in OTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .._cell import current_process, current_runtime, require_process
from .._errors import BadArg, Reason, unwinds
from .._gen_server.behaviour import GenServer
from .._gen_server.calls import From
from .._gen_server.system import loaded_class
from .._pid import Pid
from .._signals import trap_exit, unlink
from . import handlers as rules
from .behaviour import GenEvent
from .handlers import Handlers, Installed
from .reporting import shown


class EventManager(GenServer):
    """Started by `gen_event.start` and `gen_event.start_link`."""

    behaviour = "gen_event"
    has_parts = True

    def init(self) -> Any:
        trap_exit()
        return "ok", ()

    def handle_cast(self, request: Any, handlers: Handlers) -> Any:
        match request:
            case ("notify", event):
                return _goes_on(rules.notify(handlers, "handle_event", event))
        return self.handle_info(("$gen_cast", request), handlers)

    def handle_call(self, request: Any, from_: From, handlers: Handlers) -> Any:
        match request:
            case "which_handlers":
                after = rules.After(handlers, [one.designation for one in handlers])
            case ("sync_notify", event):
                after = rules.notify(handlers, "handle_event", event)
            case ("call", wanted, query):
                after = rules.call(handlers, wanted, query)
            case ("add_handler", new, args):
                after = rules.add(handlers, new, args)
            case ("delete_handler", wanted, argument):
                after = rules.delete(handlers, wanted, argument)
            case ("swap_handler", old, args1, new, args2):
                after = rules.swap(handlers, old, args1, new, args2)
            case _:
                return self.handle_info(("$gen_call", from_, request), handlers)
        if after.hibernate:
            return "reply", after.answer, after.handlers, "hibernate"
        return "reply", after.answer, after.handlers

    def handle_info(self, message: Any, handlers: Handlers) -> Any:
        match message:
            case (str("EXIT"), Pid() as pid, reason):
                return _goes_on(rules.exited(handlers, pid, reason))
        return _goes_on(rules.notify(handlers, "handle_info", message))

    def terminate(self, reason: Reason, handlers: Handlers) -> None:
        """End the handlers; who supervises one is told so and not by an EXIT (E2)."""
        rules.stop_all(handlers)
        parent = require_process("stopping an event manager").parent
        for one in handlers:
            if one.supervisor is not None and one.supervisor is not parent:
                unlink(one.supervisor)

    # --- supervisors.sys --------------------------------------------------------------

    def system_get_state(self, handlers: Handlers) -> list[tuple[type[GenEvent], Any, Any]]:
        """``(class, id, state)`` of every handler; id is None where it has none."""
        return [(one.handler, one.id, one.state) for one in handlers]

    def system_replace_state(
        self, fn: Callable[[Any], Any], handlers: Handlers
    ) -> tuple[list[Any], Handlers]:
        """``fn((class, id, state))`` is asked of each and answers the same with a new state.

        Where it raises, or answers anything else, the handler keeps its state (OTP).
        """
        replaced = tuple(_replaced(one, fn) for one in handlers)
        return self.system_get_state(replaced), replaced

    def system_parts_change(self, module: Any, old_vsn: Any, handlers: Handlers, extra: Any) -> Any:
        """Go over to the classes of handlers that are loaded now, migrating their states.

        ``sys.change_code(manager, handler, old_vsn, extra)`` reaches every handler of that
        class, whatever its id, and no other (OTP: system_code_change); the class may be the
        old one or, after a reload, the new one of its name. With a module, or its name, in
        its place it reaches the handlers whose classes are in there, with None all.

        `code_change` is called of a class that was named, of one that has it, and of one
        that was loaded anew; if one fails, or is not there where it is needed, all handlers
        stay what they were.
        """
        return "ok", tuple(_migrated(one, module, old_vsn, extra) for one in handlers)

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """The state as `system_get_state` has it, each as its handler wants it shown."""
        process = current_process()
        pid = None if process is None else process.pid
        reports = current_runtime().reports
        return {
            **status,
            "state": [
                (
                    handler,
                    id,
                    shown(handler.module, {**status, "state": own}, reports, pid)["state"],
                )
                for handler, id, own in self.system_get_state(status["state"])
            ],
        }


def _goes_on(after: rules.After) -> Any:
    if after.hibernate:
        return "noreply", after.handlers, "hibernate"
    return "noreply", after.handlers


def _replaced(one: Installed, fn: Callable[[Any], Any]) -> Installed:
    """The handler with the state `fn` gives it; as it was when `fn` raises (OTP: gen_event)."""
    try:
        handler, id, state = fn((one.handler, one.id, one.state))
    except BaseException as error:
        if unwinds(error):
            raise
        return one
    return replace(one, state=state) if (handler, id) == (one.handler, one.id) else one


def _migrated(one: Installed, module: Any, old_vsn: Any, extra: Any) -> Installed:
    loaded: type[GenEvent]
    if isinstance(module, type):
        if _name(module) != _name(one.handler):
            return one
        loaded = loaded_class(one.handler) if module is one.handler else module
    else:
        if module is not None and one.handler.__module__ != getattr(module, "__name__", module):
            return one
        loaded = loaded_class(one.handler)
        if loaded is one.handler and loaded.code_change is GenEvent.code_change:
            return one
    answer = loaded.module.code_change(old_vsn, one.state, extra)
    match answer:
        case ("ok", state):
            return replace(one, handler=loaded, state=state)
    raise BadArg(f"{one}: code_change must return ('ok', state), returned {answer!r}")


def _name(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__
