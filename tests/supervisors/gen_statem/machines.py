"""Machines that do what their events say, for scenarios and tests."""

from __future__ import annotations

from typing import Any

import trio

from supervisors import CallExit, GenStateMachine, Pid, cast, gen_statem, sys

from ..scenarios.harness import Scenario
from ..scenarios.terms import ErlangError


class Told(GenStateMachine):
    """An event is ``(tag, return)`` or a tag alone; data: what enter calls return, by state.

    In a return "$from" stands for the caller, and ``("raise", term)`` is raised.
    """

    def callback_mode(self) -> Any:
        return ["handle_event_function", "state_enter"]

    def init(self, state: Any, data: Any, actions: Any) -> Any:
        return "ok", state, data, actions

    def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
        if type == "enter":
            record("enter", (content, state))
            return answer(data.get(state, "keep_state_and_data"), None)
        tag, value = content if isinstance(content, tuple) else (content, "keep_state_and_data")
        record(kind(type), (tag, state))
        return answer(value, type)

    def terminate(self, reason: Any, state: Any, data: Any) -> Any:
        record("terminate", (reason, state, data))


class AsyncTold(Told):
    """The same as a task process, whose callbacks wait."""

    async def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return Told.handle_event(self, type, content, state, data)


class Slow(AsyncTold):
    """Takes its time to terminate, and to enter the state of that name."""

    async def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
        if type == "enter" and state == "slow":
            await trio.sleep(0.02)
        return Told.handle_event(self, type, content, state, data)

    async def terminate(self, reason: Any, state: Any, data: Any) -> None:
        await trio.sleep(0.02)
        Told.terminate(self, reason, state, data)


def kind(type: Any) -> Any:
    """An event's type as traces show it."""
    match type:
        case ("call", _):
            return "call"
        case ("timeout", name):
            return name
    return type


def answer(value: Any, type: Any) -> Any:
    if value == "$from":
        return type[1]
    match value:
        case ("raise", term):
            raise ErlangError(term)
    if isinstance(value, tuple):
        return tuple(answer(item, type) for item in value)
    if isinstance(value, list):
        return [answer(item, type) for item in value]
    return value


_scenarios: list[Scenario] = []
"""The one that is being played."""


def record(event: str, term: Any) -> None:
    _scenarios[-1].event("sm", event, term)


class Stage:
    """A scenario with the verbs of state machines. machine: what `start` starts."""

    def __init__(self, scenario: Scenario, machine: type[Told]) -> None:
        self.scenario = scenario
        self.machine = machine
        _scenarios[:] = [scenario]

    def say(self, event: str, term: Any) -> None:
        self.scenario.event("obs", event, term)

    async def start(self, state: Any = "a", data: Any = None, actions: Any = ()) -> Pid:
        pid = await self.machine.start_link(state, {} if data is None else data, actions)
        self.scenario.name(pid, "sm")
        await self.settle()
        return pid

    async def cast(self, pid: Pid, event: Any) -> None:
        """Cast, and wait until it has been dealt with."""
        cast(pid, event)
        await self.settle()

    async def call(self, pid: Pid, tag: str, value: Any) -> Any:
        try:
            return await gen_statem.call(pid, (tag, value))
        except CallExit as failed:
            return "exit", failed.cause

    async def together(self, pid: Pid, *events: Any) -> None:
        """Put all events into the mailbox before the machine looks at the first."""
        await sys.suspend(pid)
        for event in events:
            cast(pid, event)
        await sys.resume(pid)
        await self.settle()

    async def settle(self) -> None:
        """Wait, in virtual time, until all that is in the mailbox has been dealt with.

        The Erlang side asks sys:get_state, which queues behind the mail; ours comes ahead.
        """
        await trio.sleep(0.001)
