"""Where the records of tasks are kept.

A store is told of every change before anybody else is: a client that has a task's id can rely on the
task. What is in memory survives every crash within the node; a store of your own can outlive the node.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from erlmcp_py.server.tasks.record import TaskRecord


class TaskStore(Protocol):
    """Called on the loop's thread, so an implementation must be quick. `TaskRecord`s have a JSON form
    (`msgspec.json`). An exception of `put` when a task begins is an error for its client; a later one
    is reported, and the node goes on with what it has in memory.
    """

    def load(self) -> Iterable[TaskRecord]:
        """What is kept; asked once, when the node starts."""

    def put(self, record: TaskRecord) -> None:
        """Keep this, in place of what was kept under the same id."""

    def delete(self, id: str) -> None:
        """Forget it."""


class MemoryTaskStore:
    """The store of a node that was given none."""

    __slots__ = ("_records",)

    def __init__(self) -> None:
        self._records: dict[str, TaskRecord] = {}

    def __len__(self) -> int:
        return len(self._records)

    def load(self) -> Iterable[TaskRecord]:
        """What was put and not deleted."""
        return list(self._records.values())

    def put(self, record: TaskRecord) -> None:
        """Keep this."""
        self._records[record.id] = record

    def delete(self, id: str) -> None:
        """Forget it."""
        self._records.pop(id, None)
