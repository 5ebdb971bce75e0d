"""All tasks of a node: who waits for what, who works on it, and what has become of it.

The book is an object, not a process: it lies in the child specs, as the sessions' store does, and so is
there again after every crash. Each of its methods is one step that nobody can see half done: they
are plain, and run on the loop's thread. Reading is free; everything that changes a record passes
through `_put`, which writes it to the store, and tells those who wait and those who listen.

What a process is needed for (starting, watching, expiry) is the manager's (`manager`), which finds in
the book all that it has to know, whenever it begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio
from msgspec import Raw

import supervisors
from erlmcp_py.protocol.errors import McpError, refused
from erlmcp_py.protocol.jsonrpc import notification
from erlmcp_py.protocol.notifications import TASK_STATUS
from erlmcp_py.protocol.refusals import EXHAUSTED, INTERNAL_ERROR
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.interaction.question import Question, Refused, Unusable
from erlmcp_py.server.tasks import record as records
from erlmcp_py.server.tasks.record import Owner, TaskRecord
from erlmcp_py.server.tasks.store import MemoryTaskStore, TaskStore
from erlmcp_py.sessions.ids import SessionIds
from erlmcp_py.subscriptions import TASKS, Change, publish
from supervisors import Pid

if TYPE_CHECKING:
    from erlmcp_py.server.tasks.running import Job

LIMIT: Final = 10_000
"""Tasks that a node keeps; a call that would begin another is refused."""

MAX_THREADS: Final = 40
"""Threads that all tasks of a node together may hold; one that needs another waits."""


class Pending:
    """A question without an answer. carried: whether somebody is on the way to the client with it."""

    __slots__ = ("answer", "carried", "question")

    def __init__(self, question: Question) -> None:
        self.question = question
        self.carried = False
        self.answer: Callable[[], Any] | None = None

    @property
    def answered(self) -> bool:
        """Whether `take` has something to give."""
        return self.answer is not None

    def take(self) -> Any:
        """The handler's value. `Refused` if the client gave none."""
        assert self.answer is not None
        return self.answer()


@dataclass(slots=True)
class _Entry:
    record: TaskRecord
    job: Job | None = None
    pid: Pid | None = None
    peer: Pid | None = None
    pending: dict[str, Pending] = field(default_factory=dict)
    changed: trio.Event = field(default_factory=trio.Event)


