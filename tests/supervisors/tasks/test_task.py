"""Task: asked for, waited for, given up (SEMANTICS 1.6)."""

from __future__ import annotations

import doctest
import math
from typing import Any

import pytest
import trio
import trio.lowlevel

import supervisors as otp
from supervisors import BadArg, Exit, GenServer, Pid, Task, TaskExit, callers
from supervisors._tasks import task as chapter


def test_the_docstring() -> None:
    assert doctest.testmod(chapter) == (0, 4)


async def nap(seconds: float, value: Any = None) -> Any:
    await trio.sleep(seconds)
    return value


async def fail() -> None:
    raise Exit("boom")


async def mail() -> list[Any]:
    """Everything in the mailbox once nothing moves."""
    await trio.sleep(10)
    found = []
    while True:
        try:
            found.append(await otp.receive(timeout=0))
        except trio.TooSlowError:
            return found


def test_a_task_is_linked_monitored_and_leaves_nothing_behind(as_process: Any) -> None:
    async def body() -> None:
        task = Task.async_(nap, 1, "value")
        info = otp.process_info(task.pid)
        assert info is not None
        assert info.links == info.monitored_by == (otp.self(),) == (info.parent,)
        assert await task.await_() == "value"
        assert await mail() == []

    as_process(body)


def test_plain_and_async_functions(as_process: Any) -> None:
    async def body() -> Any:
        tasks = [Task.async_(max, 1, 2), Task.async_(nap, 0, "napped"), Task.async_(otp.self)]
        values = await Task.await_many(tasks)
        return values == [2, "napped", tasks[2].pid]

    assert as_process(body)


def test_a_late_value_has_no_address(as_process: Any) -> None:
    async def body() -> None:
        task = Task.async_(nap, 1, "late")
        with pytest.raises(TaskExit) as exit_:
            await task.await_(0.5)
        assert exit_.value.cause == "timeout"
        assert exit_.value.reason == ("timeout", ("task", "await", (task, 0.5)))
        assert otp.is_alive(task.pid)
        assert await mail() == []
        assert not otp.is_alive(task.pid)

    as_process(body)


def test_await_many_shares_one_time_limit(as_process: Any) -> None:
    async def body() -> None:
        started = trio.current_time()
        tasks = [Task.async_(nap, seconds, seconds) for seconds in (1, 3, 2)]
        assert await Task.await_many(tasks, 3.5) == [1, 3, 2]
        assert trio.current_time() - started == 3
        tasks = [Task.async_(nap, seconds) for seconds in (2, 4)]
        with pytest.raises(TaskExit) as exit_:
            await Task.await_many(tasks, 3)
        assert trio.current_time() - started == 6
        assert exit_.value.reason == ("timeout", ("task", "await_many", (tasks, 3)))

    as_process(body)


def test_yield_gives_the_end_of_a_crashed_task(as_process: Any) -> None:
    async def body() -> None:
        otp.trap_exit()
        task = Task.async_(fail)
        assert await task.yield_() == ("exit", "boom")
        assert await mail() == [("EXIT", task.pid, "boom")]

    as_process(body)


def test_a_value_of_none_is_told_from_no_answer(as_process: Any) -> None:
    async def body() -> Any:
        task = Task.async_(nap, 1, None)
        return await task.yield_(0.5), await task.yield_(1), await task.yield_(1)

    assert as_process(body) == (None, ("ok", None), None)


@pytest.mark.parametrize("trap", [False, True])
def test_shutdown_waits_then_kills(as_process: Any, trap: bool) -> None:
    async def stubborn() -> None:
        otp.trap_exit(trap)
        await trio.sleep(60)

    async def body() -> Any:
        task = Task.async_(stubborn)
        await trio.sleep(1)
        started = trio.current_time()
        outcome = await task.shutdown(2)
        return outcome, trio.current_time() - started, otp.is_alive(task.pid), await mail()

    assert as_process(body) == (None, 2 if trap else 0, False, [])


def test_shutdown_tells_of_an_end_of_its_own_making(as_process: Any) -> None:
    async def own_way() -> None:
        otp.trap_exit()
        await otp.receive()
        raise Exit("my way")

    async def body() -> Any:
        crashed = Task.async_(own_way)
        await trio.sleep(1)
        how = await crashed.shutdown(math.inf)
        with pytest.raises(BadArg, match="'brutal_kill'"):
            await crashed.shutdown("softly")  # type: ignore[arg-type]
        return how

    assert as_process(body) == ("exit", "my way")


