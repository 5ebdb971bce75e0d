"""Managers as processes: how they start, sleep and end, and who hears of it."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import StartError, SupFlags, gen_event, sys
from supervisors.testing import end_of

from .handlers import Echo, heard


@pytest.mark.otp("gen_event_SUITE", "start")
def test_ways_to_start_and_stop(as_process: Any) -> None:
    async def body() -> None:
        otp.trap_exit()
        for start in (gen_event.start, gen_event.start_link):
            pid = await start()
            assert await gen_event.which_handlers(pid) == []
            await gen_event.stop(pid)
            named = await start(name="events")
            assert otp.whereis("events") is named
            with pytest.raises(StartError) as taken:
                await start(name="events")
            assert taken.value.reason == ("already_started", named)
            await gen_event.stop("events")
            assert otp.whereis("events") is None
        pid = await gen_event.start_link()
        await gen_event.stop(pid, "shutdown", 10)
        left = []
        while len(left) < 3:
            left.append(await heard())
        assert [message[2] for message in left] == ["normal", "normal", "shutdown"]

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "start_opt")
@pytest.mark.otp("gen_event_SUITE", "auto_hibernate")
@pytest.mark.parametrize("start", [gen_event.start, gen_event.start_link])
def test_hibernate_after_a_while_without_events(as_process: Any, start: Any) -> None:
    async def body() -> None:
        pid = await start(hibernate_after=5)
        await gen_event.add_handler(pid, Echo, otp.self())
        assert not (await sys.get_status(pid))["hibernating"]
        await trio.sleep(6)
        assert (await sys.get_status(pid))["hibernating"]
        gen_event.notify(pid, "awake")
        assert await heard() == ("event", "awake")
        assert not (await sys.get_status(pid))["hibernating"]

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "add_sup_handler")
def test_the_end_of_the_manager_is_told_once_for_each_handler(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_sup_handler(pid, Echo)
        await gen_event.add_sup_handler(pid, (Echo, 2))
        await gen_event.stop(pid, "shutdown")  # no EXIT of it: we do not trap, and live
        assert await heard() == ("gen_event_EXIT", (Echo, 2), "shutdown")
        assert await heard() == ("gen_event_EXIT", Echo, "shutdown")

    as_process(body)


def test_a_manager_outlives_its_unlinked_starter_that_supervises_a_handler(as_process: Any) -> None:
    async def body() -> None:
        async def starter() -> None:
            pid = await gen_event.start(name="events")
            await gen_event.add_handler(pid, (Echo, "stays"))
            await gen_event.add_sup_handler(pid, (Echo, "goes"))
            raise otp.Exit("done")

        _pid, ref = otp.spawn_monitor(starter)
        await otp.receive(lambda message: message[1] is ref)
        assert await gen_event.which_handlers("events") == [(Echo, "stays")]

    as_process(body)


def test_the_exit_of_the_parent_ends_the_manager(as_process: Any) -> None:
    async def body() -> None:
        me = otp.self()

        async def parent() -> None:
            pid = await gen_event.start_link()
            await gen_event.add_handler(pid, Echo)
            otp.send(me, pid)
            await otp.receive()
            raise otp.Exit("enough")

        boss = otp.spawn(parent)
        pid = await otp.receive()
        assert await end_of(pid, lambda: otp.send(boss, "end")) == "enough"

    as_process(body)


def test_as_a_child_it_comes_back_without_handlers_and_its_supervisors_are_told(
    as_process: Any,
) -> None:
    class Tree(otp.Supervisor):
        def init(self) -> Any:
            return SupFlags(), [gen_event.child_spec(name="events")]

    async def body() -> None:
        otp.trap_exit()
        tree = await Tree.start_link()
        (child,) = await otp.which_children(tree)
        assert (child.id, child.modules) == ("events", "dynamic")
        await gen_event.add_sup_handler("events", Echo)
        otp.exit("events", "kill")
        assert (await heard())[2] == "killed"
        await otp.which_children(tree)
        assert await gen_event.which_handlers("events") == []

    as_process(body)
