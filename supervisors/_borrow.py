"""Running the first step of a coroutine as a parked trio task.

WHY: a call to a server with async callbacks costs two trips through trio's scheduler,
some five microseconds, even when the callback never waits; most do not. When the server's
task is parked between two messages, its callback can be started at once, on the caller's
stack, as the server's task (`current_task()`, context, cancel status). If it finishes, no
task was switched. If it waits, the server's task is left parked exactly as trio's run loop
would have parked it on that trap, and drives the coroutine from there on (`resume`).

This does by hand what the body of trio's run loop does for a step, so it needs four
names that trio does not publish. They have been what they are since trio 0.12; `AVAILABLE`
is False where one is missing, and then every such call goes through the mailbox. Refused
alternative: running the callback in the caller's task, under its cancel scopes; the
caller's timeout or death would then be the server's (rule G13).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, Final

import trio
from outcome import Error, Value

from ._cell import cell

try:
    from trio._core._run import GLOBAL_RUN_CONTEXT as _CONTEXT
    from trio._core._run import Task as _Task
    from trio._core._traps import CancelShieldedCheckpoint as _Checkpoint
    from trio._core._traps import WaitTaskRescheduled as _Wait
except ImportError:  # pragma: no cover - a trio that is built otherwise
    _found = False
else:
    _found = hasattr(_Task, "_abort_func") and hasattr(
        _Task, "_attempt_delivery_of_any_pending_cancel"
    )

AVAILABLE: Final = _found

DEPTH: Final = 16
"""How many servers may be entered inside each other; deeper calls go through mailboxes, so
a long chain of servers cannot exhaust the interpreter's stack."""


def first_step(task: trio.lowlevel.Task, coro: Coroutine[Any, Any, Any]) -> None:
    """Run `coro` as `task`, which is parked in `wait_task_rescheduled`, to its first wait.

    Returns when it waits, with the task parked on what it waits for. When it ends, its
    StopIteration or what it raised comes out, and the task is parked as it was.
    """
    context: Any = _CONTEXT
    borrowed: Any = task
    parked = borrowed._abort_func
    borrowed._abort_func = None  # a running task is not there to be cancelled
    previous = context.task
    context.task = task
    step = cell.step
    if step is None:
        cell.step = previous
    go_on: Callable[[Any], Any] = coro.send
    value: Any = None
    try:
        while (trap := task.context.run(go_on, value)) is not _Checkpoint:
            if type(trap) is _Wait:
                break
            go_on = coro.throw
            value = TypeError(f"{trap!r} was awaited, which is nothing of trio's")
    except BaseException:
        context.task = previous
        cell.step = step
        borrowed._abort_func = parked
        borrowed._attempt_delivery_of_any_pending_cancel()
        raise
    context.task = previous
    cell.step = step
    if trap is _Checkpoint:
        trio.lowlevel.reschedule(task)
    else:
        borrowed._cancel_points += 1
        borrowed._abort_func = trap.abort_func
        borrowed._attempt_delivery_of_any_pending_cancel()


@coroutine
def resume(coro: Coroutine[Any, Any, Any], outcome: Value[Any] | Error) -> Generator[Any, Any, Any]:
    """Go on with a coroutine that waits, given what its wait came to; its value.

    trio sends a coroutine the outcome itself, which the trap unwraps.
    """
    go_on: Callable[[Any], Any] = coro.send
    value: Any = outcome
    while True:
        try:
            trap = go_on(value)
        except StopIteration as done:
            return done.value
        try:
            go_on, value = coro.send, (yield trap)
        except BaseException as error:
            go_on, value = coro.throw, error