def test_shutdown_does_not_take_its_caller_along(as_process: Any) -> None:
    async def body() -> Any:
        task = Task.async_(nap, 60)
        return await task.shutdown("brutal_kill"), otp.process_info(task.pid)

    assert as_process(body) == (None, None)


def test_the_end_of_the_owner_ends_the_task(as_process: Any) -> None:
    async def body() -> Any:
        me = otp.self()

        async def owner() -> None:
            otp.send(me, Task.async_(nap, 60).pid)
            raise Exit("enough")

        otp.spawn(owner)
        pid = await otp.receive()
        await trio.sleep(1)
        return otp.is_alive(pid)

    assert as_process(body) is False


def test_nobody_else_waits(as_process: Any) -> None:
    async def body() -> list[Any]:
        me = otp.self()
        task = Task.async_(nap, 1, "mine")

        async def stranger() -> None:
            for wait in (task.await_, task.yield_, task.shutdown):
                try:
                    await wait()
                except BadArg as refused:
                    otp.send(me, str(refused))

        otp.spawn(stranger)
        told = [await otp.receive(lambda m: isinstance(m, str)) for _ in range(3)]
        assert await task.await_() == "mine"
        assert all(f"belongs to {me}" in text for text in told)
        with pytest.raises(TypeError, match="runs a function"):
            Task.async_("nothing")  # type: ignore[arg-type]
        return told

    assert len(as_process(body)) == 3


async def test_a_trio_task_that_is_no_process_owns_nothing() -> None:
    async with otp.Runtime():
        with pytest.raises(RuntimeError, match="only inside a process"):
            Task.async_(nap, 1)


def test_a_plain_server_takes_answers_as_messages(as_process: Any) -> None:
    class Asking(GenServer):
        def init(self, kept: list[Any]) -> Any:
            otp.trap_exit()
            return "ok", (kept, [Task.async_(nap, 1, "value"), Task.async_(fail)])

        def handle_info(self, message: Any, state: Any) -> Any:
            kept, (good, bad) = state
            match message:
                case (good.ref, value):
                    otp.demonitor(good.ref, flush=True)
                    kept.append(value)
                case ("DOWN", bad.ref, "process", bad.pid, reason):
                    kept.append(reason)
                case ("EXIT", Pid(), _):
                    pass
                case _:
                    kept.append(message)
            return "noreply", state

    async def body() -> Any:
        kept: list[Any] = []
        await Asking.start(kept)
        await trio.sleep(5)
        return kept

    assert as_process(body) == ["boom", "value"]


def test_an_async_server_waits_in_a_callback(as_process: Any) -> None:
    class Asking(GenServer):
        async def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            return "reply", await Task.async_(nap, 1, request).await_(), state

    async def body() -> Any:
        server = await Asking.start_link()
        return await otp.call(server, "question")

    assert as_process(body) == "question"


def test_callers_say_on_whose_behalf(as_process: Any) -> None:
    async def body() -> None:
        async def inner() -> Any:
            return callers()

        async def outer() -> Any:
            me = otp.self()
            nested = await Task.async_(inner).await_()
            spawned = otp.spawn(lambda_none)
            await trio.sleep(1)
            return callers(), nested == (me, *callers()), spawned

        seen: list[Any] = []

        async def lambda_none() -> None:
            seen.append(callers())

        asked_by, nested, _ = await Task.async_(outer).await_()
        await trio.sleep(1)
        assert asked_by == (otp.self(),)
        assert nested
        assert seen == [()]
        assert callers() == ()

    as_process(body)


def test_start_and_start_link(as_process: Any) -> None:
    async def body() -> None:
        otp.trap_exit()
        loose = Task.start(fail)
        linked = Task.start_link(fail)
        assert await mail() == [("EXIT", linked, "boom")]
        assert not otp.is_alive(loose)

    as_process(body)


def test_a_crash_is_reported_with_the_function_it_ran(as_process: Any) -> None:
    async def body() -> Any:
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        Task.start(fail)
        await trio.sleep(1)
        (report,) = reports
        return report.initial_call, report.reason

    assert as_process(body) == (f"{__name__}:fail", "boom")


def test_a_task_as_a_child_is_temporary(as_process: Any) -> None:
    class Tree(otp.Supervisor):
        def init(self) -> Any:
            return otp.SupFlags(), [
                Task.child_spec(fail),
                Task.child_spec(nap, 60, id="long", restart="permanent"),
            ]

    async def body() -> Any:
        tree = await Tree.start_link()
        await trio.sleep(1)
        return [child.id for child in await otp.which_children(tree)]

    assert as_process(body) == ["long"]
