"""Task processes: a coroutine with a trio task, a mailbox and selective receive.

WHY death takes a moment: an Erlang process is gone when it is killed. A coroutine has
`finally` blocks and async context managers that own sockets and files; those are its
directly visible resources, and rule P11 wants them released before anyone hears of the
death. So a killed task process is at once not alive (its mail is dropped, further signals
mean nothing), its cancel scope is cancelled, and exit and down signals go out when it
has unwound.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import trio
from outcome import Error, Value

from ._borrow import AVAILABLE, DEPTH
from ._cell import (
    cell,
    current_process,
    current_runtime,
    require_process,
    task_process,
)
from ._errors import Finished, Reason, SelfExit, reason_of
from ._limits import admit, is_kernels
from ._pid import Pid, Ref, drop
from ._process import (
    EXITED,
    EXITING,
    INFO,
    RUNNING,
    WAITING,
    Envelope,
    Monitor,
    Process,
    crash_report,
    finish,
)
from ._runtime import Runtime
from ._sys.hooks import SystemHooks

Match = Callable[[Any], object]


class SystemMessage:
    """What the kernel puts into the mailbox of a behaviour; never dropped."""

    __slots__ = ()


class Terminate(SystemMessage):
    """A system message: end through the terminate callback. Comes ahead of all mail."""

    __slots__ = ("reason",)

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


class Borrowed:
    """A callback that a caller started as this process and that waits now (`_borrow`).

    outcome: what its wait came to, once it has come to something.
    """

    __slots__ = ("body", "coro", "from_", "outcome")

    def __init__(self, coro: Coroutine[Any, Any, Any], body: Any, from_: Any) -> None:
        self.coro = coro
        self.body = body
        self.from_ = from_
        self.outcome: Value[Any] | Error = Value(None)


class Settled(SystemMessage):
    """What a call that was started by its caller came to, for the process to conclude."""

    __slots__ = ("body", "from_", "outcome")

    def __init__(self, outcome: Value[Any] | Error, body: Any, from_: Any) -> None:
        self.outcome = outcome
        self.body = body
        self.from_ = from_


class Enterable(Protocol):
    """A behaviour whose calls may be started on the caller's stack (`_borrow`)."""

    def enter_call(self, request: Any, from_: Any) -> Any:
        """The reply, or NO_REPLY."""

    def enter_request(self, request: Any, from_: Any) -> None:
        """As `enter_call`, for a request whose answer goes to a mailbox."""


class Starting(Protocol):
    """A start in progress: who waits for the process to acknowledge (`_proc_lib`)."""

    def before_end(self, process: TaskProcess) -> None:
        """The process ends without having acknowledged."""


