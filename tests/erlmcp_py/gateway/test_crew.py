"""Processes of requests are kept for further requests, as long as they are as good as new."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Awaitable, Callable

import pytest
import trio

import supervisors
from erlmcp_py.gateway import crew
from erlmcp_py.gateway.crew import Crew, is_unattached
from supervisors import Pid, is_alive, process_info, receive, run

Work = Callable[[Pid], Awaitable[None]]


async def nothing(_server: Pid) -> None:
    pass


async def job(server: Pid, work: Work) -> bool:
    await work(server)
    free = is_unattached(server)
    supervisors.send(server, (supervisors.self(), free))
    return free


async def done(workers: Crew, work: Work = nothing) -> Pid:
    """Have it done, as a server does; the pid that did it."""
    begun = workers.begin("a request", job, supervisors.self(), work)
    pid, free = await receive()
    assert pid == begun
    if free:
        workers.keep(pid)
    return begun


async def gone(pid: Pid) -> None:
    with trio.fail_after(10):
        while is_alive(pid):
            await trio.lowlevel.checkpoint()


def test_one_process_does_one_request_after_the_other() -> None:
    async def server() -> None:
        workers = Crew()
        first = await done(workers)
        assert await done(workers) == first

    run(server, log=False)


def test_what_came_too_late_for_a_request_is_not_the_next_ones() -> None:
    async def server() -> None:
        workers = Crew()
        first = await done(workers)
        supervisors.send(first, ("$reply", 7, "late"))
        assert await done(workers) == first
        while process_info(first, "message_queue_len"):
            await trio.lowlevel.checkpoint()

    run(server, log=False)


def test_what_a_request_has_brought_is_not_kept_until_the_next_one() -> None:
    class Brought:
        async def __call__(self, _server: Pid) -> None:
            pass

    async def server() -> None:
        workers = Crew()
        kept = []
        for _ in range(2):  # the first one has a process begun, the second one has that again
            work = Brought()
            kept.append(weakref.ref(work))
            pid = await done(workers, work)
            del work
            with trio.fail_after(10):
                while process_info(pid, "label") != "waits for a request":
                    await trio.lowlevel.checkpoint()
            gc.collect()
        assert [one() for one in kept] == [None, None]

    run(server, log=False)


def test_at_the_same_time_each_has_its_own() -> None:
    async def server() -> None:
        workers = Crew()
        go = trio.Event()

        async def wait(_server: Pid) -> None:
            await go.wait()

        pids = {workers.begin("a request", job, supervisors.self(), wait) for _ in range(3)}
        go.set()
        assert len(pids) == 3
        assert {(await receive())[0] for _ in range(3)} == pids

    run(server, log=False)


def test_one_that_is_tied_to_somebody_is_not_kept() -> None:
    async def attach(_server: Pid) -> None:
        supervisors.spawn_link(trio.sleep_forever)

    async def server() -> None:
        workers = Crew()
        first = await done(workers, attach)
        await gone(first)
        assert await done(workers) != first

    run(server, log=False)


@pytest.mark.parametrize("is_told", [False, True])
def test_one_that_was_killed_gets_no_request(is_told: bool) -> None:
    async def server() -> None:
        supervisors.trap_exit(True)
        workers = Crew()
        first = await done(workers)
        supervisors.exit(first, "kill")
        assert await receive() == ("EXIT", first, "killed")
        if is_told:
            workers.lost(first)
        assert await done(workers) != first

    run(server, log=False)


def test_no_more_are_kept_than_is_worth_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "KEPT", 1)

    async def server() -> None:
        workers = Crew()
        go = trio.Event()

        async def wait(_server: Pid) -> None:
            await go.wait()

        pids = [workers.begin("a request", job, supervisors.self(), wait) for _ in range(2)]
        go.set()
        for _ in pids:
            workers.keep((await receive())[0])
        with trio.fail_after(10):
            while all(map(is_alive, pids)):
                await trio.lowlevel.checkpoint()
        assert any(map(is_alive, pids))

    run(server, log=False)


def test_they_end_with_their_server() -> None:
    async def server() -> None:
        workers = Crew()
        first = await done(workers)
        workers.dismiss()
        await gone(first)

    run(server, log=False)


def test_what_a_process_is_for_can_be_seen() -> None:
    async def server() -> None:
        workers = Crew()
        labels = []

        async def look(_server: Pid) -> None:
            labels.append(process_info(supervisors.self(), "label"))

        pid = await done(workers, look)
        while process_info(pid, "label") == "a request":
            await trio.lowlevel.checkpoint()
        labels.append(process_info(pid, "label"))
        await done(workers, look)
        assert labels == ["a request", "waits for a request", "a request"]

    run(server, log=False)
