"""Names over all nodes (1.11), and S38: two nodes with one name that meet."""

from __future__ import annotations

import threading

import pytest
import trio

import supervisors as otp
from supervisors import BadArg, GenServer, StartError, receive
from supervisors.distribution import global_
from supervisors.testing import events


class Server(GenServer):
    def init(self):
        return "ok", otp.self()

    def handle_call(self, request, _from, state):
        return "reply", state, state


async def named(term, answers, resolve=global_.random_exit_name):
    """A process that asks for a global name and stays."""
    otp.trap_exit()
    answers.append(await global_.register_name(term, otp.self(), resolve))
    while True:
        answers.append(await receive())


async def whereis(term):
    return global_.whereis_name(term)


async def test_a_name_is_known_everywhere_and_given_once(autojump_clock, cluster):
    async with cluster("a", "b", "c") as nodes_:
        answers = []
        pid = nodes_.spawn("b", named, "x", answers)
        await nodes_.rest()
        assert answers == ["yes"]
        for node in ("a", "b", "c"):
            assert await nodes_.on(node, whereis, "x") is nodes_.seen_from(node, pid)
        late = []
        nodes_.spawn("c", named, "x", late)
        await nodes_.rest()
        assert late == ["no"]

        async def use():
            otp.send(("global", "x"), "hello")
            with pytest.raises(BadArg):
                otp.send(("global", "y"), "hello")
            assert global_.registered_names() == ["x"]

        await nodes_.on("a", use)
        await nodes_.rest()
        assert answers == ["yes", "hello"]


@pytest.mark.parametrize("delay", [0.0, 0.3])
async def test_of_many_who_ask_at_once_one_gets_it(autojump_clock, cluster, delay):
    async with cluster("a", "b", "c", delay=delay) as nodes_:
        answers = []
        for node in ("c", "b", "a", "c", "b"):
            nodes_.spawn(node, named, "x", answers)
        await trio.sleep(5)
        assert sorted(answers) == ["no", "no", "no", "no", "yes"]
        found = [await nodes_.on(node, whereis, "x") for node in ("a", "b", "c")]
        assert len({str(pid) for pid in found}) == 1


async def test_gone_on_death_unregister_and_nodedown(autojump_clock, cluster):
    async with cluster("a", "b") as nodes_:

        async def both():
            await nodes_.rest()
            return [await nodes_.on(node, whereis, "x") for node in ("a", "b")]

        pid = nodes_.spawn("b", named, "x", [])
        assert None not in await both()
        with nodes_.runtimes["b"].active():
            otp.exit(pid, "kill")
        assert await both() == [None, None]

        nodes_.spawn("b", named, "x", [])
        assert None not in await both()

        async def drop():
            global_.unregister_name("x")

        await nodes_.on("a", drop)
        assert await both() == [None, None]

        pid = nodes_.spawn("b", named, "x", [])
        assert None not in await both()
        nodes_.network.disconnect("a", "b")
        assert await both() == [None, pid]
        nodes_.network.heal()
        assert await both() == [nodes_.seen_from("a", pid), pid]


async def clash(nodes_, resolve=global_.random_exit_name):
    """Two nodes give one name while apart, then meet: both processes and their mail."""
    nodes_.network.partition(["a", "c"], ["b", "d"])
    mail = {"a": [], "b": []}
    pids = {node: nodes_.spawn(node, named, "x", mail[node], resolve) for node in ("a", "b")}
    await nodes_.rest()
    assert mail == {"a": ["yes"], "b": ["yes"]}
    nodes_.network.heal()
    await nodes_.rest()
    return pids, mail


async def test_s38_one_is_killed_and_the_name_kept(autojump_clock, cluster):
    """S38."""
    async with cluster("a", "b", "c", "d") as nodes_:
        pids, _ = await clash(nodes_)
        assert otp.is_alive(pids["a"])
        assert not otp.is_alive(pids["b"])
        for node in "abcd":
            assert await nodes_.on(node, whereis, "x") is nodes_.seen_from(node, pids["a"])


async def test_notify_one(autojump_clock, cluster):
    async with cluster("a", "b", "c", "d") as nodes_:
        pids, mail = await clash(nodes_, global_.random_notify_name)
        assert mail == {"a": ["yes"], "b": ["yes", ("global_name_conflict", "x")]}
        for node in "abcd":
            assert await nodes_.on(node, whereis, "x") is nodes_.seen_from(node, pids["a"])


