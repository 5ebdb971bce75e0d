"""The GenEvent behaviour: the class that event handlers are subclasses of.

An event manager is one process; what it does with events is up to the handlers that are
added to it and taken away again while it runs:

    >>> import supervisors
    >>> from supervisors import GenEvent, gen_event
    >>> class Tally(GenEvent):
    ...     def init(self, start):
    ...         return "ok", start
    ...     def handle_event(self, event, count):
    ...         return "ok", count + 1
    ...     def handle_call(self, request, count):
    ...         return "ok", count, count
    >>> async def main():
    ...     doors = await gen_event.start_link()
    ...     await gen_event.add_handler(doors, Tally, 40)
    ...     gen_event.notify(doors, "front door opened")
    ...     gen_event.notify(doors, "front door closed")
    ...     return await gen_event.call(doors, Tally, "how many?")
    >>> supervisors.run(main)
    42

Every event goes to every handler, the newest first. A handler that raises, or returns what
it must not, is removed and reported; the manager and the other handlers go on (rule E1).
That is why a logger, an alarm list or a metrics counter is an event handler: it cannot take
with it what it watches.

A handler is a class, or ``(class, id)`` where one class is installed several times. As with
GenServer the class is the callback module, and what a handler knows is the state its
callbacks return. Callbacks are plain functions: they run one after the other in the
manager's process, so one that waited would hold up all the others. A handler that has
to wait sends to a process of its own.

OTP: gen_event, rules E1-E3; `docs/events.md` is the chapter on it.
"""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Any, ClassVar

from .._cell import current_process, current_runtime
from .._errors import shown
from .._gen_server.behaviour import Undefined
from .._reports import WarningReport

CALLBACKS = ("init", "handle_event", "handle_call", "handle_info", "terminate", "code_change")


class GenEvent:
    """Subclass and define callbacks; see the module's text for an example.

    What `handle_event`, `handle_info` and (with the reply in second place) `handle_call`
    may return:

    - ``("ok", state)``: stay, with this state. A third element "hibernate" (in what `init`
      returns, too) has the manager hibernate until its next message as a GenServer does:
      it gives back its mailbox and caches, and `sys.get_status` says so. One of the handlers
      of an event asking for it is enough, as in OTP.
    - ``"remove_handler"``: be removed; ``terminate("remove_handler", state)`` is called.
    - ``("swap_handler", args1, state, new_handler, args2)``: be replaced, in the same
      place, as `gen_event.swap_handler` does it.
    """

    module: ClassVar[GenEvent]
    """The one instance the callbacks are called on."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for callback in CALLBACKS:
            if iscoroutinefunction(getattr(cls, callback, None)):
                raise TypeError(
                    f"{cls.__qualname__}.{callback} is async: an event handler shares the "
                    "manager's process and must not wait; write `def`, and send what takes "
                    "time to a process of its own"
                )
        cls.module = cls()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"{type(self).__qualname__}.{name} cannot be assigned: a handler keeps what it "
            "knows in the state its callbacks return, not on self"
        )

    def init(self, args: Any) -> Any:
        """``("ok", state)``; anything else means that the handler is not added.

        args: as given to `add_handler`. After a swap it is ``(args2, result)``, result
        being what `terminate` of the old handler returned, ``"error"`` when there was no
        such handler, or ``("EXIT", reason)`` when it raised (E3).
        """
        return "ok", args

    def handle_event(self, event: Any, state: Any) -> Any:
        """One event of `notify` or `sync_notify`."""
        raise Undefined(f"{type(self).__qualname__} has no handle_event for {event!r}")

    def handle_call(self, request: Any, state: Any) -> Any:
        """One request of `gen_event.call` to this handler.

        Answers ``("ok", reply, state)``, ``("remove_handler", reply)`` or
        ``("swap_handler", reply, args1, state, new_handler, args2)``.
        """
        raise Undefined(f"{type(self).__qualname__} has no handle_call for {request!r}")

    def handle_info(self, message: Any, state: Any) -> Any:
        """Any other message, the EXIT of a process linked to the manager among them."""
        process = current_process()
        current_runtime().reports.emit(
            WarningReport(
                None if process is None else process.pid,
                f"{type(self).__qualname__} has no handle_info; message dropped",
                {"message": shown(message)[:200]},
            )
        )
        return "ok", state

    def terminate(self, argument: Any, state: Any) -> Any:
        """Clean up before being removed; what it returns goes to `delete_handler` or a swap.

        argument: what was given to `delete_handler` or the swap; ``"stop"`` when the
        manager ends; ``("stop", reason)`` when the process that supervises the handler
        ended; ``"remove_handler"``; ``("error", ("EXIT", reason))`` after a raise,
        ``("error", value)`` after a bad return value.
        """

    def code_change(self, old_vsn: Any, state: Any, extra: Any) -> Any:
        """``("ok", new_state)``: migrate the state of older code, for `sys.change_code`.

        Without it the change fails when the class was loaded anew.
        """
        raise Undefined(f"{type(self).__qualname__} has no code_change")

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Change what reports and `sys.get_status` show; keys stay the same (G18).

        status: a dict with the keys "state", "message", "reason" and "log" (the events that
        `sys.log` keeps of the manager).
        """
        return status
