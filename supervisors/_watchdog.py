"""The watchdog: plain code cannot be pre-empted, so it is watched (DESIGN 2.5).

A callback that computes or blocks holds the loop, and with it every other process. The
watchdog is a process with a thread beside the loop. The thread pokes the loop when that
seems busy; when the poke is not answered for `long_schedule` seconds it notes which process
runs and where it is, and the process of the watchdog reports that as `LongSchedule` once
the loop is free. With `max_run` it also ends the matter: past that many seconds `Overrun`
is raised in the callback, which crashes like any other and is restarted.

    >>> import time
    >>> import supervisors
    >>> from supervisors import GenServer, Watchdog, call
    >>> class Slow(GenServer):
    ...     def handle_call(self, request, from_, state):
    ...         time.sleep(60)
    >>> async def main():
    ...     await Watchdog.start_link(long_schedule=0.05, max_run=0.2)
    ...     try:
    ...         await call(await Slow.start(), "anything")
    ...     except supervisors.CallExit as failed:
    ...         return str(failed.cause[0]).partition(" (")[0]
    >>> supervisors.run(main)
    'held the loop for more than 0.2 s'

WHY a signal and not an asynchronous exception: Python runs a signal's handler in the main
thread, between two instructions, and shows it the frame it interrupted. So it can look
whether user code of a process is running at that very moment, and raise only then, never in
the kernel or in trio; and a signal interrupts ``time.sleep`` and other waiting calls. It
needs the loop to run in the main thread. Code that holds the interpreter itself, inside an
extension module, can be seen but not interrupted.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from time import monotonic
from traceback import format_stack
from types import FrameType
from typing import Any, Final, NoReturn, TypeVar

import outcome
import trio

from . import _proc_lib
from ._cell import cell, current_runtime, task_process
from ._errors import Finished
from ._gen_server.task import TaskServer
from ._mailbox import Terminate
from ._pid import Pid
from ._process import Process
from ._reports import LongSchedule
from ._supervisor.spec import ChildSpec
from ._sys.hooks import SystemHooks
from ._task import TaskProcess

T = TypeVar("T")

SIGNAL: Final = signal.SIGVTALRM
_KERNEL: Final = tuple(
    f"{Path(file).parent}{os.sep}" for file in (__file__, trio.__file__, outcome.__file__)
)
"""Where the code lies that must not be interrupted."""


class Overrun(Exception):
    """Raised in a callback that held the loop for longer than `max_run`."""


class Watchdog:
    """One per runtime, best as a child of the top supervisor; see the module's text."""

    @classmethod
    async def start_link(
        cls, long_schedule: float = 0.1, max_run: float | None = None, *, name: str | None = None
    ) -> Pid:
        """Start watching the loop this runs in.

        long_schedule: seconds after which the loop counts as held. max_run: seconds after
        which the callback is made to crash; None for never. Raises StartError with a
        ValueError for times that make no sense, and for `max_run` when the loop is not in
        the main thread.
        """
        pid: Pid = await _proc_lib.start(
            _life, long_schedule, max_run, name=name, link=True, behaviour=cls
        )
        return pid

    @classmethod
    def child_spec(
        cls,
        long_schedule: float = 0.1,
        max_run: float | None = None,
        *,
        id: str = "watchdog",
        name: str | None = None,
    ) -> ChildSpec:
        """A watchdog as a permanent child of a supervisor."""
        start = partial(cls.start_link, name=name)
        return ChildSpec(id=id, start=(start, (long_schedule, max_run)), modules=(__name__,))


async def _life(long_schedule: float, max_run: float | None) -> None:
    if not 0 < long_schedule < math.inf:
        raise ValueError(f"long_schedule is a positive number of seconds, not {long_schedule}")
    if max_run is not None and not long_schedule <= max_run < math.inf:
        raise ValueError(f"max_run is at least long_schedule ({long_schedule}), not {max_run}")
    if max_run is not None and threading.current_thread() is not threading.main_thread():
        raise ValueError("max_run works only where the loop runs in the main thread")
    process = task_process.get()
    assert process is not None
    watch = process.sys = _Watch(long_schedule, max_run)
    watch.start()
    try:
        _proc_lib.init_ack()
        while True:
            message = await process.next_message()
            if type(message) is Terminate:
                raise Finished(message.reason)
    finally:
        watch.stop()


