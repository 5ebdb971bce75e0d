"""Groups beyond the scenarios: callbacks, supervision, other nodes, and a model."""

from __future__ import annotations

import doctest
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

import supervisors as otp
from supervisors import GenServer, Pid, Supervisor, SupFlags, pg
from supervisors._pg.groups import Entry, Groups, expand


def test_the_chapter() -> None:
    result = doctest.testmod(pg)
    assert result.attempted > 3
    assert result.failed == 0


class Guest(GenServer):
    """Joins from init, as a plain callback can, and leaves when told."""

    def init(self) -> Any:
        pg.join_soon("rooms", "lobby", otp.self())
        return "ok", None

    def handle_cast(self, request: Any, state: Any) -> Any:
        pg.leave_soon("rooms", "lobby", otp.self())
        return "noreply", state

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return "reply", pg.get_members("rooms", "lobby"), state


def test_plain_callbacks_join_leave_and_read(as_process: Any) -> None:
    async def body() -> None:
        await pg.start_link("rooms")
        guest = await Guest.start()
        await otp.sys.get_state("rooms")
        await trio.testing.wait_all_tasks_blocked()
        assert await otp.call(guest, "who") == [guest]
        otp.cast(guest, "leave")
        await trio.testing.wait_all_tasks_blocked()
        assert pg.which_groups("rooms") == []

    as_process(body)


def test_a_scope_as_a_supervised_child_comes_back_empty(as_process: Any) -> None:
    class Tree(Supervisor):
        def init(self) -> Any:
            return SupFlags(), [pg.child_spec("rooms")]

    async def body() -> None:
        tree = await Tree.start_link()
        await pg.join("rooms", "lobby", otp.self())
        before = otp.whereis("rooms")
        assert before is not None
        otp.exit(before, "kill")
        await otp.which_children(tree)
        assert otp.whereis("rooms") not in (None, before)
        assert pg.get_members("rooms", "lobby") == []
        assert otp.process_info(otp.self()).monitored_by == ()  # type: ignore[union-attr]

    as_process(body)


@pytest.mark.parametrize("member", ["a name", None, 7])
def test_only_pids_are_members(as_process: Any, member: Any) -> None:
    async def body() -> None:
        await pg.start_link("rooms")
        with pytest.raises(otp.BadArg, match="members of a group are pids"):
            await pg.join("rooms", "lobby", [member])

    as_process(body)


def test_processes_of_other_nodes_join_there(as_process: Any) -> None:
    async def body() -> None:
        await pg.start_link("rooms")
        with pytest.raises(otp.BadArg, match="lives on node 'elsewhere'"):
            await pg.join("rooms", "lobby", Pid("elsewhere", 1, 0))
        assert pg.which_groups("rooms") == []

    as_process(body)


def test_a_scope_forgets_everything_about_the_dead(as_process: Any) -> None:
    async def body() -> None:
        scope = await pg.start_link("rooms")
        guests = [otp.spawn(otp.receive) for _ in range(50)]
        for room in range(5):
            await pg.join("rooms", room, guests)
        for guest in guests:
            otp.send(guest, "end")
        await trio.testing.wait_all_tasks_blocked()
        state = await otp.sys.get_state(scope)
        assert (state.members, state.watching, list(state.groups)) == ({}, {}, [])

    as_process(body)


class Cable:
    """Scopes of one runtime, under names of their own, as if each were a node."""

    def __init__(self, *nodes: str) -> None:
        self.connected = list(nodes)

    def nodes(self, scope: Pid) -> Iterable[str]:
        return [node for node in self.connected if otp.whereis(node) not in (None, scope)]

    def send(self, node: str, name: str, message: Any) -> None:
        otp.send(node, message)


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


