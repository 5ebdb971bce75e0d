"""The calls of a server process that have processes of their own, until each is answered.

The server process is linked to them and hears of their ends; a timer bounds each. Whoever takes a
call out of here has to answer it, and does so once: what its process still sends or does changes
nothing any more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import trio

import supervisors
from erlmcp_py.guards.in_flight import InFlight
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.jsonrpc import Request, RequestId
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.call import Call
from erlmcp_py.server.interaction.peer import Waits
from erlmcp_py.server.interaction.rounds import (
    BecomesTask,
    InputRequired,
    find_signal,
    wants_task,
)
from erlmcp_py.server.running import run_handler
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.statistics import CallStatistics
from supervisors import Pid, TimerRef

MAX_THREADS = 40
"""Threads that the handlers of one server may hold at a time; a call waits for its turn."""

Value = Result | Exception | InputRequired | BecomesTask
"""What a handler comes to: its result, what it raised as an answer, or what it wants first."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request process tells the server when its handler is through."""

    pid: Pid
    value: Value


@dataclass(frozen=True, slots=True)
class Expired:
    """The timer of a request process has run out."""

    pid: Pid


@dataclass(slots=True)
class Running:
    """A call, and its process."""

    pid: Pid
    call: Call
    request: Request
    scope: Scope
    caller: Any
    counters: CallStatistics
    timer: TimerRef | None
    remaining: float | None = None
    """Seconds left for the handler, while it waits for its client and no timer runs."""


class AtWork:
    """These calls. server: the server process, in which everything here is called.

    in_flight: where they are counted, and refused beyond a limit. running: by their processes; keys:
    their processes by what they were dispatched with.
    """

    __slots__ = ("_in_flight", "_server", "_threads", "keys", "running")

    def __init__(self, server: Pid, in_flight: InFlight) -> None:
        self.running: dict[Pid, Running] = {}
        self._server = server
        self._in_flight = in_flight
        self.keys: dict[tuple[Pid, RequestId], Pid] = {}
        self._threads = trio.CapacityLimiter(MAX_THREADS)

    def start(
        self,
        call: Call,
        request: Request,
        scope: Scope,
        caller: Any,
        counters: CallStatistics,
        label: str,
    ) -> McpError | None:
        """Give a call a process; the error if too many are at work already."""
        no_room = self._in_flight.enter(self._server, _client(scope))
        if no_room is not None:
            return no_room
        pid = supervisors.spawn_link(_handle, self._server, call, self._threads, label=label)
        timer = None
        if call.handler.timeout != math.inf:
            timer = supervisors.send_after(call.handler.timeout, self._server, Expired(pid))
        counters.in_flight += 1
        if call.gate is not None:
            call.gate.inside += 1
        self.running[pid] = Running(pid, call, request, scope, caller, counters, timer)
        self.keys[scope.key] = pid
        return None

    def take(self, pid: Pid) -> Running | None:
        """The call of this process, no longer at work; None if it was taken before."""
        return self._end(pid) if pid in self.running else None

    def take_with_key(self, key: tuple[Pid, RequestId]) -> Running | None:
        """The call that was dispatched with `key`, no longer at work; None if there is none."""
        pid = self.keys.get(key)
        return None if pid is None else self._end(pid)

    def take_all(self) -> Iterator[Running]:
        """One call after the other, until none is at work."""
        for pid in list(self.running):
            yield self._end(pid)

    def _end(self, pid: Pid) -> Running:
        running = self.running.pop(pid)
        if self.keys.get(running.scope.key) == pid:
            del self.keys[running.scope.key]
        if running.timer is not None:
            supervisors.cancel_timer(running.timer)
        if running.call.context is not None:
            running.call.context.close()
        running.counters.in_flight -= 1
        self._in_flight.leave(self._server, _client(running.scope))
        if running.call.gate is not None:
            running.call.gate.inside -= 1
        return running

    def stop_or_go_on(self, message: Waits) -> None:
        """Time in which a person thinks is not the handler's."""
        running = self.running.get(message.pid)
        if running is None:
            return
        if message.waiting and running.timer is not None:
            running.remaining = supervisors.cancel_timer(running.timer) or 0.0
            running.timer = None
        elif not message.waiting and running.remaining is not None:
            expired = Expired(message.pid)
            running.timer = supervisors.send_after(running.remaining, self._server, expired)
            running.remaining = None


def _client(scope: Scope) -> Pid:
    """Whose call it is: a session's, or else a connection's."""
    return scope.session or scope.key[0]


async def _handle(server: Pid, call: Call, threads: trio.CapacityLimiter) -> None:
    """The life of a request process: call the handler, hand the outcome over, end."""
    value: Value
    try:
        value = await run_handler(call, threads)
    except BaseException as error:
        signal = BecomesTask() if wants_task(error) else find_signal(error)
        if signal is None:
            raise
        value = signal
    supervisors.send(server, Outcome(supervisors.self(), value))
