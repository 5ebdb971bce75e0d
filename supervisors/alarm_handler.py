"""Alarms: what is wrong right now, in one list (OTP: alarm_handler, SEMANTICS 1.10).

An alarm is ``(id, description)``. Whoever notices a state that somebody should do something
about sets one, and clears it when the state is over; whoever wants to know asks.

    >>> import supervisors
    >>> from supervisors import alarm_handler
    >>> async def main():
    ...     await alarm_handler.start_link()
    ...     alarm_handler.set_alarm(("upstream_down", "weather.example"))
    ...     alarm_handler.set_alarm((("queue_full", "orders"), 10_000))
    ...     alarm_handler.clear_alarm("upstream_down")
    ...     return await alarm_handler.get_alarms()
    >>> supervisors.run(main)
    [(('queue_full', 'orders'), 10000)]

The same id may be set more than once: then it is in the list more than once, and each
`clear_alarm` takes away the latest (S39).

The list is kept by a handler of an event manager that is registered as "alarm_handler".
The default one, `AlarmHandler`, also emits an AlarmReport for every change. Another can be
added beside it, to page people for example, or take its place and its list:

    ``gen_event.swap_handler("alarm_handler", (AlarmHandler, "swap"), (Mine, args))``

calls ``Mine.init((args, ("alarm_handler", alarms)))``. From then on `get_alarms`, which
asks the default handler, raises HandlerError("bad_module").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from . import gen_event
from ._cell import current_runtime
from ._gen_event.behaviour import GenEvent
from ._pid import Pid
from ._reports import Report
from ._signals import self as own_pid
from ._supervisor.spec import ChildSpec, Restart, Shutdown

Alarm = tuple[Any, Any]
"""``(id, description)``, both any value; alarms are told apart by their ids."""

NAME = "alarm_handler"


@dataclass(frozen=True, slots=True)
class AlarmReport(Report):
    """An alarm was set, or cleared (then description is None, as nobody said it)."""

    change: Literal["set", "clear"]
    alarm_id: Any
    description: Any = None

    def __str__(self) -> str:
        if self.change == "clear":
            return f"alarm cleared: {self.alarm_id!r}"
        return f"alarm set: {self.alarm_id!r} {self.description!r}"


class AlarmHandler(GenEvent):
    """The default handler: its state is the list of alarms, latest first."""

    def init(self, args: Any) -> Any:
        """An empty list, or after a swap the one of the handler before."""
        match args:
            case (_, ("alarm_handler", [*alarms])):
                return "ok", alarms
        return "ok", []

    def handle_event(self, event: Any, alarms: list[Alarm]) -> Any:
        """Other events than set_alarm and clear_alarm are ignored."""
        match event:
            case (str("set_alarm"), (id, description)):
                _report("set", id, description)
                return "ok", [(id, description), *alarms]
            case (str("clear_alarm"), id):
                _report("clear", id)
                return "ok", _without_latest(id, alarms)
        return "ok", alarms

    def handle_call(self, request: Any, alarms: list[Alarm]) -> Any:
        """``"get_alarms"``: the list; anything else: ``("error", "bad_query")``."""
        if request == "get_alarms":
            return "ok", list(alarms), alarms
        return "ok", ("error", "bad_query"), alarms

    def handle_info(self, message: Any, alarms: list[Alarm]) -> Any:
        """Messages are ignored."""
        return "ok", alarms

    def terminate(self, argument: Any, alarms: list[Alarm]) -> Any:
        """Hand over ``("alarm_handler", alarms)`` when the argument of a swap is "swap"."""
        return ("alarm_handler", alarms) if argument == "swap" else None


def _report(change: Literal["set", "clear"], id: Any, description: Any = None) -> None:
    current_runtime().reports.emit(AlarmReport(own_pid(), change, id, description))


def _without_latest(id: Any, alarms: list[Alarm]) -> list[Alarm]:
    for place, alarm in enumerate(alarms):
        if alarm[0] == id:
            return alarms[:place] + alarms[place + 1 :]
    return alarms


async def start_link() -> Pid:
    """Start the manager under its name, with the default handler.

    Raises StartError ``("already_started", pid)`` when it runs already.
    """
    pid = await gen_event.start_link(name=NAME)
    await gen_event.add_handler(pid, AlarmHandler)
    return pid


def child_spec(*, restart: Restart = "permanent", shutdown: Shutdown = 5.0) -> ChildSpec:
    """The alarm handler as a child of a supervisor.

    A restarted one has an empty list. Put it before the processes that set alarms and
    under ``rest_for_one``, so that they start again with it and find out anew.
    """
    return ChildSpec(
        id=NAME,
        start=(start_link, ()),
        restart=restart,
        shutdown=shutdown,
        modules=(f"{AlarmHandler.__module__}.{AlarmHandler.__qualname__}",),
    )


def set_alarm(alarm: Alarm) -> None:
    """Set an alarm, and go on at once. BadArg when no alarm handler runs.

    Raises TypeError when `alarm` is not ``(id, description)``.
    """
    if type(alarm) is not tuple or len(alarm) != 2:
        raise TypeError(f"set_alarm() needs (id, description), not {alarm!r}")
    gen_event.notify(NAME, ("set_alarm", alarm))


def clear_alarm(alarm_id: Any) -> None:
    """Clear the latest alarm with this id, and go on at once. BadArg as `set_alarm`."""
    gen_event.notify(NAME, ("clear_alarm", alarm_id))


async def get_alarms() -> list[Alarm]:
    """The alarms that are set, latest first.

    Raises HandlerError("bad_module") when the default handler was replaced, and CallExit
    "noproc" when no alarm handler runs.
    """
    alarms: list[Alarm] = await gen_event.call(NAME, AlarmHandler, "get_alarms")
    return alarms


async def add_alarm_handler(handler: gen_event.Handler, args: Any = None) -> None:
    """Add a handler beside those that are there; it sees ``("set_alarm", (id, description))``
    and ``("clear_alarm", id)``. Raises HandlerError as `gen_event.add_handler`.
    """
    await gen_event.add_handler(NAME, handler, args)


async def delete_alarm_handler(handler: gen_event.Handler) -> Any:
    """Remove a handler; HandlerError as `gen_event.delete_handler`."""
    return await gen_event.delete_handler(NAME, handler)


__all__ = [
    "Alarm",
    "AlarmHandler",
    "AlarmReport",
    "add_alarm_handler",
    "child_spec",
    "clear_alarm",
    "delete_alarm_handler",
    "get_alarms",
    "set_alarm",
    "start_link",
]
