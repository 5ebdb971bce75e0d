"""Special processes: loops written by hand that obey system messages (OTP: sys, proc_lib).

A process that is no behaviour but `supervisors.receive` in a loop can be looked at, suspended,
upgraded and stopped like one. It says so once, with what answers for it; from then on system
messages come to its mailbox as ``("system", from_, request)``, in order with all others, and
it passes each on:

    >>> import supervisors
    >>> from supervisors import proc_lib, receive, send, sys
    >>> class Channels(sys.SpecialProcess):
    ...     def system_terminate(self, reason, free):
    ...         print("closing", len(free))
    >>> async def channels(free):
    ...     sys.special_process(Channels())
    ...     proc_lib.init_ack()
    ...     while True:
    ...         match await receive():
    ...             case ("system", _, request):
    ...                 free = await sys.handle_system_msg(request, free)
    ...             case ("alloc", asker):
    ...                 sys.handle_debug(("in", "alloc"))
    ...                 send(asker, free[0])
    ...                 free = free[1:]
    >>> async def main():
    ...     pid = await proc_lib.start(channels, [1, 2, 3], name="channels")
    ...     send("channels", ("alloc", supervisors.self()))
    ...     print(await receive(), await sys.get_state("channels"))
    ...     await sys.replace_state("channels", lambda free: [9, *free])
    ...     await sys.suspend("channels")
    ...     print((await sys.get_status("channels"))["status"])
    ...     await proc_lib.stop("channels")
    >>> supervisors.run(main)
    1 [2, 3]
    suspended
    closing 3

WHY no system_continue: in Erlang `handle_system_msg` never returns, it calls that back to go
on with the loop. A coroutine keeps its place, so here it returns the state to go on with.

The EXIT of its parent, if it traps exits, is a message that it has to end on by itself, as
in OTP; only while it is suspended does `handle_system_msg` see to that.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final

from .._cell import current_process
from .._errors import Exit, Reason, Throw, is_atom, unwinds
from .._gen_server.behaviour import Undefined
from .._gen_server.reporting import shown_status
from .._gen_server.system import loaded_class
from .._process import info
from .._task import TaskProcess
from .hooks import CallbackFailed, Event, SystemHooks, migrated

SYSTEM: Final = "system"
"""The first element of a system message, as a special process receives it."""


class SpecialProcess:
    """What `sys` asks of a special process; subclass and define what it needs."""

    status_details: ClassVar[tuple[str, ...]] = ()

    def system_get_state(self, state: Any) -> Any:
        """What `sys.get_state` answers."""
        return state

    def system_replace_state(self, fn: Callable[[Any], Any], state: Any) -> tuple[Any, Any]:
        """What `sys.replace_state` answers, and the new state."""
        new = fn(state)
        return new, new

    def system_code_change(self, old_vsn: Any, state: Any, extra: Any) -> Any:
        """``("ok", new_state)``: migrate the state of older code, for `sys.change_code`.

        Called on the new class. The loop itself is new code from the next function on that
        it looks up in its module. Without this the change fails.
        """
        raise Undefined(f"{type(self).__qualname__} has no system_code_change")

    def system_terminate(self, reason: Reason, state: Any) -> Any:
        """Clean up; the process ends with `reason` after it, or with what this raises.

        May be async.
        """

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Change what `sys.get_status` shows; keys stay the same (G18).

        status: a dict with the keys "state" and "log" (the events that `sys.log` keeps);
        "message" and "reason" are None.
        """
        return status


class SystemRequest:
    """What a system message asks for; to be given to `handle_system_msg`."""

    __slots__ = ("serve",)

    def __init__(self, serve: Callable[[], object]) -> None:
        self.serve = serve


