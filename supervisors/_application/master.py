"""The application master: the process that owns one running application (A2, A3).

It runs the callbacks, is the parent of the top process, and by being an ancestor of all the
application's processes is what marks them. It ends when the application is over and
nothing is left of it; its exit reason tells the controller how it went.
"""

from __future__ import annotations

from inspect import isawaitable
from typing import Any, Final

import trio

from .._cell import require_process
from .._errors import Finished, Ignore, Reason, StartError, reason_of, unwinds
from .._gen_server.calls import cast
from .._pid import Pid
from .._reports import WarningReport
from .._signals import exit_signal, link, set_label, trap_exit
from .._signals import self as self_
from .._task import receive
from .behaviour import Application, StartType, is_library
from .belonging import end_all

STOP: Final = "$stop_application"
"""The message that asks a master to stop its application."""


async def _done(value: Any) -> Any:
    """The value of a callback, whether it was async or not."""
    return await value if isawaitable(value) else value


class Master:
    """One running application."""

    __slots__ = ("app", "controller", "runtime", "state", "top")

    def __init__(self, app: Application, controller: Pid) -> None:
        self.app = app
        self.controller = controller
        self.runtime = require_process("an application master").runtime
        self.top: Pid | None = None
        self.state: Any = None

    async def run(self, type: StartType) -> None:
        trap_exit()
        set_label(f"application {self.app.name}")
        try:
            await self._start(type)
            await self._start_phases(type)
        except StartError as refused:
            await self._end(refused.reason, callbacks=False)
        cast(self.controller, ("started", self.app.name, self_()))
        while True:
            match await receive():
                case (str("EXIT"), pid, reason) if pid is self.top:
                    self.top = None
                    await self._end(reason)
                case (str("EXIT"), pid, reason) if pid is self.controller:
                    # A runtime that closes kills both: then this is where the master ends.
                    await trio.lowlevel.checkpoint()
                    await self._end(reason)
                case str(message) if message == STOP:
                    await self._end("normal")

    # --- start ------------------------------------------------------------------------

    async def _start(self, type: StartType) -> None:
        app = self.app
        if is_library(app):
            return
        call = (_name(app), "start", (type, app.args))
        try:
            returned = await _done(app.start(type, app.args))
        except StartError as refused:
            raise StartError((refused.reason, call)) from None
        except Ignore:
            returned = "ignore"
        except BaseException as error:
            if unwinds(error):
                raise
            raise StartError(("bad_return", (call, ("EXIT", reason_of(error)[1])))) from None
        match returned:
            case Pid():
                self.top = returned
            case (Pid() as top, state):
                self.top, self.state = top, state
            case _:
                raise StartError(("bad_return", (call, returned)))
        link(self.top)

    async def _start_phases(self, type: StartType) -> None:
        app = self.app
        for phase, args in app.start_phases:
            call = (_name(app), "start_phase", (phase, type, args))
            try:
                returned = await _done(app.start_phase(phase, type, args))
            except StartError as refused:
                raise StartError((refused.reason, call)) from None
            except BaseException as error:
                if unwinds(error):
                    raise
                why = ("EXIT", reason_of(error)[1])
                raise StartError(("bad_return_value", (call, why))) from None
            if returned not in (None, "ok"):
                raise StartError(("bad_return_value", (call, returned)))

    # --- stop -------------------------------------------------------------------------

    async def _end(self, reason: Reason, *, callbacks: bool = True) -> None:
        """prep_stop, the tree, stop, and whatever is left; then this process (A3).

        The callbacks also run when the tree has ended by itself, as in OTP (S21); after a
        failed start they do not.
        """
        if callbacks:
            self.state = await self._guarded("prep_stop", self.state)
        if self.top is not None:
            exit_signal(self.top, "shutdown")
            await receive(self._is_end_of_top)
        if callbacks:
            await self._guarded("stop", None)
        await end_all(self.runtime, self_())
        raise Finished(reason)

    def _is_end_of_top(self, message: Any) -> bool:
        return type(message) is tuple and message[:2] == ("EXIT", self.top)

    async def _guarded(self, callback: str, otherwise: Any) -> Any:
        """Call it with the state; when it raises that is reported and nothing more."""
        try:
            return await _done(getattr(self.app, callback)(self.state))
        except BaseException as error:
            if unwinds(error):
                raise
            self.runtime.reports.emit(
                WarningReport(
                    self_(),
                    f"{callback} of application {self.app.name} raised; it is stopped all the same",
                    {"reason": reason_of(error)[1]},
                )
            )
            return otherwise


def _name(app: Application) -> str:
    return type(app).__qualname__


async def serve(app: Application, type: StartType, controller: Pid) -> None:
    """The life of a master process."""
    await Master(app, controller).run(type)
