"""The mailbox of a task process: delivery, selective receive, the system lane, direct dispatch.

One task waits in it. Whoever posts a message wakes that task if it waits for such a one; a
caller who finds it at rest between two messages may start the next callback itself
(`_borrow`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

import trio
from outcome import Error, Value

from ._borrow import AVAILABLE, DEPTH
from ._cell import cell, not_in_this_thread
from ._errors import Reason, interrupts, is_atom
from ._limits import admit, is_kernels
from ._process import EXITING, INFO, RUNNING, WAITING, Envelope, Process
from ._sys.hooks import SystemHooks

if TYPE_CHECKING:
    from ._runtime import Runtime

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


class Receiver(Process):
    """The part of a task process that takes messages.

    at_rest: it waits between two messages of a behaviour's loop, with no time limit.
    """

    __slots__ = (
        "at_rest",
        "borrowed",
        "mailbox",
        "server",
        "sys",
        "system",
        "waiting_for",
        "waiting_task",
    )

    def __init__(self, runtime: Runtime, parent: Process | None) -> None:
        super().__init__(runtime, parent)
        self.mailbox: deque[Any] = deque()
        self.system: deque[Callable[[], None]] | None = None
        self.sys: SystemHooks | None = None
        self.server: Enterable | None = None
        self.at_rest = False
        self.borrowed: Borrowed | None = None
        self.waiting_task: trio.lowlevel.Task | None = None
        self.waiting_for: Match | None = None
        self.pid._post = self.post

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
        """Whether a parked receive takes the message; its error belongs to the receiver.

        Asked as the receiver: whoever sends stands on another stack, where `self()` and
        context variables are the sender's.
        """
        task = self.waiting_task
        assert task is not None
        sender, cell.current = cell.current, None
        try:
            return bool(task.context.run(match, message))
        except BaseException as error:
            if interrupts(error):
                raise
            return True
        finally:
            cell.current = sender

    def wake(self) -> None:
        task = self.waiting_task
        if task is not None:
            try:
                trio.lowlevel.reschedule(task, Value(None))
            except RuntimeError as error:
                raise not_in_this_thread() from error
            self.waiting_task = None

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
            and message[1] is self.parent
            and self.parent is not None
            and self.trap_exit
            and is_atom(message[0], "EXIT")
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
