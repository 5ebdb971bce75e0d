"""The process that has tasks worked on, notices when that fails, and ends their time.

All it knows stands in the book; when it falls, its successor reads there who works, begins what was
not begun, and writes down as failed what lost its process meanwhile.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import supervisors
from erlmcp_py.server.tasks.book import TaskBook
from erlmcp_py.server.tasks.running import failure, start_task
from erlmcp_py.subscriptions import Announcement, Subscription
from supervisors import ChildSpec, GenServer, SupervisorError, TimerRef

POOL: Final = "task_pool"
"""The supervisor whose children are the tasks."""


@dataclass(slots=True)
class _State:
    book: TaskBook
    watched: dict[Any, str] = field(default_factory=dict)
    timers: dict[str, TimerRef] = field(default_factory=dict)


class TaskManager(GenServer):
    """Started with the book. Requests: ``("statistics",)`` -> how many tasks there are, by status."""

    async def init(self, book: TaskBook) -> tuple[Any, ...]:
        """Go through the book when the start is over."""
        return ("ok", _State(book), ("continue", "look"))

    async def handle_continue(self, _look: Any, state: _State) -> tuple[Any, ...]:
        """Take over what there is."""
        for record in list(state.book):
            self._arm(record.id, state)
            if record.ended:
                continue
            if state.book.waiting(record.id):
                await self._begin(record.id, state)
            else:
                self._watch(record.id, state)
        return ("noreply", state)

    async def handle_call(self, request: Any, _from: Any, state: _State) -> tuple[Any, ...]:
        """See the class."""
        if request == ("statistics",):
            return ("reply", dict(Counter(record.status for record in state.book)), state)
        return ("reply", ("error", f"unknown request {request!r}"), state)

    async def handle_cast(self, request: Any, state: _State) -> tuple[Any, ...]:
        """A task was begun; somebody has subscribed."""
        match request:
            case ("begun", id):
                self._arm(id, state)
                await self._begin(id, state)
            case ("tell", Subscription() as subscription):
                for change in subscription.changes:
                    if change.kind == "task" and change.uri is not None:
                        source = state.book.source(change.uri)
                        if source is not None:
                            subscription.announce(Announcement(change, source))
        return ("noreply", state)

    async def handle_info(self, message: Any, state: _State) -> tuple[Any, ...]:
        """The end of a process, or of a task's time."""
        match message:
            case ("DOWN", ref, "process", _, reason) if ref in state.watched:
                self._lost(state.watched.pop(ref), reason, state)
            case ("expired", id):
                state.timers.pop(id, None)
                state.book.forget(id)
        return ("noreply", state)

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show counts instead of all tasks."""
        state = status.get("state")
        if not isinstance(state, _State):
            return status
        return {**status, "state": {"tasks": len(state.book), "running": len(state.watched)}}

    async def _begin(self, id: str, state: _State) -> None:
        if not state.book.waiting(id):
            return
        spec = ChildSpec(id, (start_task, (state.book, id)), restart="temporary")
        try:
            pid = await supervisors.start_child(POOL, spec)
        except SupervisorError as refused:
            self._lost(id, refused.reason, state)
            return
        state.watched[supervisors.monitor(pid)] = id

    def _watch(self, id: str, state: _State) -> None:
        """A task that a predecessor began, here or in an earlier life of the node."""
        pid = state.book.worker(id)
        if pid is None:
            self._lost(id, "the node was restarted while it ran", state)
        else:
            state.watched[supervisors.monitor(pid)] = id

    def _lost(self, id: str, reason: Any, state: _State) -> None:
        """A process that has brought its task to an end has written that down before."""
        record = state.book.get(id)
        if record is not None:
            state.book.finish(id, failure(record.tool, reason))

    def _arm(self, id: str, state: _State) -> None:
        record = state.book.get(id)
        if record is None or record.expires is None or id in state.timers:
            return
        seconds = max(record.expires - state.book.clock(), 0.0)
        state.timers[id] = supervisors.send_after(seconds, supervisors.self(), ("expired", id))
