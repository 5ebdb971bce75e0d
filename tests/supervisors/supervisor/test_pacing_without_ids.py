"""Backoff and budget of children that are known by their pids: two kinds of supervisor."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    Backoff,
    Budget,
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    Pid,
    Supervisor,
    SupFlags,
)
from supervisors._supervisor.pacing import Pace


class Worker(GenServer):
    """Says its name and its pid when it starts; answers init with what is left in `plan`."""

    def init(self, name: str, plan: list[Any], listener: Pid) -> Any:
        answer = plan.pop(0) if plan else ("ok", None)
        otp.send(listener, ("start", name, otp.self()))
        return answer


class Simple(Supervisor):
    def init(self, flags: SupFlags, spec: ChildSpec) -> Any:
        return flags, [spec]


class Tree:
    """A supervisor of either kind, under one pair of verbs."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.sup: Pid

    async def begin(
        self,
        backoff: Backoff | None = None,
        budget: Budget | None = None,
        *,
        intensity: int = 1,
        **options: Any,
    ) -> None:
        spec = ChildSpec("w", (Worker.start_link, ()), **options)
        self.spec = replace(spec, backoff=backoff, budget=budget)
        if self.kind == "dynamic":
            self.sup = await DynamicSupervisor.start_link(intensity=intensity, period=60)
        else:
            flags = SupFlags("simple_one_for_one", intensity, 60)
            self.sup = await Simple.start_link(flags, self.spec)

    async def child(self, name: str, plan: Any = ()) -> Pid:
        args = (name, list(plan), otp.self())
        if self.kind == "dynamic":
            spec = replace(self.spec, start=(self.spec.start[0], args))
            await otp.start_child(self.sup, spec)
        else:
            await otp.start_child(self.sup, args)
        return await started(name)

    async def kill(self, pid: Pid) -> None:
        """End a child; the supervisor has dealt with that when this returns."""
        otp.exit_signal(pid, "kill")
        await otp.which_children(self.sup)

    async def pids(self) -> list[Any]:
        return [child.pid for child in await otp.which_children(self.sup)]


async def started(name: str, timeout: float = 100.0) -> Pid:
    message = await otp.receive(lambda m: m[0] == "start" and m[1] == name, timeout=timeout)
    pid = message[2]
    assert isinstance(pid, Pid)
    return pid


@pytest.fixture(params=["dynamic", "simple"])
def tree(request: pytest.FixtureRequest) -> Tree:
    return Tree(request.param)


def steady(first: float = 1.0, **options: Any) -> Backoff:
    return Backoff(first, jitter=0.0, **options)


def test_each_restart_waits_longer_and_the_pace_goes_with_the_child(as_process, tree) -> None:
    async def main() -> None:
        await tree.begin(steady(limit=4.0), intensity=100)
        pid, other = await tree.child("a"), await tree.child("b")
        waits = []
        for _ in range(4):
            await tree.kill(pid)
            began = trio.current_time()
            assert await tree.pids() == ["restarting", other]
            assert (await otp.which_child(tree.sup, pid)).pid == "restarting"
            pid = await started("a")
            waits.append(round(trio.current_time() - began))
        assert waits == [1, 2, 4, 4]
        await tree.kill(other)  # a pace of its own, which begins at the first pause
        began = trio.current_time()
        await started("b")
        assert round(trio.current_time() - began) == 1

    as_process(main)


def test_the_supervisor_starts_and_stops_others_meanwhile(as_process, tree) -> None:
    async def main() -> None:
        await tree.begin(steady(60.0, limit=60.0))
        pid = await tree.child("a")
        await tree.kill(pid)
        other = await tree.child("b")
        assert await tree.pids() == ["restarting", other]
        await otp.terminate_child(tree.sup, other)
        await otp.terminate_child(tree.sup, pid)  # its restart is given up
        assert await tree.pids() == []
        with pytest.raises(trio.TooSlowError):
            await started("a")

    as_process(main)


def test_attempts_that_fail_are_put_off_too_and_all_count(as_process, tree) -> None:
    async def main() -> None:
        otp.trap_exit()
        await tree.begin(steady(1.0, factor=1.0), intensity=3)
        pid = await tree.child("a", [("ok", None), *[("error", "refused")] * 3])
        await tree.kill(pid)
        message = await otp.receive(lambda m: m[0] == "EXIT", timeout=10)
        assert message == ("EXIT", tree.sup, "shutdown")
        assert round(trio.current_time()) == 3

    as_process(main)


def test_a_child_that_is_ignored_after_its_pause_is_gone(as_process, tree) -> None:
    async def main() -> None:
        await tree.begin(steady(1.0))
        pid = await tree.child("a", [("ok", None), "ignore"])
        await tree.kill(pid)
        await started("a")
        assert await tree.pids() == []

    as_process(main)


