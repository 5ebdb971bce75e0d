"""What a crash report says of the process that ended, and of its neighbours (1.2)."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import CrashReport, Pid, Report


@pytest.mark.otp("proc_lib", "crash")
@pytest.mark.otp("proc_lib", "stacktrace")
def test_the_process_as_it_was_and_why_it_ended(as_process: Any) -> None:
    async def crashes(ready: trio.Event) -> None:
        otp.set_label("doomed")
        otp.trap_exit()
        ready.set()
        await otp.receive(lambda message: message == "now")
        raise ValueError("on purpose")

    async def main() -> None:
        reports: list[Report] = []
        otp.current_runtime().subscribe(reports.append)
        ready = trio.Event()
        friend = otp.spawn(trio.sleep_forever)
        pid, ref = otp.spawn_monitor(crashes, ready)
        otp.register("unlucky", pid)
        await ready.wait()
        otp.send(pid, "waits in the mailbox")
        otp.send(pid, "now")
        await otp.receive(lambda message: message[1] is ref)
        [report] = reports
        assert isinstance(report, CrashReport)
        error, stack = report.reason
        assert (report.kind, type(error)) == ("error", ValueError)
        assert any(frame.name == "crashes" for frame in stack.frames)
        assert (report.pid, report.name, report.label) == (pid, "unlucky", "doomed")
        assert report.ancestors == (otp.self(),)
        assert report.message_queue_len == 1
        assert report.trap_exit
        assert report.links == report.neighbours == ()
        assert otp.is_alive(friend)

    as_process(main)


@pytest.mark.otp("proc_lib", "crash")
def test_neighbours_are_linked_processes_that_do_not_trap(as_process: Any) -> None:
    """Nearest first and through each other; whoever traps stops the search."""

    async def links(others: list[Pid], trap: bool) -> None:
        otp.trap_exit(trap)
        for other in others:
            otp.link(other)
        await otp.receive(lambda message: message == "end")
        raise otp.Exit("bang")

    async def main() -> None:
        reports: list[Report] = []
        otp.current_runtime().subscribe(reports.append)
        far = otp.spawn(links, [], False)
        near = otp.spawn(links, [far], False)
        behind = otp.spawn(links, [], False)
        trapping = otp.spawn(links, [behind], True)
        pid, ref = otp.spawn_monitor(links, [near, trapping], False)
        await trio.sleep(1)
        otp.send(pid, "end")
        await otp.receive(lambda message: message[1] is ref)
        [report] = (r for r in reports if r.pid == pid)
        assert isinstance(report, CrashReport)
        assert (report.kind, report.reason) == ("exit", "bang")
        assert set(report.links) == {near, trapping}
        assert report.neighbours == (near, far)

    as_process(main)


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", "planned")])
def test_normal_ends_are_not_reported(as_process: Any, reason: Any) -> None:
    async def ends() -> None:
        raise otp.Exit(reason)

    async def main() -> None:
        reports: list[Report] = []
        otp.current_runtime().subscribe(reports.append)
        _, ref = otp.spawn_monitor(ends)
        assert (await otp.receive(lambda message: message[1] is ref))[4] == reason
        assert reports == []

    as_process(main)