class TaskBook:
    """store: what outlives the node, None: nothing does. limit: tasks that are kept. clock: seconds
    since 1970. ids: where new tasks get theirs.
    """

    def __init__(
        self,
        store: TaskStore | None = None,
        *,
        limit: int = LIMIT,
        clock: Callable[[], float] = time.time,
        ids: SessionIds | None = None,
    ) -> None:
        self.store: TaskStore = MemoryTaskStore() if store is None else store
        self.limit = limit
        self.clock = clock
        self._ids = ids or SessionIds()
        self.threads = trio.CapacityLimiter(MAX_THREADS)
        self._entries = {record.id: _Entry(record) for record in self.store.load()}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[TaskRecord]:
        """The records, oldest first."""
        return iter([entry.record for entry in self._entries.values()])

    # --- reading ----------------------------------------------------------------------------

    def get(self, id: str) -> TaskRecord | None:
        """The record, None if there is no such task (any more)."""
        entry = self._entries.get(id)
        return None if entry is None else entry.record

    def owned(self, owner: Owner, era: str) -> list[TaskRecord]:
        """The tasks of one owner, newest first."""
        return [r for r in reversed(list(self)) if r.owner == owner and r.era == era]

    def worker(self, id: str) -> Pid | None:
        """The process that works on it, or did."""
        entry = self._entries.get(id)
        return None if entry is None else entry.pid

    def waiting(self, id: str) -> bool:
        """Whether it has not been begun yet."""
        entry = self._entries.get(id)
        return entry is not None and entry.job is not None

    def pending(self, id: str) -> dict[str, Pending]:
        """Its questions, by the keys that clients know."""
        return self._entries[id].pending if id in self._entries else {}

    async def change(self, id: str) -> None:
        """Wait until something about the task is different, or it is forgotten."""
        entry = self._entries.get(id)
        if entry is not None:
            await entry.changed.wait()

    # --- the life of a task -----------------------------------------------------------------

    def begin(
        self,
        job: Job,
        owner: Owner,
        *,
        tool: str,
        version: str,
        ttl: float | None,
        poll_interval: float,
        peer: Pid | None = None,
    ) -> TaskRecord:
        """A new task, kept before this returns; the manager has somebody work on it.

        Raises McpError -32603 if the book is full, or the store does not take it.
        """
        if len(self._entries) >= self.limit:
            raise refused(EXHAUSTED, f"{self.limit} tasks are kept; try again later")
        now = self.clock()
        record = TaskRecord(
            id=self._ids.new(),
            owner=owner,
            tool=tool,
            version=version,
            created_at=now,
            updated_at=now,
            ttl=ttl,
            poll_interval=poll_interval,
        )
        try:
            self.store.put(record)
        except Exception as error:
            raise refused(INTERNAL_ERROR, f"the task cannot be kept: {error}") from error
        self._entries[record.id] = _Entry(record, job, peer=peer)
        supervisors.cast(TASKS, ("begun", record.id))
        return record

    def take(self, id: str, pid: Pid) -> Job | None:
        """The work of a task, for the process that does it; None if there is none to do (any more)."""
        entry = self._entries.get(id)
        if entry is None:
            return None
        job, entry.job = entry.job, None
        if job is not None:
            entry.pid = pid
        return job

    def say(self, id: str, message: str) -> None:
        """How far the task is."""
        entry = self._entries.get(id)
        if entry is not None:
            self._put(entry, records.said(entry.record, message, self.clock()))

    def ask(self, id: str, questions: Mapping[str, Question]) -> dict[str, Pending]:
        """Park the task with these questions; what stands for them, by the same keys.

        A key that the task has used before is told to clients with a number behind it.
        """
        entry = self._entries[id]
        parked: dict[str, Pending] = {}
        asked = {}
        for key, question in questions.items():
            parked[key] = Pending(question)
            name = _unused(key, entry.pending)
            entry.pending[name] = parked[key]
            asked[name] = question.request
        self._put(entry, records.asked(entry.record, asked, self.clock()))
        return parked

    def answer(self, id: str, answers: Mapping[str, Raw]) -> dict[str, str]:
        """Bring answers to questions; those that nobody asked, or that came before, are ignored.

        Back come the keys whose answers are of no use, with the reason; they stay questions.
        """
        entry = self._entries.get(id)
        if entry is None or entry.record.ended:
            return {}
        unusable: dict[str, str] = {}
        done: list[str] = []
        for key in entry.record.questions.keys() & answers.keys():
            pending = entry.pending.get(key)
            if pending is None:
                continue
            try:
                value = pending.question.read(answers[key])
            except Unusable as problem:
                unusable[key] = str(problem)
                continue
            except Refused as refusal:
                pending.answer = _raising(refusal)
            else:
                pending.answer = _returning(value)
            done.append(key)
        self._put(entry, records.answered(entry.record, done, self.clock()))
        return unusable

    def refuse(self, id: str, key: str, refusal: Refused) -> None:
        """The client cannot, or will not, answer that."""
        entry = self._entries.get(id)
        if entry is None or key not in entry.record.questions:
            return
        pending = entry.pending.get(key)
        if pending is not None:
            pending.answer = _raising(refusal)
        self._put(entry, records.answered(entry.record, [key], self.clock()))

    def withdraw(self, id: str, parked: Iterable[Pending]) -> None:
        """Nobody waits for these any more."""
        entry = self._entries.get(id)
        if entry is None:
            return
        gone = set(parked)
        keys = [key for key, pending in entry.pending.items() if pending in gone]
        self._put(entry, records.answered(entry.record, keys, self.clock()))

    def finish(self, id: str, outcome: Result | McpError) -> None:
        """The task has come to its end. EncodeError if the result has no JSON form."""
        entry = self._entries.get(id)
        if entry is not None:
            self._put(entry, records.finished(entry.record, outcome, self.clock()))

    def cancel(self, id: str) -> None:
        """Stop it: whatever its process still does changes nothing."""
        entry = self._entries.get(id)
        if entry is None or entry.record.ended:
            return
        self._put(entry, records.cancelled(entry.record, self.clock()))
        self._stop(entry)

    def forget(self, id: str) -> None:
        """Its time is over, also if it still runs."""
        entry = self._entries.pop(id, None)
        if entry is None:
            return
        self._stop(entry)
        self._guarded(lambda: self.store.delete(id))
        entry.changed.set()

    def met(self, id: str, peer: Pid | None) -> None:
        """Where its client, of the older revisions, is reached now."""
        entry = self._entries.get(id)
        if entry is not None:
            entry.peer = peer

    def _stop(self, entry: _Entry) -> None:
        entry.job = None
        if entry.pid is not None:
            supervisors.exit_signal(entry.pid, "kill")

    def _put(self, entry: _Entry, record: TaskRecord) -> None:
        before, entry.record = entry.record, record
        if record is before:
            return
        self._guarded(lambda: self.store.put(record))
        changed, entry.changed = entry.changed, trio.Event()
        changed.set()
        if record.era == "modern":
            publish(record.owner.server, Change("task", record.id), lambda: self._latest(record))
        elif record.status != before.status and entry.peer is not None:
            message = notification(TASK_STATUS, records.status_params(record))
            supervisors.cast(entry.peer, ("notify", message))

    def _latest(self, record: TaskRecord) -> msgspec.Struct:
        """What is to be told of a task when somebody gets round to it: what is true then."""
        return records.detailed(self.get(record.id) or record)

    def source(self, id: str) -> Callable[[], msgspec.Struct] | None:
        """What a listener is told of a task; None if there is none."""
        record = self.get(id)
        return None if record is None else lambda: self._latest(record)

    def _guarded(self, write: Callable[[], None]) -> None:
        """The store may fail; the tasks go on with what is in memory, and somebody is told."""
        try:
            write()
        except Exception as error:  # noqa: BLE001 - it is the store of somebody else
            supervisors.current_runtime().reports.emit(
                supervisors.WarningReport(
                    pid=supervisors.self(),
                    text="the store of the tasks has failed; they are in memory only",
                    details={"error": repr(error)},
                )
            )


def _unused(key: str, used: Mapping[str, object]) -> str:
    if key not in used:
        return key
    number = 2
    while f"{key}-{number}" in used:
        number += 1
    return f"{key}-{number}"


def _returning(value: Any) -> Callable[[], Any]:
    return lambda: value


def _raising(refusal: Refused) -> Callable[[], Any]:
    def answer() -> Any:
        raise refusal

    return answer