def test_scopes_of_connected_nodes_know_each_others_members(as_process: Any) -> None:
    async def body() -> None:
        cable = Cable("here", "there")
        me, other = otp.self(), otp.spawn(otp.receive)
        await pg.start_link("here", cable)
        await pg.join("here", "lobby", [me, me])
        there = await pg.start("there", cable)
        await settled()
        assert pg.get_members("there", "lobby") == [me, me]
        assert pg.get_local_members("there", "lobby") == []
        _ref, groups = await pg.monitor_scope("here")
        assert groups == {"lobby": [me, me]}
        await pg.join("there", "lobby", [me, other])
        await pg.join("there", "bar", other)
        await settled()
        assert Counter(pg.get_members("here", "lobby")) == {me: 3, other: 1}
        assert pg.get_local_members("here", "lobby") == [me, me]
        await pg.leave("there", "lobby", other)
        await pg.leave("here", "lobby", me)
        await settled()
        assert pg.get_members("there", "lobby") == [me, me]
        otp.exit(there, "kill")  # what a lost node looks like: its scope is down
        await settled()
        assert pg.get_members("here", "lobby") == [me]
        assert pg.which_groups("here") == ["lobby"]
        news = [(await otp.receive(timeout=0))[1:] for _ in range(6)]
        assert news == [
            ("join", "lobby", [me, other]),
            ("join", "bar", [other]),
            ("leave", "lobby", [other]),
            ("leave", "lobby", [me]),
            ("leave", "lobby", [me]),
            ("leave", "bar", [other]),
        ]

    as_process(body)


def test_a_sync_may_replace_all_who_were_in_a_group(as_process: Any) -> None:
    async def body() -> None:
        await pg.start_link("here", Cable())
        peer, a, b = (otp.spawn(otp.receive) for _ in range(3))
        otp.send("here", ("pg_sync", peer, [("lobby", [a]), ("hall", [])]))
        otp.send("here", ("pg_sync", peer, [("lobby", [b])]))
        await settled()
        assert pg.get_members("here", "lobby") == [b]
        assert pg.which_groups("here") == ["lobby"]

    as_process(body)


def test_a_node_that_comes_later_is_asked(as_process: Any) -> None:
    async def body() -> None:
        cable = Cable()
        await pg.start_link("here", cable)
        await pg.start_link("there", cable)
        await pg.join("there", "lobby", otp.self())
        await settled()
        assert pg.which_groups("here") == []
        otp.send("here", ("nodeup", "there"))
        await settled()
        assert pg.get_members("here", "lobby") == [otp.self()]
        await pg.join("here", "bar", otp.self())
        await settled()
        assert pg.get_members("there", "bar") == [otp.self()]

    as_process(body)


def test_a_second_sync_tells_only_the_difference(as_process: Any) -> None:
    async def body() -> None:
        await pg.start_link("here", Cable())
        peer, a, b = (otp.spawn(otp.receive) for _ in range(3))
        await pg.monitor_scope("here")
        otp.send("here", ("pg_sync", peer, [("lobby", [a, a]), ("bar", [b])]))
        otp.send("here", ("pg_sync", peer, [("lobby", [a, b])]))
        await settled()
        news = [(await otp.receive(timeout=0))[1:] for _ in range(5)]
        assert news == [
            ("join", "lobby", [a, a]),
            ("join", "bar", [b]),
            ("leave", "lobby", [a]),
            ("leave", "bar", [b]),
            ("join", "lobby", [b]),
        ]
        with pytest.raises(trio.TooSlowError):
            await otp.receive(timeout=0)

    as_process(body)


PIDS = [Pid("node", number, 0) for number in range(3)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["join", "leave"]),
        st.sampled_from("ab"),
        st.lists(st.sampled_from(PIDS), min_size=1, max_size=3),
        st.booleans(),
    )
)


@given(STEPS)
def test_a_table_is_a_bag_of_pids_per_group(steps: list[Any]) -> None:
    groups = Groups()
    model = {(group, remote): Counter[Pid]() for group in "ab" for remote in (False, True)}
    for verb, group, pids, remote in steps:
        getattr(groups, verb)(groups.open(group), pids, remote=remote)
        bag = model[group, remote]
        if verb == "join":
            bag.update(pids)
        else:
            bag.subtract(Counter(pids))
            for pid in [pid for pid, times in bag.items() if times <= 0]:
                del bag[pid]
        for name in "ab":
            entry = groups.find(name) or Entry(name, hash(name))
            assert Counter(expand(entry.local)) == model[name, False]
            assert Counter(entry.members()) == model[name, False] + model[name, True]
        assert {entry.group for entry in groups} == {
            name for (name, _), bag in model.items() if bag
        }
