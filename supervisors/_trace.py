"""Tracing with a hard limit: look at what processes receive, answer and end with.

In production the danger of a trace is the trace. This one ends by itself, after `limit`
events or `seconds`, whichever comes first, and takes itself off every process; recon's
``recon_trace`` is the model (SEMANTICS 1.9). What is not traced pays nothing.

    >>> import supervisors
    >>> from supervisors import GenServer, Trace, cast
    >>> class Sink(GenServer):
    ...     def handle_cast(self, request, state):
    ...         return "noreply", state
    >>> async def main():
    ...     pid = await Sink.start()
    ...     async with Trace([pid], limit=2) as trace:
    ...         for n in range(1000):
    ...             cast(pid, n)
    ...         return [event.detail async for event in trace], trace.ended
    >>> supervisors.run(main)
    ([('$gen_cast', 0), ('$gen_cast', 1)], 'limit')
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import trio

from ._cell import current_runtime
from ._errors import BadArg, shown
from ._names import resolve
from ._pid import Pid, Ref, no_pid
from ._process import Process
from ._sys.debug import switch_on, tidy
from ._timers import TimerRef

KINDS: Final = ("in", "out", "exit")


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One event of one process.

    at: seconds since the trace began. kind: "in" (detail: the message), "out" (detail: the
    reply, to: who gets it) or "exit" (detail: the reason).
    """

    at: float
    pid: Pid
    kind: str
    detail: Any
    to: Pid | None = None


class Trace:
    """A bounded trace of some processes; iterate over its events inside ``async with``.

    targets: pids or names, or "all" for every process there is now. kinds: which of "in",
    "out" and "exit". limit: events in all; seconds: time in all. Raises BadArg for an
    unknown name or kind and for a limit below 1.

    ended: None while it runs, then "limit", "seconds", "exit" (all targets are gone) or
    "closed". Events wait until they are read; there are never more than `limit`.
    """

    def __init__(
        self,
        targets: Iterable[Pid | str] | str,
        *,
        kinds: Iterable[str] = KINDS,
        limit: int = 100,
        seconds: float = 10.0,
    ) -> None:
        self._kinds = frozenset(kinds)
        if not self._kinds <= set(KINDS):
            raise BadArg(f"kinds of events are {', '.join(KINDS)}, not {sorted(self._kinds)}")
        if limit < 1 or not seconds > 0:
            raise BadArg(f"a trace needs limit >= 1 and seconds > 0, not {limit} and {seconds}")
        self._left = limit
        self._seconds = seconds
        self._targets = targets
        self._id = Ref()
        self._watched: dict[Pid, Process] = {}
        self._events: deque[TraceEvent] = deque()
        self._news = trio.Event()
        self._timer: TimerRef | None = None
        self._began = 0.0
        self.ended: str | None = None

    async def __aenter__(self) -> Self:
        runtime = current_runtime()
        self._began = runtime.now()
        for process in self._find():
            self._watched[process.pid] = process
            switch_on(process).functions[self._id] = self._note, process.pid
            tidy(process)  # from here on its callers queue, and everything is seen
        self._timer = runtime.timers.add(self._seconds, lambda: self._end("seconds"))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end("closed")

    def _find(self) -> list[Process]:
        runtime = current_runtime()
        if self._targets == "all":
            return [process for process in runtime.table.values() if process.alive]
        found: list[Process] = []
        for target in self._listed():
            pid = resolve(target) if isinstance(target, str) else target
            if not isinstance(target, str | Pid):
                raise no_pid("Trace()", target)
            if pid is None or pid._process is None:
                raise BadArg(f"cannot trace {target}: there is no such process")
            found.append(pid._process)
        return found

    def _listed(self) -> Iterable[Any]:
        targets = self._targets
        if isinstance(targets, str):
            return [targets]
        if not isinstance(targets, Iterable):
            raise TypeError(f"Trace(): expected a list of pids and names, got {shown(targets)}")
        return targets

    def _note(self, pid: Pid, event: tuple[Any, ...], _who: Any) -> Any:
        """The debug function; its state is the pid of the process it sits on."""
        kind = event[0]
        if kind in self._kinds and self.ended is None:
            at = current_runtime().now() - self._began
            to = event[2] if kind == "out" else None
            self._events.append(TraceEvent(at, pid, kind, event[1], to))
            self._news.set()
            self._left -= 1
            if self._left == 0:
                self._end("limit")
                return "done"
        if kind == "exit":
            self._watched.pop(pid, None)
            if not self._watched:
                self._end("exit")
        return pid

    def _end(self, why: str) -> None:
        if self.ended is not None:
            return
        self.ended = why
        if self._timer is not None:
            current_runtime().timers.cancel(self._timer)
        for process in self._watched.values():
            if process.alive:
                switch_on(process).functions.pop(self._id, None)
                tidy(process)
        self._watched = {}
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TraceEvent:
        while not self._events:
            if self.ended is not None:
                raise StopAsyncIteration
            self._news = trio.Event()
            await self._news.wait()
        return self._events.popleft()