def test_a_stop_during_a_pause_leaves_nothing_behind(as_process, tree) -> None:
    async def main() -> None:
        await tree.begin(steady(5.0))
        await tree.kill(await tree.child("a"))
        await otp.stop(tree.sup)
        with pytest.raises(trio.TooSlowError):
            await started("a")

    as_process(main)


def test_the_pace_of_a_child_goes_with_it(as_process, tree) -> None:
    """However it goes: nothing of it is kept."""

    async def main() -> None:
        before = paces()
        await tree.begin(steady(1.0), intensity=100, restart="transient")
        for end in ("terminated", "terminated while it waits", "ended"):
            pid = await tree.child("a")
            await tree.kill(pid)
            if end == "terminated while it waits":
                await otp.terminate_child(tree.sup, pid)
                continue
            pid = await started("a")
            assert paces() == before + 1
            if end == "terminated":
                await otp.terminate_child(tree.sup, pid)
            else:
                await otp.stop(pid)
            assert await tree.pids() == []
        assert paces() == before

    as_process(main)


def paces() -> int:
    gc.collect()
    return sum(type(thing) is Pace for thing in gc.get_objects())


def test_a_budget_is_each_childs_own(as_process, tree) -> None:
    async def main() -> None:
        otp.trap_exit()
        await tree.begin(budget=Budget(2, 60), intensity=0)
        pids = {"a": await tree.child("a"), "b": await tree.child("b")}
        for name in ("a", "b", "a", "b"):
            await tree.kill(pids[name])
            pids[name] = await started(name)
        otp.exit_signal(pids["b"], "kill")
        assert await otp.receive(timeout=1) == ("EXIT", tree.sup, "shutdown")

    as_process(main)


@pytest.mark.parametrize(
    ("option", "fault"),
    [({"backoff": Backoff(factor=0.5)}, "invalid_backoff"), ({"budget": 3}, "invalid_budget")],
)
def test_what_makes_no_sense_is_refused(as_process, tree, option, fault) -> None:
    async def main() -> None:
        otp.trap_exit()
        refused = (otp.StartError, otp.SupervisorError)
        with pytest.raises(refused, match=fault):
            await tree.begin(**option)
            await tree.child("a")

    as_process(main)


def test_a_code_change_keeps_the_pace_of_who_waits(as_process) -> None:
    plan: list[Any] = []

    class Planned(Supervisor):
        def init(self) -> Any:
            return plan[0]

    async def main() -> None:
        flags = SupFlags("simple_one_for_one", intensity=2, period=60)
        spec = ChildSpec("w", (Worker.start_link, ()), backoff=steady(5.0))
        plan[:] = [(flags, [spec])]
        sup = await Planned.start_link()
        await otp.start_child(sup, ("a", [], otp.self()))
        otp.exit_signal(await started("a"), "kill")
        await otp.which_children(sup)
        await otp.sys.suspend(sup)
        plan[:] = [(flags, [replace(spec, shutdown=9.0)])]
        await otp.sys.change_code(sup, None, None, None)
        await otp.sys.resume(sup)
        began = trio.current_time()
        pid = await started("a")
        assert round(trio.current_time() - began) == 5
        otp.exit_signal(pid, "kill")
        await started("a")
        assert round(trio.current_time() - began) == 15  # the second pause is twice as long
        assert (await otp.sys.get_state(sup)).restarts == 2

    as_process(main)


@pytest.mark.parametrize(
    "options",
    [{"backoff": None}, {"backoff": steady(9.0)}, {"backoff": None, "budget": otp.Budget(0, 60)}],
    ids=["no pauses any more", "other pauses", "a budget of its own"],
)
@pytest.mark.parametrize("strategy", ["simple_one_for_one", "one_for_one"])
def test_a_code_change_does_not_count_a_restart_again_that_waits(
    as_process, strategy: str, options: dict[str, Any]
) -> None:
    plan: list[Any] = []

    class Planned(Supervisor):
        def init(self) -> Any:
            return plan[0]

    async def main() -> None:
        without_ids = strategy == "simple_one_for_one"
        args = ("a", [], otp.self())
        spec = ChildSpec("w", (Worker.start_link, () if without_ids else args), backoff=steady(5.0))
        flags = SupFlags(strategy, intensity=1, period=60)
        plan[:] = [(flags, [spec])]
        sup = await Planned.start_link()
        if without_ids:
            await otp.start_child(sup, args)
        otp.exit_signal(await started("a"), "kill")
        await otp.which_children(sup)
        await otp.sys.suspend(sup)
        plan[:] = [(flags, [replace(spec, **options)])]
        await otp.sys.change_code(sup, None, None, None)
        await otp.sys.resume(sup)
        began = trio.current_time()
        await started("a")
        assert round(trio.current_time() - began) == 5
        assert (await otp.sys.get_state(sup)).restarts == 1

    as_process(main)