class TaskProcess(Process):
    """The record of a process that is a coroutine."""

    __slots__ = (
        "args",
        "at_rest",
        "behaviour",
        "borrowed",
        "fn",
        "mailbox",
        "on_end",
        "scope",
        "server",
        "starting",
        "sys",
        "system",
        "task",
        "waiting_for",
        "waiting_task",
    )

    kind = "task"

    def __init__(
        self,
        runtime: Runtime,
        parent: Process | None,
        fn: Callable[..., Awaitable[object]],
        args: tuple[Any, ...],
    ) -> None:
        super().__init__(runtime, parent)
        self.fn = fn
        self.args = args
        self.mailbox: deque[Any] = deque()
        self.system: deque[Callable[[], None]] | None = None
        self.behaviour: Any = None
        self.sys: SystemHooks | None = None
        self.server: Enterable | None = None
        self.at_rest = False
        self.borrowed: Borrowed | None = None
        self.starting: Starting | None = None
        self.scope: trio.CancelScope | None = None
        self.waiting_task: trio.lowlevel.Task | None = None
        self.waiting_for: Match | None = None
        self.on_end: Callable[[], object] | None = None
        self.task: trio.lowlevel.Task | None = None
        self.status = RUNNING
        self.pid._post = self.post

    @classmethod
    def spawn(
        cls,
        fn: Callable[..., Awaitable[object]],
        args: tuple[Any, ...],
        *,
        label: object = None,
        link: bool = False,
        on_end: Callable[[], object] | None = None,
        prepare: Callable[[TaskProcess], object] | None = None,
    ) -> TaskProcess:
        """Make the record, link it if asked, and have trio start the coroutine."""
        parent = require_process("spawn_link()") if link else current_process()
        runtime = current_runtime()
        nursery = runtime.nursery
        process = cls(runtime, parent, fn, args)
        process.on_end = on_end
        if label is not None:
            process.more().label = label
        if link and parent is not None:
            process.link_with(parent)
        if prepare is not None:
            prepare(process)
        nursery.start_soon(process._main, name=f"process {process.pid}")
        return process

    @property
    def initial_call(self) -> str:
        target = self.behaviour if self.behaviour is not None else self.fn
        module = getattr(target, "__module__", "?")
        return f"{module}:{getattr(target, '__qualname__', repr(target))}"

    # --- mail -------------------------------------------------------------------------

    def post(self, message: Any) -> None:
        """Deliver one envelope or, bare, a cast; wake the task if it waits for this."""
        bounds = self.extras
        if (
            bounds is not None
            and bounds.limit is not None
            and not admit(self, bounds.limit, message, self._drop_oldest)
        ):
            return
        if type(message) is Envelope:
            if message.kind == INFO:
                message = message.body
            else:
                message = ("$gen_call", message.extra, message.body)
        else:
            message = ("$gen_cast", message)
        self.messages_in += 1
        extras = self.extras
        if extras is not None and extras.debug is not None and self.sys is None:
            extras.debug(("in", message))  # a behaviour says itself when it takes a message
        self.mailbox.append(message)
        if self.waiting_task is not None:
            match = self.waiting_for
            if match is None or self._matches(match, message):
                self.wake()

    def _drop_oldest(self) -> Any:
        for position, message in enumerate(self.mailbox):
            if not is_kernels(message) and not isinstance(message, SystemMessage):
                del self.mailbox[position]
                return message
        return None

    def mailbox_changed(self) -> None:
        """A limit was set or taken away; `post` looks at every message anyway."""

    def _matches(self, match: Match, message: Any) -> bool:
        """Whether a parked receive takes the message; its error belongs to the receiver."""
        try:
            return bool(match(message))
        except Exception:
            return True

    def wake(self) -> None:
        task, self.waiting_task = self.waiting_task, None
        if task is not None:
            trio.lowlevel.reschedule(task, Value(None))

    def post_system(self, serve: Callable[[], None]) -> None:
        """A request for the system lane: served ahead of all mail, between two messages."""
        if self.system is None:
            self.system = deque()
        self.system.append(serve)
        self.wake()

    # --- direct dispatch --------------------------------------------------------------

    def catch_up(self) -> bool:
        """Whether a caller may start a callback as this process, which rests between two
        messages with nothing to look at.
        """
        extras = self.extras
        return (
            AVAILABLE
            and self.at_rest
            and self.borrowed is None
            and self.waiting_task is not None
            and not self.mailbox
            and not self.system
            and cell.depth < DEPTH
            and (extras is None or (extras.debug is None and not extras.suspended))
            and self.server is not None
        )

    def enter_call(self, request: Any, from_: Any) -> Any:
        assert self.server is not None
        return self.server.enter_call(request, from_)

    def enter_request(self, request: Any, from_: Any) -> None:
        assert self.server is not None
        self.server.enter_request(request, from_)

    def lend(self) -> trio.lowlevel.Task:
        """Begin a call on the caller's stack: the task that runs it, parked as it is."""
        task, self.waiting_task = self.waiting_task, None
        assert task is not None
        self.status = RUNNING
        self.messages_in += 1
        return task

    def rest(self, task: trio.lowlevel.Task) -> None:
        """End one: wait for a message again, unless one came or a signal has woken the task."""
        if self.status == RUNNING:
            self.status = WAITING
            self.waiting_task = task
            if self.mailbox or self.system:
                self.wake()

    def queue_length(self) -> int:
        return len(self.mailbox)

    def clear_mailbox(self) -> list[Any]:
        left = list(self.mailbox)
        self.mailbox.clear()
        self.system = None
        return left

    async def park(self, match: Match | None, deadline: float) -> bool:
        """Wait until something arrives; False when the deadline came first."""
        if self.waiting_task is not None:
            raise RuntimeError(
                f"two tasks of process {self.pid} are in receive(); one mailbox has one reader"
            )
        self.waiting_task = trio.lowlevel.current_task()
        self.waiting_for = match
        status, self.status = self.status, WAITING if self.status == RUNNING else self.status

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            self.waiting_task = None
            return trio.lowlevel.Abort.SUCCEEDED

        try:
            if deadline == math.inf:
                try:
                    value = await trio.lowlevel.wait_task_rescheduled(abort)
                except BaseException as error:
                    if self.borrowed is None:
                        raise
                    self.borrowed.outcome = Error(error)
                else:
                    if self.borrowed is not None:
                        self.borrowed.outcome = Value(value)
                return True
            with trio.CancelScope(deadline=deadline) as scope:
                await trio.lowlevel.wait_task_rescheduled(abort)
            return not scope.cancelled_caught
        finally:
            self.waiting_task = None
            self.waiting_for = None
            if self.status == WAITING:
                self.status = status

    async def next_message(self, timeout: float = math.inf) -> Any:
        """The next message for a behaviour's loop, after serving the system lane.

        While the process is suspended only the parent's EXIT comes through (1.7). Raises
        `trio.TooSlowError` after `timeout` seconds; a system request starts them anew (G7).
        """
        cell.budget -= 1
        if (cell.budget <= 0 and not cell.look()) or self.status == EXITING:
            await self.runtime.next_turn()
        deadline = math.inf if timeout == math.inf else trio.current_time() + timeout
        while True:
            while self.system:
                self.system.popleft()()
                if timeout != math.inf:
                    deadline = trio.current_time() + timeout
            suspended = self.extras is not None and self.extras.suspended
            if suspended:
                for message in self.mailbox:
                    if type(message) is Terminate or self.is_parent_exit(message):
                        self.mailbox.remove(message)
                        return message
            elif self.mailbox:
                return self.mailbox.popleft()
            elif timeout <= 0:
                raise trio.TooSlowError
            limit = math.inf if suspended else deadline
            self.at_rest = limit == math.inf and not suspended
            try:
                arrived = await self.park(None, limit)
            finally:
                self.at_rest = False
            if self.borrowed is not None:
                borrowed, self.borrowed = self.borrowed, None
                return borrowed
            if not arrived and not self.mailbox and not self.system:
                raise trio.TooSlowError

    def is_parent_exit(self, message: Any) -> bool:
        """Whether a message is the EXIT of the parent, of a process that traps exits."""
        return (
            type(message) is tuple
            and len(message) == 3
            and message[0] == "EXIT"
            and message[1] is self.parent
            and self.parent is not None
            and self.trap_exit
        )

    async def receive(self, match: Match | None, timeout: float) -> Any:
        cell.budget -= 1
        if (cell.budget <= 0 and not cell.look()) or self.status == EXITING:
            await self.runtime.next_turn()
        mailbox = self.mailbox
        deadline = math.inf if timeout == math.inf else trio.current_time() + timeout
        seen = 0
        while True:
            if match is None:
                if mailbox:
                    return mailbox.popleft()
            else:
                while seen < len(mailbox):
                    message = mailbox[seen]
                    if match(message):
                        del mailbox[seen]
                        return message
                    seen += 1
            if timeout <= 0:
                raise trio.TooSlowError
            if not await self.park(match, deadline):
                timeout = 0

    # --- life and death -----------------------------------------------------------------

    def die(self, reason: Reason) -> bool:
        if self.alive:
            self.exit_reason = reason
            self.status = EXITING
            self.pid._post = drop
            if self.scope is not None:
                self.scope.cancel()
        return False

    async def _main(self) -> None:
        task_process.set(self)
        self.task = trio.lowlevel.current_task()
        crash: tuple[str, Reason] | None = None
        reason: Reason = "normal"
        with trio.CancelScope() as scope:
            self.scope = scope
            try:
                if self.status == EXITING:
                    scope.cancel()
                    await trio.lowlevel.checkpoint()
                await self.fn(*self.args)
            except Finished as finished:
                reason = finished.reason
            except (SelfExit, trio.Cancelled) as stopped:
                if self.status != EXITING:
                    self.die("killed")  # the runtime itself is being closed
                if isinstance(stopped, trio.Cancelled):
                    self._end(self.exit_reason, None)
                    raise
            except BaseException as error:
                if self.status != EXITING or not _only_cancelled(error):
                    crash = reason_of(error)
                    reason = crash[1]
                if isinstance(error, KeyboardInterrupt):
                    self._end(reason, crash)
                    raise
                if isinstance(error, BaseExceptionGroup):
                    cancelled, _ = error.split(trio.Cancelled)
                    if cancelled is not None:
                        self._end(self.exit_reason or reason, crash)
                        raise cancelled from None
        self._end(self.exit_reason if self.status == EXITING else reason, crash)

    def _end(self, reason: Reason, crash: tuple[str, Reason] | None) -> None:
        if self.status == EXITED:
            return
        if crash is not None and self.status != EXITING:
            crash_report(self, crash[0], reason)
        if self.starting is not None:
            self.starting.before_end(self)
        finish(self, reason)
        self.scope = self.task = None
        if self.on_end is not None:
            self.on_end()


