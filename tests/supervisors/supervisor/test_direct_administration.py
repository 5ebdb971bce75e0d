"""Requests to a supervisor at rest are carried out on the caller's stack, which nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

import supervisors as otp
from supervisors import (
    CallExit,
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    Pid,
    StartError,
    SupervisorError,
    start_child,
    terminate_child,
)


class Plain(GenServer):
    def init(self, *args: Any) -> Any:
        return "ok", (otp.self(), args)

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return "reply", otp.process_info(otp.self()).parent, state


class Slow(GenServer):
    """Takes a second to start and one to stop."""

    async def init(self, seconds: float = 1.0) -> Any:
        otp.trap_exit()
        await trio.sleep(seconds)
        return "ok", None

    async def terminate(self, reason: Any, state: Any) -> None:
        await trio.sleep(1.0)


def of(server: type[GenServer], *args: Any, **options: Any) -> ChildSpec:
    return ChildSpec("child", (server.start_link, args), restart="temporary", **options)


async def steps_of(request: Any) -> int:
    """Turns of the loop that it takes."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        await trio.lowlevel.checkpoint()
        before = turns
        await request
        used = turns - before
        nursery.cancel_scope.cancel()
    return used


def test_children_that_do_not_wait_start_and_end_in_no_turn_at_all(as_process: Any) -> None:
    async def main() -> None:
        sup = await DynamicSupervisor.start_link()
        await trio.testing.wait_all_tasks_blocked()
        assert await steps_of(start_child(sup, of(Plain))) == 0
        pid = await start_child(sup, of(Plain))
        assert await otp.call(pid, "parent") is sup
        assert await steps_of(terminate_child(sup, pid)) == 0
        assert not otp.is_alive(pid)
        assert (await otp.count_children(sup)).active == 1

    as_process(main)


def test_nothing_else_is_served_while_a_child_starts(as_process: Any) -> None:
    """V18: the second request waits for the first, whoever's stack that began on."""

    async def main() -> None:
        sup = await DynamicSupervisor.start_link()
        done: list[str] = []

        async def ask(name: str, spec: ChildSpec) -> None:
            await start_child(sup, spec)
            done.append(f"{name} at {trio.current_time() - begun:g}")

        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "slow", of(Slow))
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(ask, "plain", of(Plain))
        assert sorted(done) == ["plain at 1", "slow at 1"]

    as_process(main)


def test_a_child_that_is_slow_to_stop_is_waited_for(as_process: Any) -> None:
    async def main() -> None:
        sup = await DynamicSupervisor.start_link()
        slow = await start_child(sup, of(Slow, 0.0))
        hung = await start_child(sup, of(Slow, 0.0, shutdown=0.25))
        await trio.testing.wait_all_tasks_blocked()
        begun = trio.current_time()
        await terminate_child(sup, slow)
        assert trio.current_time() - begun == pytest.approx(1.0)
        await terminate_child(sup, hung)
        assert trio.current_time() - begun == pytest.approx(1.25)
        assert (await otp.count_children(sup)).active == 0

    as_process(main)


def test_a_supervisor_killed_while_it_starts_a_child_for_a_caller(as_process: Any) -> None:
    async def main() -> None:
        otp.trap_exit()
        sup = await DynamicSupervisor.start_link()
        await trio.testing.wait_all_tasks_blocked()
        children: list[Pid] = []

        async def kill() -> None:
            await trio.sleep(0.5)
            otp.exit_signal(sup, "kill")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(kill)
            with pytest.raises(CallExit) as ended:
                children.append(await start_child(sup, of(Slow)))
        assert ended.value.cause == "killed"
        assert not children
        await trio.sleep(3)  # it traps exits: it finishes its start, and obeys
        assert [p for p in otp.current_runtime().processes() if p is not otp.self()] == []

    as_process(main)


def test_refusals_and_failures_are_the_caller_s(as_process: Any) -> None:
    class Fails(GenServer):
        def init(self) -> Any:
            raise ValueError("no")

    async def main() -> None:
        sup = await DynamicSupervisor.start_link(max_children=1)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises((StartError, SupervisorError)):
            await start_child(sup, of(Fails))
        pid = await start_child(sup, of(Plain))
        with pytest.raises(SupervisorError, match="max_children"):
            await start_child(sup, of(Plain))
        assert otp.is_alive(pid)
        assert otp.is_alive(sup)

    as_process(main)


def test_a_start_function_that_ends_the_supervisor(as_process: Any) -> None:
    async def suicidal() -> Pid:
        otp.exit_signal(otp.self(), "kill")
        raise AssertionError("not reached")

    async def main() -> None:
        otp.trap_exit()
        sup = await DynamicSupervisor.start_link()
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(CallExit) as ended:
            await start_child(sup, ChildSpec("child", (suicidal, ())))
        assert ended.value.cause == "killed"
        assert (await otp.receive())[2] == "killed"
        assert not otp.is_alive(sup)

    as_process(main)
