"""Restarts as processes: the clock of V9, the retries of V11, nesting of V14."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import ChildSpec, StartError, SupervisorError, SupervisorReport, SupFlags
from supervisors.testing import end_of

from .servers import Plain, Tree, child, ended_linked, kill, pids_of, reports_of, tree


@pytest.mark.parametrize(("phase", "survives"), [(0.05, False), (0.50, True)])
def test_the_window_counts_whole_seconds_of_the_clock(as_process, phase, survives):
    """S06: two kills 1.8 s apart, intensity 1 in 1 s: the phase decides."""

    async def main():
        otp.trap_exit()
        sup = await tree(child("a"), intensity=1, period=1)
        await trio.sleep(phase)
        await kill(otp.whereis("a"))
        await trio.sleep(1.8)
        await kill(otp.whereis("a"))
        if survives:
            assert (await otp.count_children(sup)).active == 1
        else:
            assert await ended_linked(sup) == "shutdown"
            assert otp.registered() == {}

    as_process(main)


def test_the_crash_of_a_child_is_reported_with_its_reason(as_process):
    async def main():
        reports = reports_of(SupervisorReport)
        sup = await tree(child("a"), name="sup")
        before = otp.whereis("a")
        with pytest.raises(otp.CallExit):
            await otp.call("a", "crash")
        assert await pids_of(sup) == {"a": otp.whereis("a")}
        assert otp.whereis("a") is not before
        (report,) = reports
        assert (report.supervisor, report.pid, report.context) == ("sup", sup, "child_terminated")
        assert isinstance(report.reason[0], ValueError)
        assert set(report.offender) == {
            *("pid", "id", "mfargs", "restart_type", "significant", "shutdown", "child_type")
        }
        assert report.offender["pid"] is before

    as_process(main)


class Flaky:
    """A start function that works at first and fails while `broken`."""

    def __init__(self) -> None:
        self.broken = False
        self.attempts = 0

    async def start(self) -> Any:
        self.attempts += 1
        if self.broken:
            raise StartError("broken")
        return await Plain.start_link()


@pytest.mark.otp("supervisor", "hanging_restart_loop")
def test_calls_are_served_between_the_attempts_of_a_restart(as_process):
    async def main():
        flaky = Flaky()
        sup = await tree(ChildSpec("a", (flaky.start, ())), child("b"), intensity=100_000)
        flaky.broken = True
        await kill((await pids_of(sup))["a"])
        assert (await pids_of(sup))["a"] == "restarting"
        assert await otp.count_children(sup) == otp.ChildCounts(2, 1, 0, 2)
        with pytest.raises(SupervisorError) as caught:
            await otp.restart_child(sup, "a")
        assert caught.value.reason == "restarting"
        before = flaky.attempts
        await otp.which_children(sup)
        await otp.which_children(sup)
        assert before < flaky.attempts < before + 20  # neither waits for the other
        flaky.broken = False
        while (await pids_of(sup))["a"] == "restarting":
            await trio.lowlevel.checkpoint()
        assert (await otp.count_children(sup)).active == 2

    as_process(main)


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.otp("supervisor", "hanging_restart_loop")
def test_a_shutdown_is_served_during_a_restart_loop(as_process, strategy):
    async def main():
        otp.trap_exit()
        flaky = Flaky()
        specs = [child("a"), ChildSpec("f", (flaky.start, ())), child("z")]
        sup = await tree(*specs, strategy=strategy, intensity=100_000)
        flaky.broken = True
        await kill((await pids_of(sup))["f"])
        await otp.which_children(sup)
        otp.exit_signal(sup, "shutdown")
        assert await ended_linked(sup) == "shutdown"
        assert otp.current_runtime().processes() == [otp.self()]

    as_process(main)


def test_a_child_in_a_restart_loop_can_be_terminated(as_process):
    async def main():
        flaky = Flaky()
        sup = await tree(ChildSpec("a", (flaky.start, ())), intensity=100_000)
        flaky.broken = True
        await kill((await pids_of(sup))["a"])
        await otp.terminate_child(sup, "a")
        attempts = flaky.attempts
        assert await pids_of(sup) == {"a": None}
        await trio.sleep(1)
        assert flaky.attempts == attempts

    as_process(main)


@pytest.mark.otp("supervisor", "one_for_one_escalation")
def test_a_restart_loop_ends_at_the_limit(as_process):
    async def main():
        otp.trap_exit()
        flaky = Flaky()
        reports = reports_of(SupervisorReport)
        sup = await tree(ChildSpec("a", (flaky.start, ())), intensity=3)
        flaky.broken = True
        pid = (await pids_of(sup))["a"]
        otp.exit_signal(pid, "kill")
        assert await ended_linked(sup) == "shutdown"
        assert flaky.attempts == 4
        assert [r.context for r in reports] == [
            "child_terminated",
            *["start_error"] * 3,
            "shutdown",
        ]
        assert reports[-1].reason == "reached_max_restart_intensity"

    as_process(main)


@pytest.mark.parametrize(("restart", "back"), [("permanent", True), ("transient", False)])
def test_an_inner_supervisor_that_gave_up(as_process, restart, back):
    """V14: its reason is `shutdown`, abnormal only for a permanent child."""

    async def main():
        flags = SupFlags(intensity=0)
        sup = await tree(Tree.child_spec(flags, [child("leaf")], name="inner", restart=restart))
        inner = otp.whereis("inner")
        assert await end_of(inner, lambda: otp.exit_signal(otp.whereis("leaf"), "kill")) == (
            "shutdown"
        )
        pids = await pids_of(sup)
        assert (pids["inner"] is not None) is back
        assert (otp.whereis("leaf") is not None) is back

    as_process(main)


@pytest.mark.otp("supervisor", "tree")
def test_a_crash_goes_up_three_floors_and_no_further(as_process):
    async def main():
        never = SupFlags(intensity=0)
        floor1 = Tree.child_spec(never, [child("leaf")], id="floor1")
        floor2 = Tree.child_spec(never, [floor1, child("near")], id="floor2")
        sup = await tree(floor2, child("far"), intensity=1)
        near, far = otp.whereis("near"), otp.whereis("far")
        await kill(otp.whereis("leaf"))
        while otp.whereis("leaf") is None:
            await trio.lowlevel.checkpoint()
        assert otp.is_alive(sup)
        assert otp.whereis("far") is far
        assert otp.whereis("near") is not near

    as_process(main)


def test_auto_shutdown(as_process):
    async def main():
        otp.trap_exit()
        specs = [
            child("keeper"),
            child("main", restart="transient", significant=True),
        ]
        sup = await tree(*specs, auto_shutdown="any_significant")
        otp.cast("main", "normal")
        assert await ended_linked(sup) == "shutdown"
        assert otp.registered() == {}

    as_process(main)
