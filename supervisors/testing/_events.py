"""Recording what the kernel reports, and waiting for a report instead of sleeping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import trio

from .._cell import current_runtime
from .._reports import Report

R = TypeVar("R", bound=Report)


class Events:
    """The reports of a runtime since `events()` was entered, oldest first.

    all: every one of them, a list that grows.
    """

    __slots__ = ("_arrived", "all")

    def __init__(self) -> None:
        self.all: list[Report] = []
        self._arrived = trio.Event()

    def of(self, kind: type[R]) -> list[R]:
        """Those of one class, such as `supervisors.CrashReport`."""
        return [report for report in self.all if isinstance(report, kind)]

    async def wait(
        self,
        kind: type[R],
        match: Callable[[R], object] | None = None,
        *,
        after: int = 0,
        within: float = 60.0,
    ) -> R:
        """The first report of this class that `match` accepts, now or when it comes.

        after: how many reports of all kinds to pass over first; ``len(events.all)`` before
        a cause asks for what comes of it. AssertionError when none has come `within`
        seconds of the clock.
        """
        with trio.move_on_after(within):
            while True:
                for report in self.all[after:]:
                    if isinstance(report, kind) and (match is None or match(report)):
                        return report
                after = len(self.all)
                self._arrived = trio.Event()
                await self._arrived.wait()
        seen = ", ".join(type(report).__name__ for report in self.all) or "none"
        raise AssertionError(f"no matching {kind.__name__} within {within} s; reports: {seen}")

    def _add(self, report: Any) -> None:
        self.all.append(report)
        self._arrived.set()


@contextmanager
def events() -> Iterator[Events]:
    """An `Events` that records the current runtime as long as the block runs."""
    seen = Events()
    unsubscribe = current_runtime().subscribe(seen._add)
    try:
        yield seen
    finally:
        unsubscribe()