def _only_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.split((trio.Cancelled, SelfExit))[1] is None
    return isinstance(error, trio.Cancelled | SelfExit)


def spawn(fn: Callable[..., Awaitable[object]], *args: Any, label: object = None) -> Pid:
    """Start ``await fn(*args)`` as a process of its own; answers its pid at once.

    label: shown by the shell and in reports. TypeError when `fn` is not an async function.
    """
    require_async(fn)
    return TaskProcess.spawn(fn, args, label=label).pid


def spawn_link(fn: Callable[..., Awaitable[object]], *args: Any, label: object = None) -> Pid:
    """`spawn` and link to it, atomically: even its immediate end is noticed (rule P2)."""
    require_async(fn)
    return TaskProcess.spawn(fn, args, label=label, link=True).pid


def spawn_monitor(
    fn: Callable[..., Awaitable[object]], *args: Any, label: object = None
) -> tuple[Pid, Ref]:
    """`spawn` and monitor it, atomically (rule P2): the pid and the monitor's reference."""
    require_async(fn)
    watcher = require_process("spawn_monitor()")
    process = TaskProcess.spawn(fn, args, label=label)
    ref = Ref()
    monitor = Monitor(ref, watcher, process, process.pid)
    watcher.more().monitors[ref] = monitor
    process.more().monitored_by[ref] = monitor
    return process.pid, ref


def require_async(fn: Callable[..., Awaitable[object]]) -> None:
    from inspect import iscoroutinefunction

    target = getattr(fn, "func", fn)  # functools.partial
    if not iscoroutinefunction(target) and not iscoroutinefunction(
        getattr(target, "__call__", None)  # noqa: B004
    ):
        raise TypeError(
            f"spawn() needs an async function, not {fn!r}; plain callbacks live in a GenServer"
        )


async def receive(match: Match | None = None, *, timeout: float = math.inf) -> Any:
    """Take the first message that `match` accepts; the others stay, in order (rule P15).

    match: ``message -> bool``; None takes any. timeout: seconds; 0 looks once, without
    waiting. Raises `trio.TooSlowError` when nothing matched in time, RuntimeError outside
    a task process. A call to a GenServer shows as ``("$gen_call", from_, request)``, a
    cast as ``("$gen_cast", request)``.
    """
    process = task_process.get()
    if process is None:
        require_process("receive()")
        raise RuntimeError("receive() works only in a task process, not in a plain callback")
    return await process.receive(match, timeout)
