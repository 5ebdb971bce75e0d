"""The engine against the model: the same callbacks in the same order, for any program."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from hypothesis import given, settings
from trio.testing import MockClock

import supervisors
from supervisors import GenStateMachine, cast
from supervisors._gen_server.calls import From
from supervisors._gen_statem.actions import Reply
from supervisors._gen_statem.engine import Engine, Module
from supervisors._gen_statem.misuse import Misuse
from supervisors._gen_statem.timeouts import Cancel, Start, Timer

from .model import Model, Plan, Program, programs


def drive(program: Program) -> list[Any]:
    """What an engine runs, its effects carried out on a list of timers."""
    engine = Engine(
        lambda _: Module(None, "handle_event_function", program.enter is not None), "a", 0
    )
    log: list[Any] = []
    timers: list[tuple[float, int, Timer]] = []
    started = 0
    now = 0.0

    def settle() -> None:
        nonlocal started
        while True:
            for effect in engine.effects:
                match effect:
                    case Start(timer, time):
                        started += 1
                        timers.append((now + time, started, timer))
                    case Cancel(timer):
                        timers[:] = [t for t in timers if t[2] is not timer]
            engine.effects.clear()
            callback = engine.next_callback()
            if callback is None:
                return
            if callback.type == "enter":
                log.append(("enter", callback.content, callback.state))
                assert program.enter is not None
                engine.take(("keep_state_and_data", list(program.enter[callback.state].actions)))
            else:
                plan = callback.content.after(log)
                log.append((callback.type, plan.tag, callback.state))
                engine.take(plan.returned(callback.data))

    def pass_time(until: float) -> None:
        nonlocal now
        while timers and min(timers)[0] < until:
            now, _, timer = first = min(timers)
            timers.remove(first)
            event = engine.timeouts.fired(timer)
            assert event is not None
            engine.accept(event)
            settle()
        now = until

    engine.start(None, ())
    settle()
    for number, plan in enumerate(program.events, 1):
        pass_time(number)
        engine.accept(("cast", plan))
        settle()
    pass_time(float("inf"))
    return log


@settings(max_examples=400)
@given(programs())
def test_the_engine_does_what_the_model_does(program: Program) -> None:
    assert drive(program) == Model(program).run()


class Follows(GenStateMachine):
    """Does what the plans say; data: (program, log)."""

    def callback_mode(self) -> Any:
        return "handle_event_function"

    def init(self, program: Program, log: list[Any]) -> Any:
        return "ok", "a", (program, log)

    def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
        if type == "enter":
            data[1].append(("enter", content, state))
            return "keep_state_and_data", list(data[0].enter[state].actions)
        plan = content.after(data[1])
        data[1].append((type, plan.tag, state))
        return plan.returned(data)


class FollowsAsync(Follows):
    async def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return Follows.handle_event(self, type, content, state, data)


class Enters(Follows):
    def callback_mode(self) -> Any:
        return ["handle_event_function", "state_enter"]


class EntersAsync(FollowsAsync):
    def callback_mode(self) -> Any:
        return ["handle_event_function", "state_enter"]


@settings(max_examples=60)
@given(programs())
def test_processes_of_both_kinds_do_what_the_model_does(program: Program) -> None:
    expected = Model(program).run()

    async def run(machine: type[Follows]) -> list[Any]:
        log: list[Any] = []
        pid = await machine.start(program, log)
        start = trio.current_time()
        for number, plan in enumerate(program.events, 1):
            await trio.sleep_until(start + number)
            cast(pid, plan)
        await trio.sleep(100)
        return log

    kinds = (Follows, FollowsAsync) if program.enter is None else (Enters, EntersAsync)
    for machine in kinds:
        clock = MockClock(autojump_threshold=0)
        assert supervisors.run(run, machine, clock=clock) == expected


# --- what programs do not do -------------------------------------------------------------


def engine(*, enter: bool = False) -> Engine:
    made = Engine(lambda module: Module(module, "handle_event_function", enter), "a", 0)
    made.start("first", ())
    return made


def test_replies_come_at_once_and_the_rest_at_the_end():
    """T1: a reply does not wait for the enter call; a time-out does."""
    machine = engine(enter=True)
    machine.next_callback()
    machine.take("keep_state_and_data")
    caller = From()
    machine.accept((("call", caller), "go"))
    machine.next_callback()
    actions = [("reply", caller, "yes"), ("state_timeout", 1, "later")]
    machine.take(("next_state", "b", 1, actions))
    assert machine.effects == [Reply(caller, "yes")]
    assert (machine.state, machine.data) == ("a", 0)
    assert machine.next_callback()[1:] == ("enter", "a", "b", 1)
    machine.take("keep_state_and_data")
    assert [type(effect) for effect in machine.effects] == [Reply, Start]
    assert (machine.state, machine.data) == ("b", 1)


def test_stop_and_reply_answers_in_order():
    """T5."""
    machine = engine()
    one, two = From(), From()
    machine.accept(("cast", "go"))
    machine.next_callback()
    machine.take(("stop_and_reply", "why", [("reply", one, 1), ("reply", two, 2)], "new"))
    assert machine.effects == [Reply(one, 1), Reply(two, 2)]
    assert machine.halted is not None
    assert machine.halted.reason == "why"
    assert machine.data == "new"


@pytest.mark.otp("gen_statem_SUITE", "pop_too_many")
def test_callback_modules_are_a_stack():
    """T7: the last one is not popped."""
    machine = engine()

    def module_after(action: Any) -> Any:
        machine.accept(("cast", "go"))
        machine.next_callback()
        machine.take(("keep_state_and_data", action))
        return machine.module.callbacks

    assert module_after(("change_callback_module", "other")) == "other"
    assert module_after(("push_callback_module", "third")) == "third"
    assert module_after("pop_callback_module") == "other"
    with pytest.raises(Misuse) as misuse:
        module_after("pop_callback_module")
    assert misuse.value.term == ("bad_action_from_state_function", "pop_callback_module")


@pytest.mark.parametrize(
    "value",
    [None, [], ["keep_state", 1], ("next_state", "b"), ("stop",), ("keep_state",), 7, Plan(1)],
)
def test_a_bad_return_is_named(value):
    """T7."""
    machine = engine()
    machine.accept(("cast", "go"))
    machine.next_callback()
    with pytest.raises(Misuse) as misuse:
        machine.take(value)
    assert misuse.value.term == ("bad_return_from_state_function", value)


@pytest.mark.otp("gen_statem_SUITE", "abnormal4")
@pytest.mark.parametrize(
    "action",
    [
        None,
        ["postpone"],
        True,
        -1,
        float("nan"),
        "never",
        ("timeout", -1, "x"),
        ("timeout", True, "x"),
        ("timeout", "soon", "x"),
        ("state_timeout", 1, "x", ("relative", True)),
        (("timer", "x"), 1, "x"),
        ("reply", "nobody", "x"),
        ("next_event", "enter", "x"),
        ("next_event", ("call", "nobody"), "x"),
        ("postpone", 1),
        ("hibernate", None),
    ],
)
def test_a_bad_action_is_named(action):
    """T7."""
    machine = engine()
    machine.accept(("cast", "go"))
    machine.next_callback()
    with pytest.raises(Misuse) as misuse:
        machine.take(("next_state", "b", 1, [action]))
    assert misuse.value.term == ("bad_action_from_state_function", action)
    assert (machine.state, machine.data) == ("b", 1)