class Special(SystemHooks):
    """The hooks of one special process: `state` is there while it handles a request."""

    __slots__ = ("ending", "module", "process", "serving", "state")

    behaviour = "special_process"

    def __init__(self, process: TaskProcess, module: SpecialProcess) -> None:
        self.process = process
        self.module = module
        self.state: Any = None
        self.serving = False
        self.ending: list[Reason] = []

    def callback_module(self) -> str:
        cls = type(self.module)
        return f"{cls.__module__}:{cls.__qualname__}"

    def get_state(self) -> Any:
        return _asked(self.module.system_get_state, self.state)

    def transform_state(self, fn: Callable[[Any], Any]) -> Any:
        answer, self.state = _asked(self.module.system_replace_state, fn, self.state)
        return answer

    def shown_status(self, log: list[Event]) -> dict[str, Any]:
        shown = shown_status(self.process, self.module, self.get_state(), None, None)
        del shown["message"], shown["reason"]
        return shown

    def change_code(self, module: Any, old_vsn: Any, extra: Any) -> None:
        new: SpecialProcess = loaded_class(type(self.module), module)()
        self.state = migrated(lambda: new.system_code_change(old_vsn, self.state, extra))
        self.module = new

    def post_system(self, process: TaskProcess, serve: Callable[[], None]) -> None:
        asker = current_process()
        message = (SYSTEM, None if asker is None else asker.pid, SystemRequest(serve))
        process.pid._post(info(message))

    def post_terminate(self, process: TaskProcess, reason: Reason) -> None:
        if self.serving:  # asked by a system message: nothing is handled between the two
            self.ending.append(reason)
        else:
            self.post_system(process, lambda: self.ending.append(reason))

    async def handle(self, request: SystemRequest, state: Any) -> Any:
        """Serve one request, and all that come until the process is resumed."""
        self.state = state
        self._serve(request)
        extras = self.process.extras
        while not self.ending and extras is not None and extras.suspended:
            match await self.process.receive(self._is_urgent, math.inf):
                case (str("EXIT"), _, reason):
                    self.ending.append(reason)
                case (_, _, request):
                    self._serve(request)
        state, self.state = self.state, None
        if not self.ending:
            return state
        reason = self.ending[0]
        try:
            value = self.module.system_terminate(reason, state)
            if isinstance(value, Awaitable):
                await value
        except Throw:
            pass  # a throw is a return (G3)
        raise Exit(reason)

    def _serve(self, request: SystemRequest) -> None:
        self.serving = True
        try:
            request.serve()
        finally:
            self.serving = False

    def _is_urgent(self, message: Any) -> bool:
        """What is looked at while suspended: system messages and the parent's EXIT (1.7)."""
        return self.process.is_parent_exit(message) or (
            type(message) is tuple
            and len(message) == 3
            and is_atom(message[0], SYSTEM)
            and type(message[2]) is SystemRequest
        )


def _asked(callback: Callable[..., Any], *args: Any) -> Any:
    """What a callback answers; its failure is the asker's, not the process's."""
    try:
        return callback(*args)
    except CallbackFailed:
        raise
    except BaseException as error:
        if unwinds(error):
            raise
        raise CallbackFailed(error) from None


def special_process(module: SpecialProcess) -> None:
    """Have system messages come to the calling process, a task process, from now on.

    module: answers for it; see the text of `supervisors._sys.special`. RuntimeError
    elsewhere than in a task process that is no behaviour.
    """
    process = current_process()
    if not isinstance(process, TaskProcess) or process.behaviour is not None:
        raise RuntimeError("special_process() is for a task process that is no behaviour")
    process.sys = Special(process, module)


async def handle_system_msg(request: SystemRequest, state: Any) -> Any:
    """Do what the system message ``("system", from_, request)`` asks for (OTP).

    state: that of the calling process; answered is the one to go on with. While the process
    is suspended this does not return. Ends the process when that is what is asked for.
    RuntimeError when the process has not called `special_process`.
    """
    process = current_process()
    hooks = process.sys if isinstance(process, TaskProcess) else None
    if not isinstance(hooks, Special):
        raise RuntimeError("handle_system_msg(): this process has not called special_process()")
    return await hooks.handle(request, state)


def handle_debug(event: Event) -> None:
    """Tell the debug options of the calling process, if any are on, what it does (OTP).

    event: ``("in", message)``, ``("out", reply, to, state)``, ``("noreply", state)`` or
    another of its own; see `supervisors._sys.hooks`.
    """
    process = current_process()
    if process is not None and process.extras is not None and process.extras.debug is not None:
        process.extras.debug(event)
