"""GenServer with async callbacks: a task process that takes one message at a time.

The same rules as `plain`, read by the same `outcome`; only the callbacks may wait, so the
server has a task of its own. A call to one at rest is started by its caller all the same
(`enter_call`); everything else goes through the mailbox. A kill cancels the callback at
its next checkpoint (terminate is not called then, G9).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NoReturn

import trio
from outcome import Error, Value

from .. import _proc_lib
from .._borrow import first_step, resume
from .._cell import cell, task_process
from .._errors import Finished, Reason, Throw, is_atom, is_normal, reason_of, unwinds
from .._mailbox import Borrowed, Settled, Terminate
from .._names import Name
from .._pid import Pid
from .._process import crash_report
from .._sys.debug import debug_of
from .._sys.hooks import Event
from .._task import TaskProcess
from . import outcome
from .calls import NO_REPLY, From, reply
from .outcome import STARTED
from .reporting import error_report, reported
from .system import ServerHooks

if TYPE_CHECKING:
    from .._process import Process
    from .behaviour import GenServer


async def _done(value: Any) -> Any:
    """The value of a callback, whether it was async or not."""
    return await value if type(value) is CoroutineType else value


class TaskServer(ServerHooks):
    """The loop of one server, and what `sys` may ask of it."""

    __slots__ = ("hibernate_after", "hibernating", "module", "process", "state", "timeout")

    def __init__(
        self, process: TaskProcess, module: GenServer, hibernate_after: float | None = None
    ) -> None:
        self.process = process
        self.module = module
        self.state: Any = None
        self.timeout = math.inf
        self.hibernate_after = hibernate_after
        self.hibernating = False

    def record(self) -> Process:
        return self.process

    def run_module(self, module: GenServer) -> None:
        self.module = module

    def replace_state(self, state: Any) -> None:
        self.state = state

    def is_hibernating(self) -> bool:
        return self.hibernating

    # --- direct dispatch (`_borrow`) ----------------------------------------------------

    def enter_call(self, request: Any, from_: From) -> Any:
        """Start `handle_call` on the caller's stack, as this process, which is at rest.

        Answers the reply, or NO_REPLY when the callback waits, gave none, or asked for
        more than the next message; then the server's own task goes on with it.
        """
        process = self.process
        task = process.lend()
        self.hibernating = False
        settled: Settled | None = None
        coro: Any = None
        value: Any = None
        cell.depth += 1
        try:
            coro = task.context.run(self.module.handle_call, request, from_, self.state)
            if type(coro) is not CoroutineType:
                value = coro
            else:
                # Set first: while it waits, whoever wakes the task wakes the callback.
                process.borrowed = Borrowed(coro, request, from_)
                first_step(task, coro)
                return NO_REPLY
        except StopIteration as done:
            process.borrowed = None
            if coro is None:  # not the end of a coroutine: a plain callback raised it
                settled = Settled(Error(done), request, from_)
            else:
                value = done.value
        except BaseException as error:
            process.borrowed = None
            settled = Settled(Error(error), request, from_)
        finally:
            cell.depth -= 1
        if settled is None:
            if type(value) is tuple:
                if len(value) == 3 and value[0] == "reply":
                    self.state = value[2]
                    process.rest(task)
                    return value[1]
                if len(value) == 2 and value[0] == "noreply":
                    self.state = value[1]
                    process.rest(task)
                    return NO_REPLY
            settled = Settled(Value(value), request, from_)
        process.mailbox.appendleft(settled)
        process.rest(task)
        return NO_REPLY

    def enter_request(self, request: Any, from_: From) -> None:
        """As `enter_call`, for a request whose answer goes to a mailbox."""
        value = self.enter_call(request, from_)
        if value is not NO_REPLY:
            reply(from_, value)

    def _debug(self, event: Event) -> None:
        if self.process.extras is not None and self.process.extras.debug is not None:
            self.process.extras.debug(event)

    # --- life -------------------------------------------------------------------------

    async def run(self, args: tuple[Any, ...]) -> NoReturn:
        await self._init(args)
        await self.serve()

    async def serve(self) -> NoReturn:
        """Take one message after the other until one ends the server."""
        self.process.sys = self
        if self.hibernate_after is None:  # else every message has to pass `_next`
            self.process.server = self
        while True:
            message = await self._next()
            debug = None if self.process.extras is None else debug_of(self.process)
            if debug is not None and type(message) not in (Terminate, Borrowed, Settled):
                debug(("in", message))
            await self._handle(message)

    async def _next(self) -> Any:
        """The next message; "timeout" when a gen_server timeout comes first (G7, G17)."""
        process = self.process
        timeout, self.timeout = self.timeout, math.inf
        after = self.hibernate_after
        try:
            if timeout == math.inf and after is not None and not self.hibernating:
                try:
                    return await process.next_message(after)
                except trio.TooSlowError:
                    self._hibernate()
            return await process.next_message(timeout)
        except trio.TooSlowError:
            return "timeout"
        finally:
            self.hibernating = False

    def _hibernate(self) -> None:
        """Put away what can be made again, until the next message (G17)."""
        self.hibernating = True
        if self.process.extras is not None:
            self.process.extras.children_ancestors = None

    async def enter(self, state: Any, option: Any) -> NoReturn:
        """Serve from a state that was made elsewhere (`enter_loop`)."""
        await self._conclude(outcome.Next(state, option), STARTED, None)
        await self.serve()

    async def _init(self, args: tuple[Any, ...]) -> None:
        try:
            started = outcome.read_init(await _done(self.module.init(*args)))
        except Throw as thrown:
            started = outcome.read_init(thrown.value)
        if isinstance(started, outcome.NotStarted):
            if started.error is None:
                _proc_lib.init_ignore()
            if started.report:
                crash_report(self.process, "exit", started.reason)
            _proc_lib.init_fail(started.error, started.reason)
        else:
            self.state = started.state
            self.process.sys = self  # a starter may ask `sys` as soon as it knows the pid
            _proc_lib.init_ack()
            await self._conclude(outcome.Next(started.state, started.option), STARTED, None)

    async def _handle(self, message: Any) -> None:
        module = self.module
        from_: From | None = None
        body = message
        value: Any
        if type(message) is Terminate:
            await self._stop(message.reason, "terminate")
            return
        try:
            if type(message) is Borrowed:
                from_, body = message.from_, message.body
                value = await resume(message.coro, message.outcome)
            elif type(message) is Settled:
                from_, body = message.from_, message.body
                value = message.outcome.unwrap()
            elif type(message) is tuple and message:
                if len(message) == 3 and is_atom(message[0], "$gen_call"):
                    _, from_, body = message
                    value = module.handle_call(body, from_, self.state)
                elif len(message) == 2 and is_atom(message[0], "$gen_cast"):
                    body = message[1]
                    value = module.handle_cast(body, self.state)
                elif self.process.is_parent_exit(message):
                    await self._stop(message[2], message)
                    return
                else:
                    value = module.handle_info(message, self.state)
            else:
                value = module.handle_info(message, self.state)
            value = await _done(value)
        except Throw as thrown:
            value = thrown.value
        except BaseException as error:
            if unwinds(error):
                raise
            kind, reason = reason_of(error)
            await self._stop(reason, body, kind=kind, raised=error)
            return
        await self._conclude(outcome.read(value, is_call=from_ is not None), body, from_)

    async def _conclude(self, result: outcome.Outcome, message: Any, from_: From | None) -> None:
        while True:
            if isinstance(result, outcome.Stop):
                if not result.keep_state:
                    self.state = result.state
                await self._stop(
                    result.reason, message, from_ if result.replies else None, result.reply
                )
                return
            if isinstance(result, outcome.Answer):
                assert from_ is not None
                reply(from_, result.reply)
                self._debug(("out", result.reply, from_.pid, result.state))
            elif message is not STARTED:
                self._debug(("noreply", result.state))
            self.state = result.state
            option = result.option
            if type(option) is not tuple:
                if option == "hibernate":
                    self._hibernate()
                elif option is not None and not isinstance(option, str):
                    self.timeout = option
                return
            try:
                value = await _done(self.module.handle_continue(option[1], self.state))
            except Throw as thrown:
                value = thrown.value
            except BaseException as error:
                if unwinds(error):
                    raise
                kind, reason = reason_of(error)
                await self._stop(reason, option, kind=kind, raised=error)
                return
            result, message, from_ = outcome.read(value, is_call=False), option, None

    async def _stop(
        self,
        reason: Reason,
        message: Any,
        from_: From | None = None,
        answer: Any = None,
        *,
        kind: str = "exit",
        raised: BaseException | None = None,
    ) -> None:
        try:
            await _done(self.module.terminate(reason, self.state))
        except Throw:
            pass  # a throw is a return, and what terminate returns is ignored (G3)
        except BaseException as error:
            if unwinds(error):
                raise
            kind, reason = reason_of(error)
            raised = error
        if from_ is not None:
            reply(from_, answer)
            self._debug(("out", answer, from_.pid, self.state))
        if not is_normal(reason):
            shown = reported(reason, raised)
            error_report(self.process, self.module, self.state, message, shown)
            crash_report(self.process, kind, reason)
        raise Finished(reason)


async def _serve(
    module: GenServer, args: tuple[Any, ...], link: bool, hibernate_after: float | None
) -> None:
    process = task_process.get()
    assert process is not None
    if not link:
        process.spawner = process.parent
        process.parent = None  # the EXIT of whom it is not linked to is mail like any other
    await TaskServer(process, module, hibernate_after).run(args)


async def start_task(
    cls: type[GenServer],
    args: tuple[Any, ...],
    name: Name | None,
    timeout: float,
    *,
    link: bool,
    hibernate_after: float | None = None,
    prepare: Callable[[Process], object] | None = None,
) -> Pid:
    """Start a server with async callbacks and wait for its init."""
    pid: Pid = await _proc_lib.start(
        _serve,
        cls.module,
        args,
        link,
        hibernate_after,
        name=name,
        link=link,
        timeout=timeout,
        behaviour=cls,
        prepare=prepare,
    )
    return pid


async def enter_loop(cls: type[GenServer], state: Any, option: Any = None) -> NoReturn:
    """Make the current process a server of this class; never returns (OTP: enter_loop).

    For a process started by `proc_lib.start` whose initialisation is a story of its own:
    it calls `init_ack`, then this, in place of the `init` callback. option: as in what
    `init` returns. Callbacks may be plain or async, it stays a task process.
    """
    process = task_process.get()
    if process is None:
        raise RuntimeError("enter_loop() needs a task process, e.g. one of proc_lib.start()")
    if option is not None and not outcome.is_option(option):
        raise ValueError(f"enter_loop(): {option!r} is no timeout, 'hibernate' or continue")
    process.behaviour = cls
    server = TaskServer(process, cls.module)
    await server.enter(state, option)
