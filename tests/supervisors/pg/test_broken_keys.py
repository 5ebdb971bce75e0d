"""Groups whose key breaks after it was used: its user gets the error, a scope and the others live."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import supervisors as otp
from supervisors import Pid, Runtime, WarningReport, pg
from supervisors.distribution import GroupPeers, InMemory
from supervisors.testing import events, wait_all_blocked


class Key:
    """Hashes and compares until it is told to raise at one or both; all collide."""

    def __init__(self, name: str = "key") -> None:
        self.name = name
        self.broken: set[str] = set()

    def __hash__(self) -> int:
        if "hash" in self.broken:
            raise ValueError("this does not hash")
        return 7

    def __eq__(self, other: object) -> bool:
        if "==" in self.broken | getattr(other, "broken", set()):
            raise ValueError("this does not compare")
        return isinstance(other, Key) and self.name == other.name

    def __repr__(self) -> str:
        return f"Key({self.name})"


BREAKS = pytest.mark.parametrize(
    "broken", [{"hash"}, {"=="}, {"hash", "=="}], ids=lambda broken: "-".join(sorted(broken))
)


async def ended(pid: Pid) -> None:
    ref = otp.monitor(pid)
    otp.send(pid, "end")
    await otp.receive(lambda message: message[:2] == ("DOWN", ref))
    await wait_all_blocked()


@BREAKS
def test_others_leave_their_groups_though_a_key_of_theirs_broke(
    as_process: Any, broken: set[str]
) -> None:
    async def body() -> None:
        scope = await pg.start_link()
        me, key = otp.self(), Key()
        await pg.join("pg", key, me)
        for sound in ("lobby", 7, Key("sound")):
            await pg.join("pg", sound, me)
        key.broken = broken
        for sound in ("lobby", 7, Key("sound")):
            assert await pg.leave("pg", sound, me)
            assert not await pg.leave("pg", sound, me)
            assert pg.get_members("pg", sound) == []
        assert pg.which_groups("pg") == [key]
        assert otp.is_alive(scope)

    as_process(body)


@BREAKS
def test_who_uses_a_broken_key_gets_the_error(as_process: Any, broken: set[str]) -> None:
    async def body() -> None:
        scope = await pg.start_link()
        me, key = otp.self(), Key()
        await pg.join("pg", key, me)
        another = Key()
        another.broken = broken
        for use in (pg.join, pg.leave):
            with pytest.raises(ValueError, match="does not"):
                await use("pg", another, me)
        with pytest.raises(ValueError, match="does not"):
            await pg.monitor("pg", another)
        with pytest.raises(ValueError, match="does not"):
            pg.get_members("pg", another)
        assert otp.is_alive(scope)
        assert pg.get_members("pg", key) == [me]

    as_process(body)


@BREAKS
def test_the_dead_leave_a_group_whose_key_broke(as_process: Any, broken: set[str]) -> None:
    async def body() -> None:
        scope = await pg.start_link()
        key, guest = Key(), otp.spawn(otp.receive)
        await pg.join("pg", key, guest)
        await pg.join("pg", "lobby", [guest, otp.self()])
        heard, _ = await pg.monitor("pg", key)
        key.broken = broken
        await ended(guest)
        ref, verb, group, pids = await otp.receive(timeout=0)
        assert (ref, verb, pids) == (heard, "leave", [guest])
        assert group is key
        assert pg.which_groups("pg") == ["lobby"]
        assert pg.get_members("pg", "lobby") == [otp.self()]
        assert await pg.demonitor("pg", heard)
        state = await otp.sys.get_state(scope)
        assert state.told == {}
        assert list(state.groups) == [state.groups.find("lobby")]

    as_process(body)


def test_a_key_that_breaks_under_way_is_the_error_of_its_caller(as_process: Any) -> None:
    async def body() -> None:
        scope = await pg.start_link()
        await otp.sys.suspend(scope)
        key, failed = Key(), []

        async def guest() -> None:
            try:
                await pg.join("pg", key, otp.self())
            except ValueError as error:
                failed.append(str(error))

        otp.spawn(guest)
        await wait_all_blocked()
        soon = Key("soon")
        pg.join_soon("pg", soon, otp.self())
        key.broken = soon.broken = {"hash"}
        with events() as seen:
            await otp.sys.resume(scope)
            await wait_all_blocked()
        assert failed == ["this does not hash"]
        (report,) = seen.of(WarningReport)
        assert report.details["error"] == "ValueError: this does not hash"
        assert pg.which_groups("pg") == []
        assert otp.is_alive(scope)

    as_process(body)


@pytest.mark.parametrize(
    "broken", [{"hash"}, {"hash", "=="}], ids=lambda broken: "-".join(sorted(broken))
)
def test_a_snapshot_of_all_groups_leaves_out_what_cannot_be_a_key(
    as_process: Any, broken: set[str]
) -> None:
    async def body() -> None:
        await pg.start_link()
        me, key = otp.self(), Key()
        await pg.join("pg", key, me)
        await pg.join("pg", "lobby", me)
        key.broken = broken
        ref, groups = await pg.monitor_scope("pg")
        assert groups == {"lobby": [me]}
        await pg.leave("pg", "lobby", me)
        assert await otp.receive(timeout=0) == (ref, "leave", "lobby", [me])

    as_process(body)


Body = Callable[[], Awaitable[None]]


async def in_node(runtime: Runtime, body: Body) -> None:
    """Run `body` as a process of a node, to its end."""
    failed: list[BaseException] = []

    async def process() -> None:
        try:
            await body()
        except Exception as error:
            failed.append(error)

    with runtime.active():
        otp.spawn(process)
    await wait_all_blocked()
    if failed:
        raise failed[0]


def test_a_key_that_cannot_travel_is_refused_where_there_are_other_nodes(as_process: Any) -> None:
    async def body() -> None:
        async with Runtime("paris") as paris, Runtime("rome") as rome:
            InMemory(paris, rome)

            async def opens() -> None:
                await pg.start("rooms", GroupPeers())

            for node in (paris, rome):
                await in_node(node, opens)

            async def joins() -> None:
                with pytest.raises(otp.BadArg, match="cannot send to another node"):
                    await pg.join("rooms", threading.Lock(), otp.self())
                await pg.join("rooms", "lobby", otp.self())
                assert pg.which_groups("rooms") == ["lobby"]
                await otp.receive()

            await in_node(paris, joins)

            async def looks() -> None:
                assert len(pg.get_members("rooms", "lobby")) == 1

            await in_node(rome, looks)

    as_process(body)


def test_a_group_whose_key_cannot_travel_stays_on_its_node(as_process: Any) -> None:
    async def body() -> None:
        async with Runtime("paris") as paris, Runtime("rome") as rome:
            lock = threading.Lock()
            guests: list[Pid] = []

            async def opens() -> None:
                await pg.start("rooms", GroupPeers())

            async def joins() -> None:
                guests.append(otp.self())
                await pg.join("rooms", lock, otp.self())
                await pg.join("rooms", "lobby", otp.self())
                await otp.receive()

            for node in (paris, rome):
                await in_node(node, opens)
            await in_node(paris, joins)
            with paris.active(), events() as seen:
                InMemory(paris, rome)
                await wait_all_blocked()
            assert "stays on this node" in seen.of(WarningReport)[0].text

            async def looks() -> None:
                assert pg.which_groups("rooms") == ["lobby"]

            await in_node(rome, looks)
            with paris.active():
                otp.send(guests[0], "end")
            await wait_all_blocked()

            async def gone() -> None:
                assert pg.which_groups("rooms") == []

            await in_node(rome, gone)
            await in_node(paris, gone)

    as_process(body)
