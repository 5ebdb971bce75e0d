"""`blocking`: code that blocks, in a thread beside the loop, in one word.

A callback that reads a large file, asks a database through a blocking library or computes
for seconds would hold up every other process (`Watchdog` reports it). Marked, it runs in a
thread of trio's, while the loop goes on and its server waits for it:

    >>> import hashlib
    >>> import supervisors
    >>> from supervisors import GenServer, blocking, call
    >>> class Passwords(GenServer):
    ...     def init(self):
    ...         return "ok", 0
    ...     @blocking
    ...     def handle_call(self, password, from_, asked):
    ...         key = hashlib.scrypt(password, salt=b"salt", n=2**14, r=8, p=1)
    ...         return "reply", key.hex()[:8], asked + 1
    >>> async def main():
    ...     server = await Passwords.start_link()
    ...     return await call(server, b"secret")
    >>> supervisors.run(main)
    '05ffaebc'

WHY a thread and no process of the operating system: the callback gets and returns what its
server knows, which may be anything, pids and sockets among it, and not only what can be
pickled. Threads of a usual Python take turns at Python code, so heavy computing still slows
the loop down, though it does not hold it; that belongs into a program of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeVar

import trio

P = ParamSpec("P")
T = TypeVar("T")


def blocking(fn: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    """An async function that runs the plain function `fn` in a thread and waits for it.

    As a decorator of callbacks of GenServer and GenStateMachine it makes the server a task
    process, which handles the next message when this one is done. Elsewhere it is an async
    function like any other: ``spawn(blocking(work), path)``. Handlers of events share their
    manager's process and must not wait, so GenEvent refuses it, as it does ``async def``.

    Inside, `self` is the process. Other functions that act on processes go through trio:
    ``trio.from_thread.run_sync(cast, server, request)``. What `fn` raises is raised, with
    its traceback. When the process is killed, or the scope around it cancelled, nobody
    waits any longer: the process ends at once; the thread, which Python cannot stop, is
    left to itself, and what it returns or raises is dropped. Until it ends it counts among
    the threads of trio's limiter (40 at a time); it does not keep the program from ending.

    TypeError when `fn` is async already or cannot be called.
    """
    if iscoroutinefunction(fn) or not callable(fn):
        raise TypeError(f"blocking() needs a plain function, which {fn!r} is not")

    @wraps(fn)
    async def in_a_thread(*args: P.args, **kwargs: P.kwargs) -> T:
        work = partial(fn, *args, **kwargs)
        return await trio.to_thread.run_sync(work, abandon_on_cancel=True)

    return in_a_thread
