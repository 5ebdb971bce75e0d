"""The GenServer behaviour: the class that servers are subclasses of, and how one starts.

A server is a class with callbacks and a state that the callbacks are given and return:

    >>> import supervisors
    >>> from supervisors import GenServer, call, cast
    >>> class Counter(GenServer):
    ...     def init(self, start):
    ...         return "ok", start
    ...     def handle_call(self, request, from_, count):
    ...         return "reply", count, count
    ...     def handle_cast(self, request, count):
    ...         return "noreply", count + request
    >>> async def main():
    ...     counter = await Counter.start_link(40)
    ...     cast(counter, 2)
    ...     return await call(counter, "value")
    >>> supervisors.run(main)
    42

Plain ``def`` callbacks make a callback process: no trio task, entered directly by callers.
If any callback is ``async def`` the server is a task process: its callbacks may wait,
every call to it goes through its mailbox. The class is the callback module: all processes
of it share one instance, which cannot be assigned to; what a server knows is the state its
callbacks return, where a crash, `sys.get_state` and a code change find it. Callbacks return what OTP's return, as tuples
(rules G1, G4); timeouts are seconds. Raising `Throw` is the same as returning (G3).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, ClassVar

from .._cell import current_process, current_runtime
from .._errors import Reason, shown
from .._names import Name
from .._pid import Pid, Ref
from .._proc_lib import start_monitored
from .._process import Process
from .._reports import WarningReport
from .._supervisor.spec import ChildSpec, Restart, Shutdown
from .starting import start_plain
from .task import start_task

if TYPE_CHECKING:
    from .calls import From

CALLBACKS = (
    "init",
    "handle_call",
    "handle_cast",
    "handle_info",
    "handle_continue",
    "terminate",
)
PLAIN_ONLY = ("code_change", "format_status")


class Undefined(Exception):
    """A callback was needed that the server does not have: Erlang's undef (rule G11)."""


