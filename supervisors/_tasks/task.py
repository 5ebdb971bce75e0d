"""Task: a process that computes one value for the process that asked for it.

    >>> import supervisors as otp
    >>> from supervisors import Task
    >>> async def main():
    ...     task = Task.async_(sum, [1, 2, 3])   # a plain or an async function
    ...     return 100 * await task.await_()
    >>> otp.run(main)
    600

The process is linked to the one that asked and monitored by it: when one crashes the other
goes with it, and `await_` ends the caller (`TaskExit`) when there is no value in time. Who
wants to outlive a crash asks a `TaskSupervisor` with `async_nolink` and looks with
`yield_`. Only the process that asked may wait for the answer, once.

The answer is a message ``(task.ref, value)``; the end of the process before it ``("DOWN",
task.ref, "process", pid, reason)``. A GenServer with plain callbacks cannot wait, so it
takes these in `handle_info`, and calls ``demonitor(task.ref, flush=True)`` after the first.

Elixir: Task (SEMANTICS 1.6).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NoReturn, TypeVar

import trio

from .._cell import require_process, task_process
from .._errors import BadArg, Exit, Reason, is_atom
from .._pid import Pid, Ref
from .._process import Monitor, Process, info
from .._signals import demonitor, exit_signal, unlink
from .._supervisor.spec import ChildSpec, Restart, Shutdown
from .._task import receive
from .running import Fn, callers_of_next, spawn_task
from .stream import OnTimeout, Stream, spawn_here

T = TypeVar("T")
Outcome = tuple[Literal["ok", "exit"], Any]


class TaskExit(Exit):
    """`await_` got no value; uncaught, it ends the caller.

    Attributes
    ----------
    reason: ``(cause, ("task", function, (task, timeout)))``.
    cause: "timeout", or the reason the task ended with.
    """

    def __init__(self, cause: Reason, function: str, task: object, timeout: float) -> None:
        super().__init__((cause, ("task", function, (task, timeout))))
        self.cause = cause


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A task that was asked for.

    owner: the process that asked, the only one that may wait. pid: the process that works.
    ref: marks the answer, and monitors `pid` for the owner. fn: what it runs.
    """

    owner: Pid
    pid: Pid
    ref: Ref
    fn: Fn

    # --- asking -----------------------------------------------------------------------

    @classmethod
    def async_(cls, fn: Fn, *args: Any) -> Task:
        """Start ``fn(*args)`` in a process linked to this one, for one `await_` or more
        `yield_`. fn: plain or async; a plain one must not block.
        """
        owner = require_process("Task.async_()")
        return cls.between(owner, fn, args, callers_of_next(), linked_to_owner=True)

    @classmethod
    def between(
        cls,
        owner: Process,
        fn: Fn,
        args: tuple[Any, ...],
        asked_by: tuple[Pid, ...],
        *,
        linked_to_owner: bool,
        link: bool = False,
    ) -> Task:
        """Start a task for `owner` from the current process, which `link` links as well."""
        ref = Ref()

        def bind(process: Process) -> None:
            monitor = Monitor(ref, owner, process, process.pid)
            owner.more().monitors[ref] = monitor
            process.more().monitored_by[ref] = monitor
            if linked_to_owner:
                process.link_with(owner)

        def answer(value: Any) -> None:
            # Nobody waits any more once the monitor is gone: the answer has no address.
            if owner.extras is not None and ref in owner.extras.monitors:
                owner.pid._post(info((ref, value)))

        pid = spawn_task(fn, args, asked_by=asked_by, link=link, done=answer, prepare=bind)
        return cls(owner.pid, pid, ref, fn)

    # --- waiting ----------------------------------------------------------------------

    async def await_(self, timeout: float = 5.0) -> Any:
        """The value of the task, waited for.

        Raises TaskExit: "timeout" after `timeout` seconds, or the reason the task ended
        with; BadArg in any process but the owner.
        """
        self._require_owner("await_()")
        return await self._await(timeout, "await", self, timeout)

    @staticmethod
    async def await_many(tasks: Iterable[Task], timeout: float = 5.0) -> list[Any]:
        """The values of several tasks, in their order; `timeout` seconds for all together."""
        waiting = list(tasks)
        for task in waiting:
            task._require_owner("await_many()")
        deadline = trio.current_time() + timeout
        values = []
        for task in waiting:
            left = max(0.0, deadline - trio.current_time())
            values.append(await task._await(left, "await_many", waiting, timeout))
        return values

    async def _await(self, left: float, function: str, shown: object, timeout: float) -> Any:
        try:
            outcome = await self._outcome(left)
        except trio.TooSlowError:
            demonitor(self.ref, flush=True)
            self._fail("timeout", function, shown, timeout)
        if outcome[0] == "exit":
            self._fail(outcome[1], function, shown, timeout)
        return outcome[1]

    def _fail(self, cause: Reason, function: str, shown: object, timeout: float) -> NoReturn:
        raise TaskExit(cause, function, shown, timeout) from None

    async def yield_(self, timeout: float = 5.0) -> Outcome | None:
        """Wait for at most `timeout` seconds; may be repeated until it gives an answer.

        ``("ok", value)``, ``("exit", reason)``, or None when the task still works.
        """
        self._require_owner("yield_()")
        try:
            return await self._outcome(timeout)
        except trio.TooSlowError:
            return None

    async def shutdown(self, timeout: float | Literal["brutal_kill"] = 5.0) -> Outcome | None:
        """Unlink the task and end it; an answer that came first is not lost.

        timeout: seconds until a task that was told to shut down is killed, or
        "brutal_kill". ``("ok", value)`` when it had answered, ``("exit", reason)`` when it
        ended otherwise, None when it was ended by this.
        """
        self._require_owner("shutdown()")
        unlink(self.pid)
        brutal = isinstance(timeout, str)
        if isinstance(timeout, str) and timeout != "brutal_kill":
            raise BadArg(f"timeout={timeout!r}; it is seconds or 'brutal_kill'")
        exit_signal(self.pid, "kill" if brutal else "shutdown")
        expected = {"killed" if brutal else "shutdown"}
        try:
            outcome = await self._outcome(math.inf if isinstance(timeout, str) else timeout)
        except trio.TooSlowError:
            exit_signal(self.pid, "kill")
            expected.add("killed")
            outcome = await self._outcome(math.inf)
        if outcome[0] == "exit" and isinstance(outcome[1], str) and outcome[1] in expected:
            return None
        return outcome

    async def _outcome(self, timeout: float) -> Outcome:
        """The answer or the end, whichever is first in the mailbox; TooSlowError."""
        ref = self.ref

        def is_mine(message: Any) -> bool:
            if type(message) is not tuple:
                return False
            if len(message) == 2:
                return message[0] is ref
            return len(message) == 5 and message[1] is ref and is_atom(message[0], "DOWN")

        message = await receive(is_mine, timeout=timeout)
        if len(message) == 5:
            return "exit", message[4]
        demonitor(ref, flush=True)
        return "ok", message[1]

    def _require_owner(self, doing: str) -> None:
        process = task_process.get()
        if process is None or process.pid is not self.owner:
            who = "no process" if process is None else process.pid
            raise BadArg(f"{doing}: task {self.pid} belongs to {self.owner}, not to {who}")

    # --- streams ----------------------------------------------------------------------

    @staticmethod
    def async_stream(
        items: Iterable[Any],
        fn: Fn,
        *args: Any,
        max_concurrency: int | None = None,
        ordered: bool = True,
        timeout: float = 5.0,
        on_timeout: OnTimeout = "exit",
    ) -> Stream:
        """``fn(item, *args)`` for each item, each in a task of its own; see `Stream`."""
        return Stream(
            items, fn, args, spawn_here, max_concurrency, ordered, timeout, on_timeout, linked=True
        )

    # --- tasks nobody waits for -------------------------------------------------------

    @staticmethod
    def start(fn: Fn, *args: Any) -> Pid:
        """Run ``fn(*args)`` in a process of its own, linked to nobody."""
        return spawn_task(fn, args, asked_by=callers_of_next())

    @staticmethod
    def start_link(fn: Fn, *args: Any) -> Pid:
        """Run ``fn(*args)`` in a process linked to this one."""
        return spawn_task(fn, args, asked_by=callers_of_next(), link=True)

    @staticmethod
    def child_spec(
        fn: Fn,
        *args: Any,
        id: Hashable = "Task",
        restart: Restart = "temporary",
        shutdown: Shutdown = 5.0,
    ) -> ChildSpec:
        """A task as a child of a supervisor; temporary unless it is said otherwise."""
        start = (partial(Task.start_link, fn), args)
        return ChildSpec(id, start, restart, shutdown, modules=(f"{Task.__module__}.Task",))