async def test_notify_all(autojump_clock, cluster):
    async with cluster("a", "b", "c", "d") as nodes_:
        pids, mail = await clash(nodes_, global_.notify_all_name)
        other = nodes_.seen_from("a", pids["b"])
        assert mail["a"] == ["yes", ("global_name_conflict", "x", other)]
        other = nodes_.seen_from("b", pids["a"])
        assert mail["b"] == ["yes", ("global_name_conflict", "x", other)]
        for node in "abcd":
            assert await nodes_.on(node, whereis, "x") is None


async def test_the_deciding_node_goes_while_it_is_asked(autojump_clock, cluster):
    """`a` decides; without it `b` does, and what `a` had granted is free again."""
    async with cluster("a", "b", "c", delay=1.0) as nodes_:
        answers = []
        nodes_.spawn("c", named, "x", answers)
        await trio.sleep(0.5)
        nodes_.network.partition(["a"], ["b", "c"])
        await trio.sleep(10)
        assert answers == ["yes"]
        later = []
        nodes_.spawn("a", named, "x", later)
        await trio.sleep(5)
        assert later == ["yes"]


async def test_servers_start_under_global_names(autojump_clock, cluster):
    """G2, G19."""
    async with cluster("a", "b") as nodes_:

        async def start():
            return await Server.start(name=("global", "srv"))

        pid = await nodes_.on("a", start)
        await nodes_.rest()

        async def again():
            with pytest.raises(StartError) as refused:
                await Server.start(name=("global", "srv"))
            assert refused.value.reason == ("already_started", nodes_.seen_from("b", pid))
            return await otp.call(("global", "srv"), "self")

        assert await nodes_.on("b", again) is nodes_.seen_from("b", pid)


async def test_a_dead_process_gets_no_name(autojump_clock, cluster):
    async with cluster("a") as nodes_:

        async def main():
            async def nothing():
                pass

            pid = otp.spawn(nothing)
            await trio.sleep(1)
            with pytest.raises(BadArg, match="is dead"):
                await global_.register_name("x", pid)

        await nodes_.on("a", main)


@pytest.mark.parametrize("after", [0.5, 1.5, 2.0])
async def test_who_is_killed_while_asking_holds_no_name(autojump_clock, cluster, after):
    """The question is under way, the answer is, or has just come."""
    async with cluster("a", "b", delay=1.0) as nodes_:
        answers = []
        pid = nodes_.spawn("b", named, "x", answers)
        await trio.sleep(after)
        with nodes_.runtimes["b"].active():
            otp.exit(pid, "kill")
        await trio.sleep(10)
        for node in ("a", "b"):
            answers = []
            holder = nodes_.spawn(node, named, "x", answers)
            await trio.sleep(5)
            assert answers == ["yes"]
            with nodes_.runtimes[node].active():
                otp.exit(holder, "kill")
            await trio.sleep(5)


async def everywhere(nodes_, term):
    return [await nodes_.on(node, whereis, term) for node in nodes_.runtimes]


async def test_a_name_got_for_one_who_has_ended_meanwhile_is_gone_everywhere(
    autojump_clock, cluster
):
    """The answer of the deciding node is under way while the process ends."""
    async with cluster("a", "b", delay=1.0) as nodes_:
        pid = nodes_.spawn("b", trio.sleep_forever)

        async def ask():
            await global_.register_name("x", pid)

        nodes_.spawn("b", ask)
        await trio.sleep(0.5)
        with nodes_.runtimes["b"].active():
            otp.exit_signal(pid, "kill")
        await trio.sleep(10)
        assert await everywhere(nodes_, "x") == [None, None]


def slow_between(slow):
    """Delays: `slow` says how slow each direction is."""
    return lambda sender, receiver: slow.get((sender, receiver), 0.0)


async def test_nobody_passes_on_a_name_whose_end_the_others_know(autojump_clock, cluster):
    """`b` and `c` meet; what `b` has yet to hear of `a` must not come back by way of `b`."""
    slow = {}
    async with cluster("a", "b", "c", delay=slow_between(slow)) as nodes_:
        pid = nodes_.spawn("a", named, "x", [])
        await nodes_.rest()
        nodes_.network.disconnect("b", "c")
        slow["a", "b"] = 5.0
        with nodes_.runtimes["a"].active():
            otp.exit_signal(pid, "kill")
        await trio.sleep(1)
        nodes_.network.connect("b", "c")
        await trio.sleep(10)
        assert await everywhere(nodes_, "x") == [None, None, None]


