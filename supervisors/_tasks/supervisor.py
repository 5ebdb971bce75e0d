"""TaskSupervisor: a home for tasks, where they are seen, counted and stopped in order.

    >>> import supervisors as otp
    >>> from supervisors import TaskSupervisor
    >>> def divide(a, b):
    ...     return a / b
    >>> async def main():
    ...     await TaskSupervisor.start_link(name="tasks")
    ...     task = await TaskSupervisor.async_nolink("tasks", divide, 1, 0)
    ...     kind, (error, stack) = await task.yield_()
    ...     return kind, error
    >>> otp.run(main)
    ('exit', ZeroDivisionError('division by zero'))

It is a DynamicSupervisor whose children are temporary tasks: linked to the supervisor,
never restarted, told to shut down when it stops. `async_` links them to the process that
asks as well, `async_nolink` only monitors them, so that their crash is a result.

Elixir: Task.Supervisor (SEMANTICS 1.6).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from .._cell import require_process
from .._dynamic_supervisor import DynamicOptions, dynamic_child_spec, start_dynamic
from .._errors import StartError
from .._names import Name
from .._pid import Pid
from .._process import Process
from .._supervisor.administration import start_child, terminate_child, which_children
from .._supervisor.spec import ChildSpec, Restart, Shutdown, SupFlags
from .running import Done, Fn, callers_of_next, spawn_task
from .stream import OnTimeout, Stream
from .task import Task

Server = Pid | Name


class TaskSupervisor:
    """Start one with `start_link`; see the module's text for an example.

    Everywhere: `supervisor` is its pid or name; SupervisorError "max_children" when it is
    full; shutdown: seconds a task gets to end when the supervisor stops, or "brutal_kill".
    """

    @classmethod
    async def start_link(
        cls,
        *,
        max_children: float = math.inf,
        intensity: int = 3,
        period: int = 5,
        name: Name | None = None,
    ) -> Pid:
        """Start a supervisor for tasks, linked to the calling process.

        intensity, period: matter for tasks started with `start_child` and a `restart`.
        """
        options = DynamicOptions(SupFlags("one_for_one", intensity, period), max_children)
        return await start_dynamic(cls, options, name)

    @classmethod
    def child_spec(
        cls,
        *,
        id: Hashable = None,
        name: Name | None = None,
        restart: Restart = "permanent",
        shutdown: Shutdown = math.inf,
        **options: Any,
    ) -> ChildSpec:
        """This supervisor as a child of another; options: those of `start_link`."""
        return dynamic_child_spec(cls, id, name, restart, shutdown, options)

    # --- tasks somebody waits for -----------------------------------------------------

    @staticmethod
    async def async_(supervisor: Server, fn: Fn, *args: Any, shutdown: Shutdown = 5.0) -> Task:
        """`Task.async_` under a supervisor: linked to it and to this process."""
        return await _async(supervisor, fn, args, shutdown, linked=True)

    @staticmethod
    async def async_nolink(
        supervisor: Server, fn: Fn, *args: Any, shutdown: Shutdown = 5.0
    ) -> Task:
        """`async_` without the link to this process, which only monitors the task."""
        return await _async(supervisor, fn, args, shutdown, linked=False)

    @staticmethod
    def async_stream(
        supervisor: Server,
        items: Iterable[Any],
        fn: Fn,
        *args: Any,
        max_concurrency: int | None = None,
        ordered: bool = True,
        timeout: float = 5.0,
        on_timeout: OnTimeout = "exit",
        shutdown: Shutdown = 5.0,
    ) -> Stream:
        """`Task.async_stream` with tasks under a supervisor."""
        spawn = _spawner(supervisor, shutdown)
        return Stream(
            items, fn, args, spawn, max_concurrency, ordered, timeout, on_timeout, linked=True
        )

    @staticmethod
    def async_stream_nolink(
        supervisor: Server,
        items: Iterable[Any],
        fn: Fn,
        *args: Any,
        max_concurrency: int | None = None,
        ordered: bool = True,
        timeout: float = 5.0,
        on_timeout: OnTimeout = "exit",
        shutdown: Shutdown = 5.0,
    ) -> Stream:
        """`async_stream` whose crashes are results, ``("exit", reason)``, and no more."""
        spawn = _spawner(supervisor, shutdown)
        return Stream(
            items, fn, args, spawn, max_concurrency, ordered, timeout, on_timeout, linked=False
        )

    # --- tasks nobody waits for -------------------------------------------------------

    @staticmethod
    async def start_child(
        supervisor: Server,
        fn: Fn,
        *args: Any,
        restart: Restart = "temporary",
        shutdown: Shutdown = 5.0,
    ) -> Pid:
        """Run ``fn(*args)`` under the supervisor; nobody is told of its value."""
        asked_by = callers_of_next()

        def start() -> Pid:
            return spawn_task(fn, args, asked_by=asked_by, link=True)

        pid: Pid = await start_child(supervisor, _spec(start, fn, restart, shutdown))
        return pid

    @staticmethod
    async def children(supervisor: Server) -> list[Pid]:
        """The tasks that run, newest first."""
        found = await which_children(supervisor)
        return [child.pid for child in found if isinstance(child.pid, Pid)]

    @staticmethod
    async def terminate_child(supervisor: Server, pid: Pid) -> None:
        """End a task and wait until it is gone; SupervisorError "not_found"."""
        await terminate_child(supervisor, pid)


def _spec(start: Callable[[], Any], fn: Fn, restart: Restart, shutdown: Shutdown) -> ChildSpec:
    modules = (str(getattr(fn, "__module__", "?")),)
    return ChildSpec("Task", (start, ()), restart, shutdown, modules=modules)


async def _async(
    supervisor: Server, fn: Fn, args: tuple[Any, ...], shutdown: Shutdown, *, linked: bool
) -> Task:
    owner = require_process("TaskSupervisor.async_()")
    asked_by = callers_of_next()

    def start() -> tuple[Pid, Task]:
        if not owner.alive:
            raise StartError("noproc")
        task = Task.between(owner, fn, args, asked_by, linked_to_owner=linked, link=True)
        return task.pid, task

    _pid, task = await start_child(supervisor, _spec(start, fn, "temporary", shutdown))
    assert isinstance(task, Task)
    return task


def _spawner(supervisor: Server, shutdown: Shutdown) -> Any:
    async def spawn(
        fn: Fn,
        args: tuple[Any, ...],
        asked_by: tuple[Pid, ...],
        done: Done,
        prepare: Callable[[Process], object],
    ) -> Any:
        def start() -> Pid:
            return spawn_task(fn, args, asked_by=asked_by, link=True, done=done, prepare=prepare)

        return await start_child(supervisor, _spec(start, fn, "temporary", shutdown))

    return spawn
