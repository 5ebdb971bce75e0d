"""S34: tasks are awaited, fail and are shut down as Elixir's are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

import supervisors as otp
from supervisors import BadArg, Exit, Task, TaskExit, TaskSupervisor
from supervisors.testing import end_of

from ...conftest import require_program
from .elixir import Recorder, elixirs_own, play
from .harness import golden
from .terms import Text

NAME = "s34_elixir_task"


async def child(life: Callable[[], Awaitable[Any]]) -> Any:
    """The reason that a process of its own ends with."""
    return await end_of(otp.spawn(life))


async def boom() -> None:
    raise Exit("boom")


async def nap(seconds: float, value: Any = None) -> Any:
    await trio.sleep(seconds)
    return value


async def s34(s: Recorder) -> None:
    s.obs("await", await Task.async_(lambda: 42).await_())

    async def crashed_with() -> None:
        Task.async_(boom)
        await trio.sleep(0.5)

    s.obs("crash_takes_caller", await child(crashed_with))

    async def trapping() -> None:
        otp.trap_exit()
        task = Task.async_(boom)
        try:
            await task.await_()
        except TaskExit as exit_:
            raise Exit(("exit", exit_.reason[0], exit_.reason[1][1])) from None

    s.obs("crash_trapping_caller", await child(trapping))

    async def impatient() -> None:
        await Task.async_(nap, 0.5).await_(0.02)

    s.obs("await_timeout_exits_caller", (await child(impatient))[0])
    task = Task.async_(nap, 0.1, "late")
    s.obs("yield_early", await task.yield_(0.01))
    s.obs("yield_again", await task.yield_(1))
    task = Task.async_(nap, 5)
    s.obs("yield_or_shutdown", await task.yield_(0.01) or await task.shutdown("brutal_kill"))
    task = Task.async_(lambda: "done")
    await trio.sleep(0.03)
    s.obs("shutdown_collects_reply", await task.shutdown())

    async def oops() -> None:
        raise RuntimeError("oops")

    tasks = await TaskSupervisor.start_link()
    task = await TaskSupervisor.async_nolink(tasks, oops)
    match await task.yield_():
        case ("exit", (RuntimeError(args=(text,)), otp.Stack())):
            s.obs("nolink_reason", ("exit", Text(text)))

    async def not_mine() -> None:
        try:
            await task.await_()
        except BadArg:  # Elixir's name for Erlang's badarg
            raise Exit("ArgumentError") from None

    class ArgumentError:
        """Prints as Elixir's module."""

    s.obs("await_by_other", {"ArgumentError": ArgumentError}[await child(not_mine)])

    async def slow(ms: int) -> int:
        await trio.sleep(ms / 1000)
        return ms

    stream = Task.async_stream([30, 10, 20], slow, max_concurrency=3)
    s.obs("stream_order", [result async for result in stream])
    stream = Task.async_stream([10, 500], slow, timeout=0.1, on_timeout="kill_task")
    s.obs("stream_on_timeout", [result async for result in stream])

    async def x() -> None:
        raise Exit("x")

    await end_of(await TaskSupervisor.start_child(tasks, x))
    await trio.sleep(0.05)
    s.obs("start_child_temporary", await TaskSupervisor.children(tasks))


def test_as_elixir_does() -> None:
    assert play(s34) == golden(NAME)


def test_as_the_installed_elixir_does() -> None:
    program = require_program("elixir", "install elixir to compare with it")
    assert play(s34) == elixirs_own(program, NAME)
