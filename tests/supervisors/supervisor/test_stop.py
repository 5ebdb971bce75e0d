"""Stopping children and the supervisor: rules V4, V5, V6, V15."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import ChildSpec, SupervisorReport, WarningReport
from supervisors.testing import end_of

from .servers import Plain, Slow, Trapping, child, ended_linked, kill, reports_of, tree


@pytest.mark.parametrize("module", [Plain, Trapping, Slow])
@pytest.mark.otp("supervisor", "sup_stop_brutal_kill")
def test_brutal_kill(as_process, module):
    async def main():
        reports = reports_of(SupervisorReport)
        args = (0.0, 60.0) if module is Slow else ()
        sup = await tree(child("a", module, *args, shutdown="brutal_kill"))
        pid = otp.whereis("a")
        ref = otp.monitor(pid)
        await otp.terminate_child(sup, "a")
        assert (await otp.receive(lambda m: m[1] is ref))[4] == "killed"
        assert otp.current_runtime().now() == 0.0
        assert reports == []

    as_process(main)


@pytest.mark.otp("supervisor", "sup_stop_timeout")
def test_a_child_that_takes_too_long_is_killed_and_reported(as_process):
    async def main():
        reports = reports_of(SupervisorReport)
        sup = await tree(child("a", Slow, 0.0, 60.0, shutdown=2.5))
        pid = otp.whereis("a")
        await otp.terminate_child(sup, "a")
        assert otp.current_runtime().now() == 2.5
        assert not otp.is_alive(pid)
        (report,) = reports
        assert (report.context, report.reason) == ("shutdown_error", "killed")
        assert (report.offender["id"], report.offender["pid"]) == ("a", pid)

    as_process(main)


@pytest.mark.otp("supervisor", "sup_stop_infinity")
def test_infinity_waits_as_long_as_it_takes(as_process):
    async def main():
        reports = reports_of(SupervisorReport)
        sup = await tree(child("a", Slow, 0.0, 86400.0, shutdown=float("inf")))
        await otp.terminate_child(sup, "a")
        assert otp.current_runtime().now() == 86400.0
        assert reports == []

    as_process(main)


def test_one_that_cleans_up_behind_a_shield_is_waited_for(as_process):
    """A coroutine cannot be ended in the middle of shielded work, not even by kill."""

    async def shielded() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(10)

    async def main():
        spec = ChildSpec("a", (otp.spawn_link, (shielded,)), shutdown=1.0)
        sup = await tree(spec)
        await trio.sleep(0.5)
        await otp.terminate_child(sup, "a")
        assert otp.current_runtime().now() == 10.5

    as_process(main)


@pytest.mark.otp("supervisor", "order_of_children")
def test_children_stop_one_at_a_time_in_reverse(as_process):
    async def main():
        otp.trap_exit()
        sup = await tree(*(child(id, Slow, 0.0, 1.0) for id in "abc"))
        refs = {otp.monitor(id): id for id in "abc"}
        otp.exit_signal(sup, "shutdown")
        order = []
        for _ in refs:
            message = await otp.receive(lambda m: m[0] == "DOWN")
            order.append((refs[message[1]], otp.current_runtime().now()))
        assert order == [("c", 1.0), ("b", 2.0), ("a", 3.0)]
        assert await ended_linked(sup) == "shutdown"

    as_process(main)


@pytest.mark.otp("supervisor", "child_unlink")
def test_a_child_that_unlinked_itself_cannot_hang_it(as_process):
    async def unlinking(parent: otp.Pid) -> None:
        otp.unlink(parent)
        await trio.sleep_forever()

    async def main():
        otp.trap_exit()

        def start() -> otp.Pid:
            return otp.spawn_link(unlinking, otp.self())

        sup = await tree(ChildSpec("a", (start, ())))
        await trio.sleep(1)
        otp.exit_signal(sup, "shutdown")
        assert await ended_linked(sup) == "shutdown"
        assert otp.current_runtime().processes() == [otp.self()]

    as_process(main)


@pytest.mark.parametrize(
    ("restart", "reason", "reported"),
    [
        ("permanent", "normal", True),
        ("permanent", "bad", True),
        ("transient", "normal", False),
        ("temporary", ("shutdown", "x"), False),
        ("temporary", "bad", True),
    ],
)
@pytest.mark.otp("supervisor", "sup_stop_race")
def test_one_that_ended_just_before_keeps_its_own_reason(as_process, restart, reason, reported):
    """The slow child `b` is being stopped while `a` ends by itself (sup_stop_race)."""

    async def main():
        otp.trap_exit()
        reports = reports_of(SupervisorReport)
        sup = await tree(child("a", restart=restart), child("b", Slow, 0.0, 1.0))
        otp.exit_signal(sup, "shutdown")
        await trio.sleep(0.5)
        otp.cast("a", reason)
        assert await ended_linked(sup) == "shutdown"
        seen = [(r.context, r.offender["id"], r.reason) for r in reports]
        assert seen == [("shutdown_error", "a", reason)] * reported

    as_process(main)


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", "x"), "bad"])
@pytest.mark.otp("supervisor", "sup_start_normal")
def test_it_ends_with_the_reason_of_its_parent(as_process, reason):
    async def main():
        async def parent() -> None:
            sup = await tree(child("a"), name="sup")
            assert otp.is_alive(sup)
            await otp.receive()
            raise otp.Exit(reason)

        pid = otp.spawn(parent)
        await trio.sleep(1)
        sup = otp.whereis("sup")
        leaf = otp.whereis("a")
        assert await end_of(sup, lambda: otp.send(pid, "end")) == reason
        assert not otp.is_alive(leaf)

    as_process(main)


def test_exits_of_strangers_are_nothing_to_it(as_process):
    async def main():
        sup = await tree(child("a"))
        stranger = otp.spawn(partial(trio.sleep, 9))

        async def rude() -> None:
            otp.exit_signal(sup, "because")

        await end_of(otp.spawn(rude))
        assert otp.is_alive(sup)
        await kill(stranger)
        assert (await otp.count_children(sup)).active == 1

    as_process(main)


def test_other_messages_are_reported_and_dropped(as_process):
    async def main():
        warnings = reports_of(WarningReport)
        sup = await tree(child("a"))
        for odd in ("hello", 17, ("EXIT",), ()):
            otp.send(sup, odd)
        otp.cast(sup, "do something")
        assert (await otp.count_children(sup)).active == 1
        assert len(warnings) == 5
        assert warnings[0].pid is sup
        with pytest.raises(otp.SupervisorError, match="unknown_request"):
            verdict, reason = await otp.call(sup, "nonsense")
            assert verdict == "error"
            raise otp.SupervisorError(reason)

    as_process(main)


def test_requests_that_come_during_a_stop_are_served_after_it_in_order(as_process):
    async def main():
        sup = await tree(child("slow", Slow, 0.0, 5.0), child("a"))
        events: list[tuple[Any, ...]] = []
        requests = [
            *((otp.terminate_child, id) for id in ("slow", "a")),
            *((otp.delete_child, id) for id in ("a", "slow")),
        ]
        callers = []
        otp.sys.trace(sup, events.append)
        for act, id in requests:
            callers.append(otp.spawn(act, sup, id))
            await trio.sleep(1)
        assert [event for event in events if event[0] == "out"] == []
        await trio.sleep(10)
        answered = [event[2] for event in events if event[0] == "out"]
        assert answered == callers
        assert await otp.which_children(sup) == []

    as_process(main)


def test_stop_ends_it_in_order(as_process):
    async def main():
        otp.trap_exit()
        sup = await tree(child("a", Slow, 0.0, 1.0), child("b"))
        await otp.stop(sup)
        assert otp.current_runtime().processes() == [otp.self()]
        assert await ended_linked(sup) == "normal"

    as_process(main)
