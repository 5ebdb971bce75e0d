"""The debug options of one process: statistics, log, trace, log file, debug functions.

They hang on the process as one callable, `Debug`, which is there only while an option is
on: what a behaviour pays when all are off is a look at a field that is None.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import IO, Any, Final

from .._callback import CallbackProcess
from .._errors import format_reason, is_atom, shown, unwinds
from .._process import DIRTY, RUNNING, Process
from .hooks import Event, SystemHooks

LOG_SIZE: Final = 10
"""Events that `sys.log` keeps unless it is told otherwise (OTP)."""

DebugFunction = Callable[[Any, Event, Any], Any]
Tracer = Callable[[Event], object]


class Statistics:
    """Counters of one process since they were switched on."""

    __slots__ = ("_reductions", "_start", "messages_in", "messages_out")

    def __init__(self, process: Process) -> None:
        self._start = process.runtime.now()
        self._reductions = process.messages_in
        self.messages_in = 0
        self.messages_out = 0

    def shown(self, process: Process) -> dict[str, Any]:
        return {
            "start_time": self._start,
            "current_time": process.runtime.now(),
            "reductions": process.messages_in - self._reductions,
            "messages_in": self.messages_in,
            "messages_out": self.messages_out,
        }


class Debug:
    """Everything that is switched on for one process."""

    __slots__ = ("file", "functions", "process", "ring", "statistics", "tracer")

    def __init__(self, process: Process) -> None:
        self.process = process
        self.statistics: Statistics | None = None
        self.ring: deque[Event] | None = None
        self.tracer: Tracer | None = None
        self.file: IO[str] | None = None
        self.functions: dict[Hashable, tuple[DebugFunction, Any]] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is switched on any more."""
        return (
            self.statistics is None
            and self.ring is None
            and self.tracer is None
            and self.file is None
            and not self.functions
        )

    def __call__(self, event: Event) -> None:
        tag = event[0]
        if tag == "noreply" or (tag == "out" and len(event) == 4):
            event = (*event[:-1], self._seen(event[-1]))
        if self.statistics is not None:
            if tag == "in":
                self.statistics.messages_in += 1
            elif tag == "out":
                self.statistics.messages_out += 1
        if self.ring is not None:
            self.ring.append(event)
        if self.file is not None:
            self._write(event)
        if self.tracer is not None and tag != "noreply":
            self._trace(event)
        if self.functions:
            self._run_functions(event)
        if tag == "exit":
            self.close_file()

    def _seen(self, state: Any) -> Any:
        """The state as `sys.get_state` has it, so that what is kept stays what it was."""
        hooks = getattr(self.process, "sys", self.process)
        return hooks.seen_state(state) if isinstance(hooks, SystemHooks) else state

    def _write(self, event: Event) -> None:
        """Write the event; a file that cannot be written, on a full disk say, is let go."""
        assert self.file is not None
        try:
            self.file.write(self.line(event) + "\n")
            self.file.flush()
        except (OSError, ValueError) as error:
            self._removed(f"log file {self.file.name}", error)
            file, self.file = self.file, None
            try:
                file.close()
            except OSError:
                return  # it says the same again

    def _trace(self, event: Event) -> None:
        """Give the event to the tracer; one that raises is removed, as a function is."""
        assert self.tracer is not None
        try:
            self.tracer(event[:3])
        except BaseException as error:
            if unwinds(error):
                raise
            self.tracer = None
            self._removed("tracer", error)

    def _removed(self, what: str, error: BaseException) -> None:
        who = self.process.name or self.process.pid
        sys.stderr.write(f"supervisors: {what} of {who} removed: {format_reason(error)}\n")

    def _run_functions(self, event: Event) -> None:
        """Give the event to each; one that is done, or raises, is removed (OTP)."""
        who = self.process.name or self.process.pid
        for id, (function, state) in list(self.functions.items()):
            try:
                state = function(state, event, who)
            except BaseException as error:
                if unwinds(error):
                    raise
                state = "done"
                self._removed(f"debug function {id!r}", error)
            if id in self.functions:
                if state == "done":
                    del self.functions[id]
                else:
                    self.functions[id] = function, state

    # --- options ------------------------------------------------------------------------

    def keep_log(self, size: int) -> None:
        """Keep the last `size` events from now on, with those that are there already."""
        self.ring = deque(self.ring or (), maxlen=size)

    def open_file(self, path: Path) -> None:
        self.close_file()
        self.file = path.open("a", encoding="utf-8")

    def close_file(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None

    def clear(self) -> None:
        self.statistics = self.ring = self.tracer = None
        self.functions.clear()
        self.close_file()

    def options(self) -> list[Any]:
        """What is switched on, as `sys.get_status` shows it."""
        on: list[Any] = []
        if self.statistics is not None:
            on.append("statistics")
        if self.ring is not None:
            on.append(("log", self.ring.maxlen))
        if self.tracer is not None:
            on.append("trace")
        if self.file is not None:
            on.append(("log_to_file", self.file.name))
        on.extend(("install", id) for id in self.functions)
        return on

    def line(self, event: Event) -> str:
        """An event in words."""
        return described(self.process.name or str(self.process.pid), event)


def described(who: str, event: Event) -> str:
    """An event as one line for people, e.g. ``*DBG* counter got cast 2``."""
    match event:
        case ("in", message):
            text = f"got {_received(message)}"
        case ("out", reply, to, *state):
            text = f"sent {shown(reply)} to {shown(to)}"
            text += "".join(f", new state {shown(s)}" for s in state)
        case ("noreply", state):
            text = f"new state {shown(state)}"
        case ("exit", reason):
            text = f"ended: {format_reason(reason)}"
        case _:
            text = shown(event)
    return " ".join(f"*DBG* {who} {text}".split())


def _received(message: Any) -> str:
    """A message in words; a stranger's may be a tuple of what cannot be compared or shown."""
    tag = message[0] if type(message) is tuple and message else None
    if is_atom(tag, "$gen_call") and len(message) == 3:
        return f"call {shown(message[2])} from {shown(getattr(message[1], 'pid', message[1]))}"
    if is_atom(tag, "$gen_cast") and len(message) == 2:
        return f"cast {shown(message[1])}"
    return shown(message)


def debug_of(process: Process) -> Debug | None:
    """What is switched on for a process; None nearly always."""
    debug: Any = None if process.extras is None else process.extras.debug
    return debug if isinstance(debug, Debug) else None


def switch_on(process: Process) -> Debug:
    """The debug options of a process, made on first use; `tidy` after changing them."""
    extras = process.more()
    if not isinstance(extras.debug, Debug):
        extras.debug = Debug(process)
    return extras.debug


def tidy(process: Process) -> None:
    """Drop the options when all are off; have the process rest where it can be seen."""
    debug = debug_of(process)
    if debug is not None and debug.idle:
        process.more().debug = None
    if isinstance(process, CallbackProcess) and process.status not in (RUNNING, DIRTY):
        process.settle()


def logged(process: Process) -> list[Event]:
    """The events that `sys.log` keeps of a process, oldest first."""
    debug = debug_of(process)
    return [] if debug is None or debug.ring is None else list(debug.ring)