class GenServer:
    """Subclass and define callbacks; see the module's text for an example."""

    is_plain: ClassVar[bool] = True
    """Whether all callbacks are plain functions; set for every subclass."""
    module: ClassVar[GenServer]
    """The one instance the callbacks are called on."""
    behaviour: ClassVar[str] = "gen_server"
    """What `sys.get_status` says the process is."""
    has_parts: ClassVar[bool] = False
    """Whether what `sys.change_code` names is not this class but others, kept in the state."""
    status_details: ClassVar[tuple[str, ...]] = ()
    """What `format_status` of a behaviour built on this one adds to the keys it was given."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for callback in PLAIN_ONLY:
            if iscoroutinefunction(getattr(cls, callback, None)):
                raise TypeError(
                    f"{cls.__qualname__}.{callback} must be a plain function: it runs between "
                    "two messages and cannot wait"
                )
        cls.is_plain = not any(iscoroutinefunction(getattr(cls, c, None)) for c in CALLBACKS)
        cls.module = cls()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"{type(self).__qualname__}.{name} cannot be assigned: a server keeps what it "
            "knows in the state its callbacks return, not on self"
        )

    # --- callbacks --------------------------------------------------------------------

    def init(self, *args: Any) -> Any:
        """``("ok", state[, option])``, ``("stop", reason)``, ``("error", reason)`` or
        ``"ignore"``; option: timeout in seconds, "hibernate", ("continue", term) (G1).
        """
        return "ok", None

    def handle_call(self, request: Any, from_: From, state: Any) -> Any:
        """``("reply", reply, state[, option])``, ``("noreply", state[, option])``,
        ``("stop", reason, reply, state)`` or ``("stop", reason, state)`` (G4).
        """
        raise Undefined(f"{type(self).__qualname__} has no handle_call for {request!r}")

    def handle_cast(self, request: Any, state: Any) -> Any:
        """``("noreply", state[, option])`` or ``("stop", reason, state)``."""
        raise Undefined(f"{type(self).__qualname__} has no handle_cast for {request!r}")

    def handle_info(self, message: Any, state: Any) -> Any:
        """As handle_cast, for every other message. A timeout arrives as ``"timeout"``."""
        runtime = current_runtime()
        process = self._process()
        runtime.reports.emit(
            WarningReport(
                process,
                f"{type(self).__qualname__} has no handle_info; message dropped",
                {"message": shown(message)[:200]},
            )
        )
        return "noreply", state

    def handle_continue(self, term: Any, state: Any) -> Any:
        """As handle_cast, right after the callback that asked for it (G6)."""
        raise Undefined(f"{type(self).__qualname__} has no handle_continue for {term!r}")

    def terminate(self, reason: Reason, state: Any) -> Any:
        """Clean up; called as rule G9 says, its value is ignored."""

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Change what reports and `sys.get_status` show; keys stay the same (G18).

        status: a dict with the keys "state", "message", "reason" and "log" (the events that
        `sys.log` keeps).
        """
        return status

    def code_change(self, old_vsn: Any, state: Any, extra: Any) -> Any:
        """``("ok", new_state)`` or ``("error", reason)``: migrate the state of older code.

        Called on the new class by `sys.change_code`; old_vsn, extra: as given there. A
        plain function in every server. Without it the change fails (G11).
        """
        raise Undefined(f"{type(self).__qualname__} has no code_change")

    # --- for behaviours built on this one (OTP: special processes) -----------------------

    def system_get_state(self, state: Any) -> Any:
        """What `sys.get_state` answers."""
        return state

    def system_replace_state(self, fn: Callable[[Any], Any], state: Any) -> tuple[Any, Any]:
        """What `sys.replace_state` answers, and the new state."""
        new = fn(state)
        return new, new

    def system_code_change(self, old_vsn: Any, state: Any, extra: Any) -> Any:
        """The `code_change` of what the behaviour keeps in its state."""
        return self.code_change(old_vsn, state, extra)

    def system_parts_change(self, module: Any, old_vsn: Any, state: Any, extra: Any) -> Any:
        """The `system_code_change` of a behaviour that `has_parts`; module: as in sys.change_code."""
        raise AssertionError("only a behaviour that has parts is asked")

    @staticmethod
    def _process() -> Pid | None:
        process = current_process()
        return None if process is None else process.pid

    # --- starting ---------------------------------------------------------------------

    @classmethod
    def start(
        cls,
        *args: Any,
        name: Name | None = None,
        timeout: float = math.inf,
        hibernate_after: float | None = None,
    ) -> Awaitable[Pid]:
        """Start the server unlinked; await it for the pid.

        args: given to `init`. name: registered before init runs. timeout: seconds that an
        async init may take; past it the process is killed. hibernate_after: seconds without
        a message after which the server hibernates (G17): it gives back its mailbox and
        caches, and `sys.get_status` says so. Its calls always go through its mailbox.
        Raises StartError with init's reason, ``("already_started", pid)`` or "timeout";
        Ignore when init said so. The process is gone by then, its name free (G1, G2).
        """
        if cls.is_plain:
            return start_plain(cls, args, name, link=False, hibernate_after=hibernate_after)
        return start_task(cls, args, name, timeout, link=False, hibernate_after=hibernate_after)

    @classmethod
    def start_link(
        cls,
        *args: Any,
        name: Name | None = None,
        timeout: float = math.inf,
        hibernate_after: float | None = None,
    ) -> Awaitable[Pid]:
        """As `start`, linked to the calling process, which becomes the parent.

        When init fails, a caller that traps exits only gets the StartError; any other
        dies with the server, unless the reason is "normal" (OTP 26, section 1.2).
        """
        if cls.is_plain:
            return start_plain(cls, args, name, link=True, hibernate_after=hibernate_after)
        return start_task(cls, args, name, timeout, link=True, hibernate_after=hibernate_after)

    @classmethod
    def start_monitor(
        cls,
        *args: Any,
        name: Name | None = None,
        timeout: float = math.inf,
        hibernate_after: float | None = None,
    ) -> Awaitable[tuple[Pid, Ref]]:
        """As `start`, monitored by the calling process: the pid and the reference.

        Atomic: however soon the server ends, its DOWN has the reason. A start that fails
        leaves no DOWN behind.
        """

        def start(prepare: Callable[[Process], object]) -> Awaitable[Pid]:
            if cls.is_plain:
                return start_plain(
                    cls, args, name, link=False, hibernate_after=hibernate_after, prepare=prepare
                )
            return start_task(
                cls,
                args,
                name,
                timeout,
                link=False,
                hibernate_after=hibernate_after,
                prepare=prepare,
            )

        return start_monitored(start)

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
        """This server as a child of a supervisor; id defaults to the name, else the class."""
        start = cls.start_link if name is None else partial(cls.start_link, name=name)
        return ChildSpec(
            id=id if id is not None else name or cls.__qualname__,
            start=(start, args),
            restart=restart,
            shutdown=shutdown,
            significant=significant,
            modules=(cls.__module__,),
        )
