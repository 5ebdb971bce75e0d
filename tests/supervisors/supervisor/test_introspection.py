"""What `supervisors.sys` shows of a supervisor and does to it (SEMANTICS 1.7)."""

from __future__ import annotations

import pytest
import trio

import supervisors as otp
from supervisors import SupervisorState, SupFlags, sys
from supervisors.testing import end_of

from .servers import Plain, child, kill, pids_of, tree


def test_get_state_and_status(as_process):
    async def main():
        sup = await tree(child("a"), child("b"), name="sup", intensity=3)
        await kill(otp.whereis("a"))
        await otp.which_children(sup)
        state = await sys.get_state("sup")
        assert isinstance(state, SupervisorState)
        assert state.flags == SupFlags(intensity=3)
        assert [(c.id, c.pid) for c in state.children] == [
            ("b", otp.whereis("b")),
            ("a", otp.whereis("a")),
        ]
        assert (state.restarts, state.counts) == (1, otp.ChildCounts(2, 2, 0, 2))
        status = await sys.get_status("sup")
        assert (status["name"], status["status"], status["parent"]) == (
            "sup",
            "running",
            otp.self(),
        )
        with pytest.raises(TypeError, match="start_child"):
            await sys.replace_state("sup", lambda state: state)

    as_process(main)


def test_dynamic_children_are_only_counted(as_process):
    async def main():
        sup = await tree(Plain.child_spec(), strategy="simple_one_for_one")
        for number in range(3):
            await otp.start_child(sup, [number])
        state = await sys.get_state(sup)
        assert (state.children, state.counts) == ((), otp.ChildCounts(1, 3, 0, 3))

    as_process(main)


def test_a_suspended_supervisor_restarts_nobody_until_resumed(as_process):
    async def main():
        sup = await tree(child("a"))
        await sys.suspend(sup)
        await kill(otp.whereis("a"))
        await trio.sleep(1)
        assert otp.whereis("a") is None
        assert len((await sys.get_state(sup)).children) == 1
        await sys.resume(sup)
        assert await pids_of(sup) == {"a": otp.whereis("a")}
        assert otp.whereis("a") is not None

    as_process(main)


def test_the_end_of_the_parent_comes_through_a_suspension(as_process):
    async def main():
        async def parent() -> None:
            sup = await tree(child("a"), name="sup")
            await sys.suspend(sup)
            await otp.receive()

        pid = otp.spawn(parent)
        await trio.sleep(1)
        sup = otp.whereis("sup")
        assert await end_of(sup, lambda: otp.send(pid, "end")) == "normal"
        assert otp.registered() == {}

    as_process(main)


def test_a_traced_supervisor_shows_requests_and_answers(as_process):
    async def main():
        events = []
        sup = await tree(child("a"))
        sys.trace(sup, events.append)
        await otp.count_children(sup)
        sys.trace(sup, None)
        assert [event[0] for event in events] == ["in", "out"]
        assert events[1] == ("out", ("ok", otp.ChildCounts(1, 1, 0, 1)), otp.self())

    as_process(main)