class _Watch(SystemHooks):
    """The thread, and what it shares with the loop."""

    behaviour = "watchdog"

    def __init__(self, long_schedule: float, max_run: float | None) -> None:
        self.long_schedule = long_schedule
        self.max_run = max_run
        self.seen = 0
        self._runtime = current_runtime()
        self._token = trio.lowlevel.current_trio_token()
        self._loop_thread = threading.get_ident()
        self._over = threading.Event()
        self._answered = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisors watchdog", daemon=True)
        self._before: Any = None
        self._raised = False

    # --- supervisors.sys ----------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        return {"long_schedule": self.long_schedule, "max_run": self.max_run, "seen": self.seen}

    def replace_state(self, state: Any) -> NoReturn:
        raise TypeError("the state of a watchdog cannot be replaced; start another one")

    # --- life -----------------------------------------------------------------------------

    def start(self) -> None:
        if self.max_run is not None:
            self._before = signal.signal(SIGNAL, self._interrupt)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self.max_run is not None:
            self._thread.join()
            signal.signal(SIGNAL, self._before)

    # --- in the thread ----------------------------------------------------------------

    def _run(self) -> None:
        while not self._over.wait(self.long_schedule / 2):
            if self._loop_waits():
                continue
            self._answered.clear()
            poked = monotonic()
            try:
                self._token.run_sync_soon(self._answered.set)
                if not self._answered.wait(self.long_schedule):
                    self._held(poked)
            except trio.RunFinishedError:
                return

    def _loop_waits(self) -> bool:
        """Whether the loop sleeps in its poll, where nobody holds it."""
        frame = sys._current_frames().get(self._loop_thread)
        return frame is not None and frame.f_code.co_name == "get_events"

    def _held(self, since: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)
        process = None if frame is None else _running(frame)
        stack = "" if frame is None else "".join(format_stack(frame, limit=20))
        self._raised = False
        while not self._answered.wait(self.long_schedule / 4):
            if self._over.is_set():
                return
            if self.max_run is not None and monotonic() - since >= self.max_run:
                signal.pthread_kill(self._loop_thread, SIGNAL)
        seconds = monotonic() - since
        self.seen += 1
        if process is not None:
            report = LongSchedule(
                process.pid, seconds, process.initial_call, stack, raised=self._raised
            )
        else:
            report = LongSchedule(None, seconds, "a task that is no process", stack, raised=False)
        self._token.run_sync_soon(self._runtime.reports.emit, report)

    # --- in the loop's thread, called by Python between two instructions ----------------

    def _interrupt(self, _signal: int, frame: FrameType | None) -> None:
        if frame is None or self._answered.is_set():
            return
        if frame.f_code.co_filename.startswith(_KERNEL) or _running(frame) is None:
            return  # not in a callback at this moment; the thread tries again
        self._raised = True
        raise Overrun(f"held the loop for more than {self.max_run} s (max_run)")


_MAIN: Final = TaskProcess._main.__code__
_BORROWED: Final = TaskServer.enter_call.__code__


def _running(frame: FrameType | None) -> Process | None:
    """The process whose code a stack of the loop's thread belongs to."""
    if cell.current is not None:
        return cell.current
    while frame is not None:
        if frame.f_code is _MAIN:
            return _local(frame, TaskProcess)
        if frame.f_code is _BORROWED:
            server = _local(frame, TaskServer)
            return None if server is None else server.process
        frame = frame.f_back
    return None


def _local(frame: FrameType, kind: type[T]) -> T | None:
    found = frame.f_locals.get("self")
    return found if isinstance(found, kind) else None
