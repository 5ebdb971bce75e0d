"""The GenStateMachine behaviour: servers whose answer depends on the state they are in.

A machine has a state and data. Each event goes to the callback of the present state, which
says what state comes next and what is to be done on the way:

    >>> import supervisors
    >>> from supervisors import GenStateMachine, gen_statem
    >>> class Door(GenStateMachine):
    ...     def callback_mode(self):
    ...         return ["state_functions", "state_enter"]
    ...     def init(self, code):
    ...         return "ok", "locked", {"code": code, "visits": 0}
    ...     def locked(self, type, content, data):
    ...         match type, content:
    ...             case "enter", _:
    ...                 return "keep_state", data
    ...             case ("call", from_), ("unlock", code) if code == data["code"]:
    ...                 return "next_state", "open", data, [("reply", from_, "welcome")]
    ...             case ("call", from_), ("unlock", _):
    ...                 return "keep_state_and_data", [("reply", from_, "wrong code")]
    ...             case ("call", _), "walk through":
    ...                 return "keep_state_and_data", "postpone"
    ...     def open(self, type, content, data):
    ...         match type, content:
    ...             case "enter", "locked":
    ...                 return "keep_state_and_data", [("state_timeout", 10, "lock")]
    ...             case "state_timeout", "lock":
    ...                 return "next_state", "locked", data
    ...             case ("call", from_), "walk through":
    ...                 data = {**data, "visits": data["visits"] + 1}
    ...                 return "keep_state", data, [("reply", from_, data["visits"])]
    >>> async def main():
    ...     door = await Door.start_link(1234)
    ...     early = gen_statem.send_request(door, "walk through")  # kept until it is open
    ...     print(await gen_statem.call(door, ("unlock", 1)))
    ...     print(await gen_statem.call(door, ("unlock", 1234)))
    ...     print(await supervisors.receive(lambda m: m[1] is early) == ("$reply", early, 1))
    ...     return await gen_statem.call(door, "walk through")
    >>> supervisors.run(main)
    wrong code
    welcome
    True
    2

**Callback mode.** With "state_functions" a state is a string, the name of the method that
handles its events: ``state(type, content, data)``. With "handle_event_function" a state is
any value and one method handles all: ``handle_event(type, content, state, data)``. With
"state_enter" beside either, a change of state also calls the new state's callback with the
type "enter" and the old state as content (T4).

**Events** have a type: ``("call", from_)``, "cast", "info" for any other message,
"timeout", "state_timeout" and ``("timeout", name)`` for the time-outs, and "internal" for
what the machine inserts itself.

**Returns and actions** are those of OTP, as tuples; `returns` and `actions` list them. The
order of what follows from them is rule T1: replies, enter call, postponed events if the
state changed, inserted events first of all, time-outs; one of 0 seconds comes when no
event is queued, before anything that is yet to be received.

Plain callbacks make a callback process, entered directly by callers, as `GenServer` says;
if any method is ``async def`` the machine is a task process and its callbacks may wait.
A machine that keeps inserting events for itself keeps everybody waiting: a plain one until
it ends, an async one until it waits.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, ClassVar, cast

from .._errors import Reason
from .._gen_server.behaviour import GenServer, Undefined
from .._gen_server.starting import start_plain
from .._gen_server.task import start_task
from .._names import Name
from .._pid import Pid, Ref
from .._proc_lib import start_monitored
from .._process import Process
from .._supervisor.spec import ChildSpec, Restart, Shutdown
from .machine import AsyncMachine, PlainMachine, server_of


class GenStateMachine:
    """Subclass and define callbacks; see the module's text for an example."""

    is_plain: ClassVar[bool] = True
    """Whether all callbacks are plain functions; set for every subclass."""
    instance: ClassVar[GenStateMachine]
    """The one instance the callbacks are called on."""
    module: ClassVar[GenServer]
    """The server that its processes run."""
    functions: ClassVar[dict[Any, Any]]
    """The callback of each state, as far as they were needed."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.is_plain = not any(
            iscoroutinefunction(member)
            for base in cls.__mro__
            if base not in GenStateMachine.__mro__
            for member in vars(base).values()
        )
        cls.functions = {}
        cls.instance = cls()
        cls.module = server_of(cls, PlainMachine if cls.is_plain else AsyncMachine)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"{type(self).__qualname__}.{name} cannot be assigned: a machine keeps what it "
            "knows in the data its callbacks return, not on self"
        )

    # --- callbacks --------------------------------------------------------------------

    def callback_mode(self) -> Any:
        """Either "state_functions" or "handle_event_function"; in a list with "state_enter" for
        enter calls.
        """
        raise Undefined(f"{type(self).__qualname__} has no callback_mode")

    def init(self, *args: Any) -> Any:
        """``("ok", state, data[, actions])``, ``("stop", reason)``, ``("error", reason)`` or
        "ignore".
        """
        raise Undefined(f"{type(self).__qualname__} has no init")

    def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
        """Handle an event in "handle_event_function" mode; see `returns` for its value."""
        raise Undefined(f"{self.__class__.__qualname__} has no handle_event")

    def terminate(self, reason: Reason, state: Any, data: Any) -> Any:
        """Clean up; called as rule G9 says, its value is ignored."""

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Change what reports and `sys.get_status` show; keys stay the same (G18).

        status: a dict with the keys "state" and "data"; "queue" (events not handled yet,
        that in the middle of which it failed first), "postponed" (both of pairs ``(type,
        content)``) and "timeouts" (pairs ``(name, content)``); "message" (the last one
        received), "reason" and "log" (the events that `sys.log` keeps).
        """
        return status

    # --- starting ---------------------------------------------------------------------

    @classmethod
    def start(
        cls,
        *args: Any,
        name: Name | None = None,
        timeout: float = math.inf,
        hibernate_after: float | None = None,
    ) -> Awaitable[Pid]:
        """Start the machine unlinked; await it for the pid.

        Arguments and errors as `GenServer.start`. The first enter call and the actions of
        init come after the acknowledgement: what fails there ends a machine that was started.
        """
        return cls._start(args, name, timeout, hibernate_after, link=False)

    @classmethod
    def start_link(
        cls,
        *args: Any,
        name: Name | None = None,
        timeout: float = math.inf,
        hibernate_after: float | None = None,
    ) -> Awaitable[Pid]:
        """As `start`, linked to the calling process, which becomes the parent."""
        return cls._start(args, name, timeout, hibernate_after, link=True)

    @classmethod
    def start_monitor(
        cls,
        *args: Any,
        name: Name | None = None,
        timeout: float = math.inf,
        hibernate_after: float | None = None,
    ) -> Awaitable[tuple[Pid, Ref]]:
        """As `start`, monitored by the calling process; see `GenServer.start_monitor`."""
        return start_monitored(
            lambda prepare: cls._start(
                args, name, timeout, hibernate_after, link=False, prepare=prepare
            )
        )

    @classmethod
    def _start(
        cls,
        args: tuple[Any, ...],
        name: Name | None,
        timeout: float,
        hibernate_after: float | None,
        *,
        link: bool,
        prepare: Callable[[Process], object] | None = None,
    ) -> Awaitable[Pid]:
        server = cast("type[GenServer]", cls)  # it has what is needed: a module and its names
        if cls.is_plain:
            return start_plain(
                server, args, name, link=link, hibernate_after=hibernate_after, prepare=prepare
            )
        return start_task(
            server,
            args,
            name,
            timeout,
            link=link,
            hibernate_after=hibernate_after,
            prepare=prepare,
        )

    @classmethod
    def child_spec(
        cls,
        *args: Any,
        id: Any = None,
        name: Name | None = None,
        restart: Restart = "permanent",
        shutdown: Shutdown = 5.0,
        significant: bool = False,
    ) -> ChildSpec:
        """This machine as a child of a supervisor; id defaults to the name, else the class."""
        start = cls.start_link if name is None else partial(cls.start_link, name=name)
        return ChildSpec(
            id=id if id is not None else name or cls.__qualname__,
            start=(start, args),
            restart=restart,
            shutdown=shutdown,
            significant=significant,
            modules=(cls.__module__,),
        )
