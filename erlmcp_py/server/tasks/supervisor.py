"""The supervision tree of the tasks.

    tasks_sup (rest_for_one)
    ├── task_pool (dynamic)   one temporary child per task that runs
    └── tasks                 the manager

The pool stands first: when the manager dies the tasks go on, and the new manager watches them. When the
pool gives up, all tasks that ran are lost, and the new manager writes that down.
"""

from __future__ import annotations

from typing import Final

from erlmcp_py.server.tasks.book import TaskBook
from erlmcp_py.server.tasks.manager import POOL, TaskManager
from erlmcp_py.subscriptions import TASKS
from supervisors import ChildSpec, DynamicSupervisor, Supervisor, SupFlags

SUPERVISOR: Final = "tasks_sup"


class TasksSupervisor(Supervisor):
    """The top of the tree above; started with the book."""

    def init(self, book: TaskBook) -> tuple[SupFlags, list[ChildSpec]]:
        """Pool, then manager."""
        return SupFlags("rest_for_one", intensity=5, period=60), [
            DynamicSupervisor.child_spec(id=POOL, name=POOL),
            TaskManager.child_spec(book, id=TASKS, name=TASKS),
        ]
