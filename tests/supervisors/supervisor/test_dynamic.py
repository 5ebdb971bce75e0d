"""simple_one_for_one as a process: many children, one timer, restarts with arguments."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import SupervisorError, SupervisorReport

from .servers import Plain, Slow, Trapping, ended_linked, kill, reports_of, tree


async def dynamic(module: Any = Plain, **options: Any) -> otp.Pid:
    flags = {key: options.pop(key) for key in ("intensity", "period") if key in options}
    return await tree(module.child_spec(**options), strategy="simple_one_for_one", **flags)


@pytest.mark.otp("supervisor", "simple_one_for_one")
def test_children_come_and_go(as_process):
    async def main():
        sup = await dynamic(restart="temporary")
        first = await otp.start_child(sup, ["first"])
        second = await otp.start_child(sup, ["second", 2])
        assert await otp.call(second, "state") == ("second", 2)
        assert [c.pid for c in await otp.which_children(sup)] == [second, first]
        assert await otp.count_children(sup) == otp.ChildCounts(1, 2, 0, 2)
        await kill(first)
        assert [c.pid for c in await otp.which_children(sup)] == [second]
        await otp.terminate_child(sup, second)
        assert await otp.count_children(sup) == otp.ChildCounts(1, 0, 0, 0)

    as_process(main)


def test_a_restarted_child_has_its_own_arguments(as_process):
    async def main():
        sup = await dynamic(intensity=5)
        pids = [await otp.start_child(sup, [number]) for number in range(3)]
        await kill(pids[1])
        children = [c.pid for c in await otp.which_children(sup)]
        assert sorted([await otp.call(pid, "state") for pid in children]) == [(0,), (1,), (2,)]

    as_process(main)


@pytest.mark.otp("supervisor", "child_adm_simple")
def test_answers_of_the_administration(as_process):
    async def refusal(request: Any) -> Any:
        with pytest.raises(SupervisorError) as caught:
            await request
        return caught.value.reason

    async def main():
        sup = await dynamic(id="kid")
        pid = await otp.start_child(sup, [])
        assert (await otp.get_childspec(sup, pid)).id == "kid"
        assert await refusal(otp.get_childspec(sup, "kid")) == "not_found"
        assert await refusal(otp.get_childspec(sup, otp.self())) == "not_found"
        for request in (otp.terminate_child, otp.restart_child, otp.delete_child):
            assert await refusal(request(sup, "kid")) == "simple_one_for_one"
        assert await refusal(otp.terminate_child(sup, otp.self())) == "not_found"
        await otp.terminate_child(sup, pid)
        await otp.terminate_child(sup, pid)  # dead by now: no error
        assert await refusal(otp.start_child(sup, "ab")) == ("invalid_args", "ab")

    as_process(main)


@pytest.mark.otp("supervisor", "sup_stop_timeout_dynamic")
@pytest.mark.otp("supervisor", "simple_one_for_one_shutdown")
def test_all_stop_at_once_and_one_timer_covers_them(as_process):
    async def main():
        otp.trap_exit()
        reports = reports_of(SupervisorReport)
        sup = await dynamic(Slow, shutdown=2.0)
        for seconds in (1.0, 60.0, 1.5, 70.0):
            await otp.start_child(sup, [0.0, seconds])
        otp.exit_signal(sup, "shutdown")
        assert await ended_linked(sup) == "shutdown"
        assert otp.current_runtime().now() == 2.0
        assert otp.current_runtime().processes() == [otp.self()]
        (report,) = reports
        assert (report.context, report.reason) == ("shutdown_error", "killed")
        assert report.offender["nb_children"] == 2
        assert "pid" not in report.offender

    as_process(main)


@pytest.mark.parametrize("module", [Plain, Trapping])
@pytest.mark.otp("supervisor", "count_children")
@pytest.mark.otp("supervisor", "simple_one_for_one_scale_many_temporary_children")
@pytest.mark.otp("supervisor", "scale_start_stop_many_children")
def test_thousands_of_children(as_process, module):
    async def main():
        otp.trap_exit()
        sup = await dynamic(module, restart="temporary")
        pids = [await otp.start_child(sup, [number]) for number in range(4000)]
        for pid in pids[::2]:
            otp.exit_signal(pid, "kill")
        assert (await otp.count_children(sup)).active == 2000
        assert len(await otp.which_children(sup)) == 2000
        otp.exit_signal(sup, "shutdown")
        assert await ended_linked(sup) == "shutdown"
        assert otp.current_runtime().processes() == [otp.self()]

    as_process(main)


def test_a_restart_loop_does_not_stop_others_from_being_started(as_process):
    async def main():
        broken = False

        async def start(number: int) -> otp.Pid:
            if broken and number == 1:
                raise otp.StartError("broken")
            return await Plain.start_link(number)

        spec = otp.ChildSpec("kid", (start, ()))
        sup = await tree(spec, strategy="simple_one_for_one", intensity=100_000)
        pid = await otp.start_child(sup, [1])
        broken = True
        await kill(pid)
        other = await otp.start_child(sup, [2])
        assert await otp.count_children(sup) == otp.ChildCounts(1, 1, 0, 2)
        await otp.terminate_child(sup, pid)
        assert [c.pid for c in await otp.which_children(sup)] == [other]
        await trio.sleep(1)

    as_process(main)
