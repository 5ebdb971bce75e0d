"""async_stream: as many tasks at a time, results in order or as they come (SEMANTICS 1.6)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.lowlevel
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

import supervisors as otp
from supervisors import BadArg, Exit, Task, TaskSupervisor
from supervisors._tasks.stream import Stream


async def nap(seconds: float) -> float:
    await trio.sleep(seconds)
    return seconds


async def collect(stream: Stream) -> list[Any]:
    return [result async for result in stream]


@given(
    naps=st.lists(st.integers(0, 20), max_size=20),
    limit=st.integers(1, 6),
    ordered=st.booleans(),
    supervised=st.booleans(),
)
def test_all_results_and_never_more_than_the_limit(
    naps: list[int], limit: int, ordered: bool, supervised: bool
) -> None:
    running = most = 0

    async def work(seconds: int) -> tuple[int, float]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await trio.sleep(seconds)
        running -= 1
        return seconds, trio.current_time()

    async def body() -> None:
        options: dict[str, Any] = {"max_concurrency": limit, "ordered": ordered, "timeout": 60}
        if supervised:
            tasks = await TaskSupervisor.start_link()
            stream = TaskSupervisor.async_stream(tasks, naps, work, **options)
        else:
            stream = Task.async_stream(naps, work, **options)
        results = await collect(stream)
        assert all(tag == "ok" for tag, _ in results)
        slept = [value[0] for _, value in results]
        if ordered:
            assert slept == naps
        else:
            assert sorted(slept) == sorted(naps)
            ends = [value[1] for _, value in results]
            assert ends == sorted(ends)
        assert most <= limit
        if all(naps):
            assert most == min(limit, len(naps))
        process = otp.self()._process
        assert process is not None
        assert not any(isinstance(watch, Stream) for watch in process.more().monitored_by.values())
        with pytest.raises(trio.TooSlowError):
            await otp.receive(timeout=0)

    otp.run(body, clock=MockClock(autojump_threshold=0))


def test_items_are_read_as_tasks_are_started(as_process: Any) -> None:
    async def body() -> Any:
        read: list[int] = []

        def items() -> Any:
            for number in range(1000):
                read.append(number)
                yield number

        stream = Task.async_stream(items(), lambda n: n, max_concurrency=2)
        first = await anext(stream)
        await stream.aclose()
        return first, len(read) <= 4, await collect(stream)

    assert as_process(body) == (("ok", 0), True, [])


def test_a_crash_passes_to_the_consumer_as_by_a_link(as_process: Any) -> None:
    async def fail(_item: int) -> None:
        raise Exit("boom")

    async def body() -> Any:
        async def consumer() -> None:
            await collect(Task.async_stream([1, 2], fail))

        _, ref = otp.spawn_monitor(consumer)
        down = await otp.receive(lambda m: m[1] is ref)
        otp.trap_exit()
        results = await collect(Task.async_stream([1, 2], fail))
        return down[4], results

    assert as_process(body) == ("boom", [("exit", "boom"), ("exit", "boom")])


def test_a_crash_without_links_is_a_result(as_process: Any) -> None:
    async def odd(item: int) -> int:
        if item % 2:
            raise Exit("odd")
        return item

    async def body() -> Any:
        tasks = await TaskSupervisor.start_link()
        return await collect(TaskSupervisor.async_stream_nolink(tasks, [1, 2, 3], odd))

    assert as_process(body) == [("exit", "odd"), ("ok", 2), ("exit", "odd")]


def test_time_limits(as_process: Any) -> None:
    async def body() -> None:
        patient = Task.async_stream([3, 1], nap, timeout=2, on_timeout="kill_task", ordered=False)
        assert await collect(patient) == [("ok", 1), ("exit", "timeout")]
        before = otp.current_runtime().processes()
        with pytest.raises(Exit) as exit_:
            await collect(Task.async_stream([1, 9, 9], nap, timeout=2, max_concurrency=3))
        assert exit_.value.reason == ("timeout", ("task", "async_stream", (2,)))
        await trio.sleep(1)
        assert otp.current_runtime().processes() == before

    as_process(body)


@pytest.mark.parametrize("how", ["close", "leave", "consumer ends"])
def test_whoever_leaves_early_leaves_no_tasks(as_process: Any, how: str) -> None:
    async def body() -> Any:
        before = len(otp.current_runtime().processes())

        async def consumer() -> None:
            stream = Task.async_stream([0, 50, 50], nap, max_concurrency=3, timeout=60)
            await anext(stream)
            if how == "close":
                await stream.aclose()
            elif how == "leave":
                async with stream:
                    pass
            else:
                raise Exit("normal")
            await trio.sleep(9)

        otp.spawn(consumer)
        await trio.sleep(1)
        during = len(otp.current_runtime().processes())
        await trio.sleep(10)
        return during - before, len(otp.current_runtime().processes()) - before

    assert as_process(body) == (0 if how == "consumer ends" else 1, 0)


def test_a_start_that_fails_ends_the_stream(as_process: Any) -> None:
    async def body() -> Any:
        tasks = await TaskSupervisor.start_link(max_children=1)
        with pytest.raises(otp.SupervisorError) as refused:
            await collect(TaskSupervisor.async_stream(tasks, [5, 5], nap, max_concurrency=2))
        await trio.sleep(1)
        return refused.value.reason, await TaskSupervisor.children(tasks)

    assert as_process(body) == ("max_children", [])


def test_wrong_use_is_told(as_process: Any) -> None:
    async def body() -> None:
        with pytest.raises(BadArg, match="max_concurrency=0"):
            Task.async_stream([], nap, max_concurrency=0)
        with pytest.raises(BadArg, match="'exit' or 'kill_task'"):
            Task.async_stream([], nap, on_timeout="shrug")  # type: ignore[arg-type]
        stream = Task.async_stream([1], nap)
        told: list[str] = []

        async def stranger() -> None:
            with pytest.raises(BadArg) as refused:
                await anext(stream)
            told.append(str(refused.value))

        otp.spawn(stranger)
        await trio.sleep(1)
        assert f"belongs to {otp.self()}" in told[0]

    as_process(body)
