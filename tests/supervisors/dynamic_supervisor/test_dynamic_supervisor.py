"""DynamicSupervisor: children by pid, each with its own spec (SEMANTICS 1.6)."""

from __future__ import annotations

import doctest
import math
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    Agent,
    ChildSpec,
    DynamicSupervisor,
    Ignore,
    Pid,
    StartError,
    SupervisorError,
    SupervisorReport,
    _dynamic_supervisor,
)
from supervisors._supervisor.dynamic import Dynamic
from supervisors._supervisor.plan import Failed, Ignored, Retry, Start, Started, StopEach, Tell
from supervisors._supervisor.spec import SupFlags


def test_the_docstring() -> None:
    assert doctest.testmod(_dynamic_supervisor) == (0, 4)


def watch_reports() -> list[SupervisorReport]:
    kept: list[SupervisorReport] = []

    def keep(report: otp.Report) -> None:
        if isinstance(report, SupervisorReport):
            kept.append(report)

    otp.current_runtime().subscribe(keep)
    return kept


async def lingering(seconds: float, log: list[Any]) -> Pid:
    """A child that takes its time to obey, and notes when it is gone."""

    async def life() -> None:
        otp.trap_exit()
        try:
            _, _, reason = await otp.receive()
            await trio.sleep(seconds)
            raise otp.Exit(reason)
        finally:
            log.append((seconds, trio.current_time()))

    return otp.spawn_link(life)


def test_the_stop_is_one_for_all_with_a_timer_per_time_limit(as_process: Any) -> None:
    async def body() -> None:
        otp.trap_exit()
        reports = watch_reports()
        log: list[Any] = []
        sup = await DynamicSupervisor.start_link()
        for seconds, shutdown in ((9, 1), (9, 2), (0.5, 2), (1.5, 2), (3, math.inf)):
            await otp.start_child(sup, ChildSpec(1, (lingering, (seconds, log)), shutdown=shutdown))
        brutal = ChildSpec(1, (lingering, (9, log)), shutdown="brutal_kill")
        await otp.start_child(sup, brutal)
        await trio.sleep(1)
        begun = trio.current_time()
        otp.exit(sup, "shutdown")
        await otp.receive(lambda m: m[0] == "EXIT" and m[1] is sup)
        assert [(s, t - begun) for s, t in log] == [
            (9, 0.0),
            (0.5, 0.5),
            (9, 1.0),
            (1.5, 1.5),
            (9, 2.0),
            (3, 3.0),
        ]
        told = [(r.context, r.reason, r.offender["shutdown"]) for r in reports]
        assert sorted(told) == [("shutdown_error", "killed", limit) for limit in (1, 2)]

    as_process(body)


def test_restarts_keep_the_arguments_and_count(as_process: Any) -> None:
    async def body() -> None:
        otp.trap_exit()
        reports = watch_reports()
        sup = await DynamicSupervisor.start_link(intensity=2, period=5)
        first = await otp.start_child(sup, Agent.child_spec(lambda: "a"))
        await otp.start_child(sup, Agent.child_spec(lambda: "b", restart="temporary"))
        for pid in (first, None):
            current = pid or (await running(sup))[0]
            otp.exit(current, "kill")
        found = await running(sup)
        assert sorted([await Agent.get(p, str) for p in found]) == ["a", "b"]
        assert first not in found
        (temporary,) = [p for p in found if await Agent.get(p, str) == "b"]
        otp.exit(temporary, "kill")
        assert len(await running(sup)) == 1
        assert (await otp.count_children(sup)).specs == 1
        otp.exit((await running(sup))[0], "kill")
        assert await otp.receive(lambda m: m[1] is sup) == ("EXIT", sup, "shutdown")
        assert reports[-1].reason == "reached_max_restart_intensity"

    async def running(sup: Pid) -> list[Any]:
        return [child.pid for child in await otp.which_children(sup)]

    as_process(body)


