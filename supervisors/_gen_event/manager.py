"""The manager's process: a GenServer of plain callbacks whose state is its handlers.

It traps exits, so the end of a process that supervises a handler is a message to it; the
EXIT of its own parent ends it (G8). What is neither an event nor one of its own requests,
stray calls and casts included, goes to the handlers' `handle_info`, as in OTP.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._cell import current_process, current_runtime, require_process
from .._errors import Reason
from .._gen_server.behaviour import GenServer
from .._gen_server.calls import From
from .._signals import trap_exit, unlink
from . import handlers as rules
from .handlers import Handlers
from .reporting import shown


class EventManager(GenServer):
    """Started by `gen_event.start` and `gen_event.start_link`."""

    def init(self, linked: bool) -> Any:
        trap_exit()
        if not linked:
            # An unlinked manager is its own parent (OTP: gen, nolink): it must outlive its
            # starter even when that later supervises a handler, and so is linked to it.
            require_process("starting an event manager").parent = None
        return "ok", ()

    def handle_cast(self, request: Any, handlers: Handlers) -> Any:
        match request:
            case ("notify", event):
                return "noreply", rules.notify(handlers, "handle_event", event)
        return self.handle_info(("$gen_cast", request), handlers)

    def handle_call(self, request: Any, from_: From, handlers: Handlers) -> Any:
        answer: Any = None
        match request:
            case "which_handlers":
                answer = [one.designation for one in handlers]
            case ("sync_notify", event):
                handlers = rules.notify(handlers, "handle_event", event)
            case ("call", wanted, query):
                handlers, answer = rules.call(handlers, wanted, query)
            case ("add_handler", new, args):
                handlers, answer = rules.add(handlers, new, args)
            case ("delete_handler", wanted, argument):
                handlers, answer = rules.delete(handlers, wanted, argument)
            case ("swap_handler", old, args1, new, args2):
                handlers, answer = rules.swap(handlers, old, args1, new, args2)
            case _:
                return self.handle_info(("$gen_call", from_, request), handlers)
        return "reply", answer, handlers

    def handle_info(self, message: Any, handlers: Handlers) -> Any:
        match message:
            case ("EXIT", pid, reason):
                return "noreply", rules.exited(handlers, pid, reason)
        return "noreply", rules.notify(handlers, "handle_info", message)

    def terminate(self, reason: Reason, handlers: Handlers) -> None:
        """End the handlers; who supervises one is told so and not by an EXIT (E2)."""
        rules.stop_all(handlers)
        parent = require_process("stopping an event manager").parent
        for one in handlers:
            if one.supervisor is not None and one.supervisor is not parent:
                unlink(one.supervisor)

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        process = current_process()
        pid = None if process is None else process.pid
        reports = current_runtime().reports
        told = {"message": status["message"], "reason": status["reason"]}
        states = (
            shown(one.handler.module, {"state": one.state, **told}, reports, pid)["state"]
            for one in status["state"]
        )
        return {
            **status,
            "state": tuple(
                replace(one, state=state)
                for one, state in zip(status["state"], states, strict=True)
            ),
        }