async def test_a_conflict_whose_end_is_lost_is_resolved_when_they_meet_again(
    autojump_clock, cluster
):
    """The loser is to be killed, and the connection breaks before it hears of it."""
    slow = {}
    async with cluster("a", "b", delay=slow_between(slow)) as nodes_:
        nodes_.network.partition(["a"], ["b"])
        pids = {node: nodes_.spawn(node, named, "x", []) for node in ("a", "b")}
        await nodes_.rest()
        slow["a", "b"] = 5.0
        nodes_.network.heal()
        await trio.sleep(1)
        nodes_.network.disconnect("a", "b")
        assert otp.is_alive(pids["b"])
        slow.clear()
        nodes_.network.heal()
        await nodes_.rest()
        assert not otp.is_alive(pids["b"])
        keeper = pids["a"]
        assert await everywhere(nodes_, "x") == [keeper, nodes_.seen_from("b", keeper)]


async def test_a_name_given_again_outlives_the_news_of_its_end(autojump_clock, cluster):
    """`a` takes the name from a process of `c`, which gets it again; `b` hears that in
    whatever order.
    """
    slow = {}
    async with cluster("a", "b", "c", delay=slow_between(slow)) as nodes_:
        answers = []
        pid = nodes_.spawn("c", named, "x", answers)
        await nodes_.rest()
        slow["a", "b"] = 5.0

        async def take():
            global_.unregister_name("x")

        async def again():
            return await global_.register_name("x", pid)

        await nodes_.on("a", take)
        await nodes_.rest()
        assert await nodes_.on("c", again) == "yes"
        await trio.sleep(10)
        seen = [nodes_.seen_from(node, pid) for node in ("a", "b", "c")]
        assert await everywhere(nodes_, "x") == seen


async def test_a_name_for_a_process_of_another_node(autojump_clock, cluster):
    async with cluster("a", "b", "c", delay=0.1) as nodes_:
        pid = nodes_.spawn("c", trio.sleep_forever)

        async def give():
            there = nodes_.seen_from("b", pid)
            assert await global_.register_name("x", there) == "yes"
            assert global_.whereis_name("x") is there
            assert await global_.register_name("x", there) == "no"

        await nodes_.on("b", give)
        await trio.sleep(1)
        seen = [nodes_.seen_from(node, pid) for node in ("a", "b", "c")]
        assert await everywhere(nodes_, "x") == seen
        nodes_.network.partition(["b"], ["a", "c"])
        assert await everywhere(nodes_, "x") == [seen[0], None, seen[2]]
        with nodes_.runtimes["c"].active():
            otp.exit_signal(pid, "kill")
        await trio.sleep(1)
        assert await everywhere(nodes_, "x") == [None, None, None]


async def test_a_name_that_is_refused_at_the_end_is_not_kept_free(autojump_clock, cluster):
    """`a` keeps the name free for `b`, which hears meanwhile that `c` has it: `b` gives it back."""
    async with cluster("a", "b", "c") as nodes_:
        nodes_.network.disconnect("a", "c")

        async def ask_and_be_late():
            names = nodes_.runtimes["b"].endpoint.globals
            assert await names.reserve("x")
            answers = []
            pid = nodes_.spawn("c", named, "x", answers)
            await nodes_.rest()
            assert answers == ["yes"]
            assert names.register_name("x", otp.self()) == "no"
            return pid

        pid = await nodes_.on("b", ask_and_be_late)
        with nodes_.runtimes["c"].active():
            otp.exit_signal(pid, "kill")
        await nodes_.rest()
        answers = []
        nodes_.spawn("a", named, "x", answers)
        await nodes_.rest()
        assert answers == ["yes"]


async def test_a_name_that_cannot_travel_stays_on_its_node(autojump_clock, cluster):
    async with cluster("a", "b") as nodes_:
        nodes_.network.disconnect("a", "b")
        odd = threading.Lock()

        async def take():
            pid = otp.spawn(receive)
            for term in (odd, "sound"):
                assert await global_.register_name(term, pid) == "yes"
            return pid

        pid = await nodes_.on("a", take)
        with nodes_.runtimes["a"].active(), events() as seen:
            nodes_.network.connect("a", "b")
            await nodes_.rest()

            assert await nodes_.on("b", whereis, "sound") is nodes_.seen_from("b", pid)
            otp.send(pid, "end")
            await nodes_.rest()
            assert [report.details["name"] for report in seen.of(otp.WarningReport)] == [
                repr(odd),
                repr(odd),
            ]
        for node in ("a", "b"):
            assert await nodes_.on(node, whereis, "sound") is None
        assert not nodes_.runtimes["a"].endpoint.globals._table

        async def take_now():
            with pytest.raises(BadArg, match="cannot send to another node"):
                await global_.register_name(odd, otp.self())

        await nodes_.on("a", take_now)
        assert not nodes_.runtimes["a"].endpoint.globals._reserved
        await nodes_.on("b", take_now)
        assert not nodes_.runtimes["b"].endpoint.globals._questions