def test_answers(as_process: Any) -> None:
    async def ignored() -> None:
        raise Ignore

    async def with_extra() -> Any:
        return otp.spawn_link(otp.receive), "extra"

    async def raising() -> None:
        raise StartError("no disk")

    async def body() -> None:
        sup = await DynamicSupervisor.start_link(name="dyn")
        assert await otp.start_child("dyn", ChildSpec(1, (ignored, ()))) is None
        pid, extra = await otp.start_child(sup, {"id": 1, "start": (with_extra, ())})
        assert extra == "extra"
        refusals: list[tuple[Any, Any]] = [
            (otp.start_child(sup, ChildSpec(1, (raising, ()))), "no disk"),
            (otp.start_child(sup, {"id": 1}), "missing_start"),
            (
                otp.start_child(sup, ChildSpec(1, (ignored, ()), "transient", significant=True)),
                ("invalid_significant", True),
            ),
            (otp.terminate_child(sup, 1), "not_found"),
            (otp.terminate_child(sup, otp.self()), "not_found"),
            (otp.restart_child(sup, 1), "not_found"),
            (otp.delete_child(sup, 1), "not_found"),
            (otp.get_childspec(sup, otp.self()), "not_found"),
        ]
        for request, reason in refusals:
            with pytest.raises(SupervisorError) as refused:
                await request
            assert refused.value.reason == reason
        assert (await otp.get_childspec(sup, pid)).start == (with_extra, ())
        assert [child.pid for child in await otp.which_children(sup)] == [pid]
        counts = await otp.count_children(sup)
        assert (counts.specs, counts.active, counts.supervisors, counts.workers) == (1, 1, 0, 1)
        state = await otp.sys.get_state(sup)
        assert (state.counts, state.children) == (counts, ())

    as_process(body)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"strategy": "rest_for_one"}, ("invalid_strategy", "rest_for_one")),
        ({"strategy": "best"}, ("invalid_strategy", "best")),
        ({"intensity": -1}, ("invalid_intensity", -1)),
        ({"period": 0}, ("invalid_period", 0)),
        ({"max_children": -1}, ("invalid_max_children", -1)),
        ({"max_children": "many"}, ("invalid_max_children", "many")),
        ({"extra_arguments": "ab"}, ("invalid_extra_arguments", "ab")),
    ],
)
def test_options_that_make_no_sense(as_process: Any, options: Any, fault: Any) -> None:
    async def body() -> Any:
        otp.trap_exit()
        with pytest.raises(StartError) as refused:
            await DynamicSupervisor.start_link(**options)
        return refused.value.reason

    assert as_process(body) == ("supervisor_data", fault)


def test_under_a_supervisor(as_process: Any) -> None:
    class Tree(otp.Supervisor):
        def init(self) -> Any:
            return otp.SupFlags(), [DynamicSupervisor.child_spec(name="dyn", max_children=0)]

    async def body() -> Any:
        tree = await Tree.start_link()
        (child,) = await otp.which_children(tree)
        with pytest.raises(SupervisorError, match="max_children: the supervisor has as many"):
            await otp.start_child("dyn", Agent.child_spec(int))
        return child.id, child.type

    assert as_process(body) == ("dyn", "supervisor")


# --- the machine, without processes -------------------------------------------------------


async def start_function() -> None:
    """Never called: the test decides what a start gives."""


def drive(plan: Any, *outcomes: Any) -> tuple[list[Any], Any]:
    """The actions a plan asks for, given the outcomes of each in turn, and its result."""
    actions, waiting = [], list(outcomes)
    try:
        action = next(plan)
        while True:
            actions.append(action)
            action = plan.send(waiting.pop(0) if waiting else None)
    except StopIteration as end:
        return actions, end.value


def test_a_restart_that_fails_is_tried_again_and_still_counts_as_a_child() -> None:
    machine = Dynamic(SupFlags(intensity=9), 1, ("extra",))
    spec = ChildSpec("x", (start_function, ("own",)))
    drive(machine.start_child(spec), Started("p1", "p1"))
    actions, _ = drive(machine.exited("p1", "killed", 0.0), None, Failed("no disk"))
    assert [type(action) for action in actions] == [Tell, Start, Tell, Retry]
    assert actions[1] == Start("x", (start_function, ("extra", "own")))
    assert machine.count_children(bool).active == 0
    assert [child.pid for child in machine.which_children()] == ["restarting"]
    assert machine.get_childspec("p1") == spec
    with pytest.raises(SupervisorError, match="max_children"):
        drive(machine.start_child(spec))
    actions, _ = drive(machine.retry("p1", 0.0), Started("p2", "p2"))
    assert [child.pid for child in machine.which_children()] == ["p2"]
    assert drive(machine.retry("p1", 0.0)) == ([], None)
    drive(machine.exited("p2", "killed", 0.0), None, Ignored())
    assert machine.which_children() == []
    assert drive(machine.exited("p2", "killed", 0.0)) == ([], None)
    assert drive(machine.stop_all()) == ([], None)


def test_a_pending_restart_can_be_given_up() -> None:
    machine = Dynamic(SupFlags(intensity=9))
    spec = ChildSpec("x", (start_function, ()))
    drive(machine.start_child(spec), Started("p1", "p1"))
    drive(machine.exited("p1", "killed", 0.0), None, Failed("no disk"))
    assert drive(machine.terminate_child("p1")) == ([], None)
    assert drive(machine.retry("p1", 0.0)) == ([], None)
    assert drive(machine.stop_all()) == ([], None)


def test_all_are_stopped_in_one_step() -> None:
    machine = Dynamic(SupFlags())
    for number in range(3):
        spec = ChildSpec("x", (start_function, ()), shutdown=number)
        drive(machine.start_child(spec), Started(number, number))
    actions, _ = drive(machine.stop_all(), {0: "shutdown", 1: "shutdown", 2: "shutdown"})
    assert actions == [StopEach({0: 0, 1: 1, 2: 2})]
