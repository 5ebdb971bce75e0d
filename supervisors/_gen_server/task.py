"""GenServer with async callbacks: a task process that takes one message at a time.

The same rules as `plain`, read by the same `outcome`; only the callbacks may wait, so the
server has a task of its own. A call to one at rest is started by its caller all the same
(`enter_call`); everything else goes through the mailbox. A kill cancels the callback at
its next checkpoint (terminate is not called then, G9).
"""

from __future__ import annotations

import math
from types import CoroutineType
from typing import TYPE_CHECKING, Any

import trio
from outcome import Error, Value

from .. import _proc_lib
from .._borrow import first_step, resume
from .._cell import cell, task_process
from .._errors import Finished, Reason, Throw, is_normal, reason_of
from .._pid import Pid
from .._process import RUNNING, WAITING, crash_report
from .._task import Borrowed, SystemMessage, TaskProcess, Terminate
from . import outcome
from .calls import NO_REPLY, From, reply
from .reporting import error_report

if TYPE_CHECKING:
    from .behaviour import GenServer


class Settled(SystemMessage):
    """What a call that was started by its caller came to, for the server to conclude."""

    __slots__ = ("body", "from_", "outcome")

    def __init__(self, outcome: Value[Any] | Error, body: Any, from_: From) -> None:
        self.outcome = outcome
        self.body = body
        self.from_ = from_


async def _done(value: Any) -> Any:
    """The value of a callback, whether it was async or not."""
    return await value if type(value) is CoroutineType else value


class TaskServer:
    """The loop of one server, and what `sys` may ask of it."""

    __slots__ = ("module", "process", "state", "timeout")

    def __init__(self, process: TaskProcess, module: GenServer) -> None:
        self.process = process
        self.module = module
        self.state: Any = None
        self.timeout = math.inf

    # --- supervisors.sys --------------------------------------------------------------

    def get_state(self) -> Any:
        return self.state

    def replace_state(self, state: Any) -> None:
        self.state = state

    # --- direct dispatch (`_borrow`) ----------------------------------------------------

    def enter_call(self, request: Any, from_: From) -> Any:
        """Start `handle_call` on the caller's stack, as this process, which is at rest.

        Answers the reply, or NO_REPLY when the callback waits, gave none, or asked for
        more than the next message; then the server's own task goes on with it.
        """
        process = self.process
        task, process.waiting_task = process.waiting_task, None
        assert task is not None
        process.status = RUNNING
        process.messages_in += 1
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
                    self._rest(task)
                    return value[1]
                if len(value) == 2 and value[0] == "noreply":
                    self.state = value[1]
                    self._rest(task)
                    return NO_REPLY
            settled = Settled(Value(value), request, from_)
        process.mailbox.appendleft(settled)
        self._rest(task)
        return NO_REPLY

    def enter_request(self, request: Any, from_: From) -> None:
        """As `enter_call`, for a request whose answer goes to a mailbox."""
        value = self.enter_call(request, from_)
        if value is not NO_REPLY:
            reply(from_, value)

    def _rest(self, task: trio.lowlevel.Task) -> None:
        """Back to waiting for a message, unless one came or a signal has woken the task."""
        process = self.process
        if process.status == RUNNING:
            process.status = WAITING
            process.waiting_task = task
            if process.mailbox or process.system:
                process.wake()

    # --- life -------------------------------------------------------------------------

    async def run(self, args: tuple[Any, ...]) -> None:
        await self._init(args)
        self.process.sys = self.process.server = self
        while True:
            timeout, self.timeout = self.timeout, math.inf
            try:
                message = await self.process.next_message(timeout)
            except trio.TooSlowError:
                message = "timeout"
            await self._handle(message)

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
            _proc_lib.init_ack()
            await self._conclude(outcome.Next(started.state, started.option), "init", None)

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
                if message[0] == "$gen_call" and len(message) == 3:
                    _, from_, body = message
                    value = module.handle_call(body, from_, self.state)
                elif message[0] == "$gen_cast" and len(message) == 2:
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
        except Exception as error:
            kind, reason = reason_of(error)
            await self._stop(reason, body, kind=kind)
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
                debug = None if self.process.extras is None else self.process.extras.debug
                if debug is not None:
                    debug(("out", result.reply, from_.pid))
            self.state = result.state
            option = result.option
            if type(option) is not tuple:
                if option is not None and not isinstance(option, str):
                    self.timeout = option
                return
            try:
                value = await _done(self.module.handle_continue(option[1], self.state))
            except Throw as thrown:
                value = thrown.value
            except Exception as error:
                kind, reason = reason_of(error)
                await self._stop(reason, option, kind=kind)
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
    ) -> None:
        try:
            await _done(self.module.terminate(reason, self.state))
        except Throw:
            pass  # a throw is a return, and what terminate returns is ignored (G3)
        except Exception as error:
            kind, reason = reason_of(error)
        if from_ is not None:
            reply(from_, answer)
        if not is_normal(reason):
            error_report(self.process, self.module, self.state, message, reason)
            crash_report(self.process, kind, reason)
        raise Finished(reason)


async def _serve(module: GenServer, args: tuple[Any, ...]) -> None:
    process = task_process.get()
    assert process is not None
    await TaskServer(process, module).run(args)


async def start_task(
    cls: type[GenServer],
    args: tuple[Any, ...],
    name: str | None,
    timeout: float,
    *,
    link: bool,
) -> Pid:
    """Start a server with async callbacks and wait for its init."""
    pid: Pid = await _proc_lib.start(
        _serve, cls.module, args, name=name, link=link, timeout=timeout, behaviour=cls
    )
    return pid
