"""Backoff and budget: restarts that wait, and a limit for one child alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

import supervisors as otp
from supervisors import Backoff, Budget, ChildSpec, GenServer, Supervisor, SupervisorError, SupFlags


class Worker(GenServer):
    def init(self, refuses: list[bool] | None = None) -> Any:
        if refuses and refuses.pop(0):
            return "error", "refused"
        return "ok", None


class Tree(Supervisor):
    def init(self, flags: SupFlags, specs: list[ChildSpec]) -> Any:
        return flags, specs


def steady(first: float = 1.0, **options: Any) -> Backoff:
    return Backoff(first, jitter=0.0, **options)


def spec(id: str, *args: Any, **options: Any) -> ChildSpec:
    return replace(Worker.child_spec(*args, name=id), **options)


async def kill(id: str) -> None:
    """End a child; its supervisor has dealt with that when this returns."""
    pid = otp.whereis(id)
    assert pid is not None
    otp.exit_signal(pid, "kill")
    await otp.which_children("tree")


async def start(*specs: ChildSpec, **flags: Any) -> None:
    await Tree.start_link(SupFlags(**flags), list(specs), name="tree")


async def pids() -> dict[Any, Any]:
    return {child.id: child.pid for child in await otp.which_children("tree")}


def test_each_restart_waits_longer_up_to_the_limit(as_process) -> None:
    async def main() -> None:
        await start(spec("a", backoff=steady(limit=3.0)), intensity=100)
        waits = []
        for _ in range(4):
            await kill("a")
            began = trio.current_time()
            assert await pids() == {"a": "restarting"}
            while otp.whereis("a") is None:
                await trio.sleep(0.1)
            waits.append(round(trio.current_time() - began))
        assert waits == [1, 2, 3, 3]
        await trio.sleep(3.1)
        await kill("a")
        await trio.sleep(1.1)
        assert otp.whereis("a") is not None  # it had run long enough to begin again

    as_process(main)


def test_the_supervisor_answers_while_a_child_waits(as_process) -> None:
    async def main() -> None:
        await start(spec("a", backoff=steady(60.0, limit=60.0)), spec("b"))
        await kill("a")
        assert (await otp.which_child("tree", "a")).pid == "restarting"
        with pytest.raises(SupervisorError, match="restarting"):
            await otp.restart_child("tree", "a")
        await otp.start_child("tree", spec("c"))
        await otp.terminate_child("tree", "a")
        await otp.restart_child("tree", "a")
        pid = otp.whereis("a")
        await trio.sleep(61)
        assert otp.whereis("a") is pid  # the timer of the pause has found nothing to do

    as_process(main)


def test_a_pause_cut_short_does_not_spare_the_next_one(as_process) -> None:
    async def main() -> None:
        await start(spec("a", backoff=steady(10.0)), intensity=100)
        await kill("a")
        await otp.terminate_child("tree", "a")
        await otp.restart_child("tree", "a")
        await kill("a")
        assert await pids() == {"a": "restarting"}
        await trio.sleep(15)  # the pause is 20 s now, and the timer of the first has fired
        assert await pids() == {"a": "restarting"}
        await trio.sleep(6)
        assert otp.whereis("a") is not None

    as_process(main)


def test_attempts_that_fail_are_put_off_too_and_all_count(as_process) -> None:
    async def main() -> None:
        otp.trap_exit()
        flaky = spec("a", [False, True, True, True], backoff=steady(1.0, factor=1.0))
        await start(flaky, intensity=3, period=60)
        tree = otp.whereis("tree")
        await kill("a")
        message = await otp.receive(timeout=10)
        assert message == ("EXIT", tree, "shutdown")
        assert round(trio.current_time()) == 3

    as_process(main)


def test_those_bound_to_it_stop_at_once_and_come_back_with_it(as_process) -> None:
    async def main() -> None:
        waits = spec("b", backoff=steady(5.0))
        await start(spec("a"), waits, spec("c"), strategy="rest_for_one")
        before = await pids()
        await kill("b")
        assert await pids() == {"a": before["a"], "b": "restarting", "c": None}
        await trio.sleep(5.1)
        after = await pids()
        assert after["a"] is before["a"]
        assert {otp.is_alive(after[id]) for id in "abc"} == {True}

    as_process(main)


def test_a_stop_during_a_pause_leaves_nothing_behind(as_process) -> None:
    async def main() -> None:
        await start(spec("a", backoff=steady(5.0)), spec("b"))
        await kill("a")
        await otp.stop("tree")
        await trio.sleep(6)
        assert otp.registered() == {}

    as_process(main)


def test_a_child_with_a_budget_does_not_use_up_the_others(as_process) -> None:
    async def main() -> None:
        otp.trap_exit()
        await start(spec("a", budget=Budget(3, 60)), spec("b"), intensity=1, period=60)
        tree = otp.whereis("tree")
        for id in ("a", "b", "a", "a"):
            await kill(id)
            assert otp.is_alive(tree)
        otp.exit_signal(otp.whereis("a"), "kill")
        assert await otp.receive(timeout=1) == ("EXIT", tree, "shutdown")

    as_process(main)


@pytest.mark.parametrize(
    "option",
    [
        {"backoff": Backoff(first=-1.0)},
        {"backoff": Backoff(first=2.0, limit=1.0)},
        {"backoff": Backoff(factor=0.5)},
        {"backoff": Backoff(jitter=2.0)},
        {"backoff": 1.0},
        {"budget": Budget(-1, 5)},
        {"budget": Budget(1, 0)},
        {"budget": 3},
    ],
)
def test_what_makes_no_sense_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(SupervisorError, match=f"invalid_{next(iter(option))}"):
        otp.check_childspecs([spec("a", **option)])


@given(
    st.floats(0, 1e6),
    st.floats(1, 10),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(0, 5000),
)
def test_a_pause_lies_within_its_jitter(
    first: float, factor: float, jitter: float, chance: float, step: int
) -> None:
    backoff = Backoff(first, factor, limit=1e6, jitter=jitter, random=lambda: chance)
    pause = backoff.pause(step)
    assert 0 <= pause <= 1e6
    assert pause >= min(first, 1e6) * (1 - jitter) * 0.999


@pytest.mark.otp("supervisor", "code_change_simple")
def test_a_code_change_keeps_the_children_of_a_simple_one_for_one(as_process) -> None:
    plan: list[Any] = []

    class Planned(Supervisor):
        def init(self) -> Any:
            return plan[0]

    async def main() -> None:
        one = ChildSpec("w", (Worker.start_link, ()))
        plan[:] = [(SupFlags("simple_one_for_one"), [one])]
        sup = await Planned.start_link()
        child = await otp.start_child(sup, [])
        plan[:] = [(SupFlags("simple_one_for_one", intensity=7), [replace(one, shutdown=9.0)])]
        await otp.sys.suspend(sup)
        await otp.sys.change_code(sup, None, None, None)
        plan[:] = [(SupFlags(), [one])]
        with pytest.raises(otp.sys.CodeChangeError, match="bad_upgrade"):
            await otp.sys.change_code(sup, None, None, None)
        await otp.sys.resume(sup)
        assert (await otp.which_child(sup, child)).pid is child
        assert (await otp.get_childspec(sup, child)).shutdown == 9.0
        assert (await otp.sys.get_state(sup)).flags.intensity == 7

    as_process(main)
