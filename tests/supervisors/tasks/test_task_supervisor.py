"""TaskSupervisor: tasks that somebody else supervises (SEMANTICS 1.6)."""

from __future__ import annotations

import doctest
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import Exit, SupervisorError, TaskExit, TaskSupervisor, callers
from supervisors._tasks import supervisor as chapter


def test_the_docstring() -> None:
    assert doctest.testmod(chapter) == (0, 5)


async def nap(seconds: float, value: Any = None) -> Any:
    await trio.sleep(seconds)
    return value


async def fail() -> None:
    raise Exit("boom")


@pytest.mark.parametrize("linked", [True, False])
def test_a_task_belongs_to_its_supervisor(as_process: Any, linked: bool) -> None:
    ask = TaskSupervisor.async_ if linked else TaskSupervisor.async_nolink

    async def body() -> None:
        tasks = await TaskSupervisor.start_link(name="tasks")
        task = await ask("tasks", nap, 1, "value")
        info = otp.process_info(task.pid)
        assert info is not None
        assert info.parent is tasks
        assert set(info.links) == ({tasks, otp.self()} if linked else {tasks})
        assert await TaskSupervisor.children("tasks") == [task.pid]
        assert await task.await_() == "value"
        await trio.sleep(1)
        assert await TaskSupervisor.children("tasks") == []

    as_process(body)


def test_a_crash_ends_who_is_linked_and_nobody_else(as_process: Any) -> None:
    async def body() -> Any:
        tasks = await TaskSupervisor.start_link()
        bystander = await TaskSupervisor.start_child(tasks, nap, 60)

        async def asking() -> None:
            await TaskSupervisor.async_(tasks, fail)
            await trio.sleep(60)

        _, ref = otp.spawn_monitor(asking)
        down = await otp.receive(lambda m: m[1] is ref)
        task = await TaskSupervisor.async_nolink(tasks, fail)
        with pytest.raises(TaskExit) as exit_:
            await task.await_()
        return down[4], exit_.value.cause, await TaskSupervisor.children(tasks) == [bystander]

    assert as_process(body) == ("boom", "boom", True)


def test_callers_of_a_supervised_task(as_process: Any) -> None:
    async def body() -> Any:
        tasks = await TaskSupervisor.start_link()
        me = otp.self()
        task = await TaskSupervisor.async_nolink(tasks, callers)
        child: list[Any] = []
        await TaskSupervisor.start_child(tasks, lambda: child.append(callers()))
        await trio.sleep(1)
        return await task.await_() == (me,), child == [(me,)]

    assert as_process(body) == (True, True)


def test_a_full_house(as_process: Any) -> None:
    async def body() -> Any:
        tasks = await TaskSupervisor.start_link(max_children=1)
        task = await TaskSupervisor.async_nolink(tasks, nap, 1)
        with pytest.raises(SupervisorError) as refused:
            await TaskSupervisor.async_nolink(tasks, nap, 1)
        await TaskSupervisor.terminate_child(tasks, task.pid)
        return refused.value.reason, await task.yield_()

    assert as_process(body) == ("max_children", ("exit", "shutdown"))


def test_start_child_can_restart(as_process: Any) -> None:
    async def body() -> Any:
        tasks = await TaskSupervisor.start_link(intensity=2)
        runs: list[Any] = []

        async def flaky() -> None:
            runs.append(otp.self())
            if len(runs) < 3:
                raise Exit("again")
            await trio.sleep(60)

        await TaskSupervisor.start_child(tasks, flaky, restart="transient")
        await trio.sleep(1)
        return len(runs), await TaskSupervisor.children(tasks) == [runs[-1]]

    assert as_process(body) == (3, True)


def test_who_asked_and_ended_gets_no_task(as_process: Any) -> None:
    async def body() -> Any:
        tasks = await TaskSupervisor.start_link()
        ran: list[int] = []
        await otp.sys.suspend(tasks)  # so that it answers later than the asking process lives

        async def asking() -> None:
            await TaskSupervisor.async_nolink(tasks, ran.append, 1)

        pid = otp.spawn(asking)
        await trio.sleep(1)
        otp.exit(pid, "kill")
        await otp.sys.resume(tasks)
        await trio.sleep(1)
        return ran, await TaskSupervisor.children(tasks)

    assert as_process(body) == ([], [])


def test_its_stop_stops_all(as_process: Any) -> None:
    async def body() -> Any:
        otp.trap_exit()
        tasks = await TaskSupervisor.start_link()
        task = await TaskSupervisor.async_nolink(tasks, nap, 60)
        otp.exit(tasks, "shutdown")
        return await task.yield_()

    assert as_process(body) == ("exit", "shutdown")
