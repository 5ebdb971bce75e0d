"""Agent: a value in a process, changed by functions (SEMANTICS 1.6)."""

from __future__ import annotations

import doctest
from functools import partial
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import Agent, CallExit, StartError, SupFlags, _agent


def test_the_docstring() -> None:
    assert doctest.testmod(_agent) == (0, 4)


def test_a_function_that_raises_ends_the_agent_and_its_caller_hears_why(as_process: Any) -> None:
    async def body() -> Any:
        agent = await Agent.start(lambda: 1)
        with pytest.raises(CallExit) as lost:
            await Agent.update(agent, lambda n: n / 0)
        return lost.value.cause[0], otp.is_alive(agent)

    error, alive = as_process(body)
    assert isinstance(error, ZeroDivisionError)
    assert not alive


def test_get_and_update_must_return_a_pair(as_process: Any) -> None:
    async def body() -> Any:
        agent = await Agent.start(lambda: 1)
        with pytest.raises(CallExit) as lost:
            await Agent.get_and_update(agent, lambda n: n)
        return lost.value.cause

    assert as_process(body) == ("bad_return_value", 1)


def test_a_first_value_that_cannot_be_made_fails_the_start(as_process: Any) -> None:
    async def body() -> Any:
        with pytest.raises(StartError) as failed:
            await Agent.start(lambda: [][0])
        return failed.value.reason[0]

    assert isinstance(as_process(body), IndexError)


def test_functions_run_in_the_agent_one_after_the_other(as_process: Any) -> None:
    async def body() -> Any:
        agent = await Agent.start(list)
        runs = await Agent.get(agent, lambda _: otp.self()) is agent

        async def add(n: int) -> None:
            for _ in range(50):
                await Agent.update(agent, lambda seen: [*seen, n])
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            for n in range(4):
                nursery.start_soon(add, n)
        return runs, len(await Agent.get(agent, lambda seen: seen))

    assert as_process(body) == (True, 200)


def test_stray_mail_and_casts_to_the_dead_are_silent(as_process: Any) -> None:
    async def body() -> Any:
        agent = await Agent.start(int)
        otp.send(agent, "what?")
        value = await Agent.get(agent, lambda n: n)
        await Agent.stop(agent)
        Agent.cast(agent, lambda n: n + 1)
        Agent.cast("nobody", lambda n: n + 1)
        return value

    assert as_process(body) == 0


@pytest.mark.parametrize("wrong", [trio.sleep, partial(trio.sleep, 1), 7])
def test_async_functions_are_refused_before_they_are_sent(as_process: Any, wrong: Any) -> None:
    async def body() -> Any:
        agent = await Agent.start(int)
        for ask in (Agent.get, Agent.update, Agent.get_and_update, Agent.cast):
            with pytest.raises(TypeError, match="plain functions"):
                ask(agent, wrong)
        with pytest.raises(TypeError, match="plain functions"):
            await Agent.start(wrong)
        return await Agent.get(agent, lambda n: n)

    assert as_process(body) == 0


def test_a_supervised_agent_begins_anew(as_process: Any) -> None:
    class Tree(otp.Supervisor):
        def init(self) -> Any:
            return SupFlags(), [Agent.child_spec(lambda n: n, 5, name="five")]

    async def body() -> Any:
        tree = await Tree.start_link()
        await Agent.update("five", lambda n: n + 1)
        before = await Agent.get("five", lambda n: n)
        otp.exit(otp.whereis("five"), "kill")
        children = await otp.which_children(tree)
        return before, await Agent.get("five", lambda n: n), children[0].id

    assert as_process(body) == (6, 5, "five")
