"""A runtime that is moved on from plain code, one command at a time.

Hypothesis' rules are plain functions; between two of them the kernel has to stand still.
trio's guest mode hands its loop over as callbacks, and nobody runs them but `do`: no
thread, no waiting, and the same commands give the same steps, which is what shrinking
needs. Between commands the driver, a process, has a checkpoint at hand at all times, so
the loop never comes to the point of asking the operating system, or the clock, to wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import outcome
import trio
from trio.testing import MockClock

import supervisors as otp
from supervisors.testing._order import seeded

PATIENCE = 100_000
"""Rounds of trio's loop after which a command is taken for hanging."""

Command = Callable[..., Awaitable[Any]]


class Stepper:
    """One runtime with one process to run commands in; traps exits.

    seed: of the order in which trio runs tasks that are ready at the same time.
    """

    def __init__(self, seed: int, listener: Callable[[otp.Report], object]) -> None:
        self._rounds: deque[Callable[[], object]] = deque()
        self._command: Command | None = None
        self._result: outcome.Outcome[Any] | None = None
        self._stopping = False
        self._ended: outcome.Outcome[Any] | None = None
        self._listener = listener
        self._order = ExitStack()
        self._order.enter_context(seeded(seed))
        trio.lowlevel.start_guest_run(
            self._main,
            run_sync_soon_threadsafe=self._rounds.append,
            done_callback=self._done,
            clock=MockClock(autojump_threshold=0),
        )

    def do(self, command: Command, *args: Any) -> Any:
        """Run a command in the driver to its end; what it returns or raises."""
        self._command, self._result = partial(command, *args), None
        self._turn(lambda: self._result is not None)
        assert self._result is not None
        return self._result.unwrap()

    def close(self) -> None:
        """End the runtime, and everybody in it."""
        self._stopping = True
        try:
            self._turn(lambda: self._ended is not None)
            assert self._ended is not None
            self._ended.unwrap()
        finally:
            self._order.close()

    def _turn(self, until: Callable[[], bool]) -> None:
        for _ in range(PATIENCE):
            if until():
                return
            self._rounds.popleft()()
        raise AssertionError("the runtime does not come to rest")

    def _done(self, ended: outcome.Outcome[Any]) -> None:
        self._ended = ended

    async def _main(self) -> None:
        over = trio.Event()
        async with otp.Runtime() as runtime:
            runtime.subscribe(self._listener)
            otp.spawn(self._drive, over)
            await over.wait()

    async def _drive(self, over: trio.Event) -> None:
        otp.trap_exit()
        while not self._stopping:
            command, self._command = self._command, None
            if command is None:
                await trio.lowlevel.checkpoint()
            else:
                self._result = await outcome.acapture(command)
        over.set()
