"""The in-memory network: partitions, what is under way, nodes that end."""

from __future__ import annotations

import pytest
import trio

import supervisors as otp
from supervisors import Runtime, receive
from supervisors.distribution import InMemory, connect_node, disconnect_node, monitor_nodes, nodes


async def collect(box):
    otp.register("box", otp.self())
    otp.trap_exit()
    while True:
        box.append(await receive())


async def test_what_is_under_way_is_lost_with_the_connection(autojump_clock, cluster):
    async with cluster("a", "b", delay=1.0) as nodes_:
        box = []
        nodes_.spawn("b", collect, box)
        await nodes_.rest()

        async def main():
            otp.send(("box", "b"), "arrives")
            await trio.sleep(0.5)
            otp.send(("box", "b"), "under way")
            await trio.sleep(0.7)
            assert box == ["arrives"]
            nodes_.network.disconnect("a", "b")
            otp.send(("box", "b"), "unconnected")
            nodes_.network.heal()
            otp.send(("box", "b"), "again")
            await trio.sleep(2.0)
            assert box == ["arrives", "again"]

        await nodes_.on("a", main)


async def test_groups_are_kept_apart_until_healed(autojump_clock, cluster):
    async with cluster("a", "b", "c", "d") as nodes_:
        nodes_.network.partition({"a", "b"}, {"c"})

        async def seen():
            return sorted(nodes())

        assert await nodes_.on("a", seen) == ["b"]
        assert await nodes_.on("c", seen) == []
        assert await nodes_.on("d", seen) == []

        async def try_to_connect():
            return await connect_node("c")

        assert await nodes_.on("a", try_to_connect) is False
        assert nodes_.network.connect("a", "c") is False
        nodes_.network.heal()
        assert await nodes_.on("d", seen) == ["a", "b", "c"]


async def test_a_program_can_connect_and_disconnect(autojump_clock, cluster):
    async with cluster("a", "b") as nodes_:

        async def main():
            assert disconnect_node("b") is True
            assert disconnect_node("b") is False
            assert await connect_node("b") is True
            assert await connect_node("b") is True
            assert await connect_node("nowhere") is False
            assert await connect_node("a") is False
            assert nodes() == ["b"]

        await nodes_.on("a", main)


async def test_a_node_that_ends_goes_down(autojump_clock, cluster):
    async with cluster("a") as nodes_:
        seen = []

        async def watch():
            monitor_nodes()
            await collect(seen)

        nodes_.spawn("a", watch)
        await nodes_.rest()
        async with Runtime("b") as b:
            nodes_.network.join(b)
            nodes_.runtimes["b"] = b
            assert nodes_.network.nodes == ("a", "b")

            async def linked():
                otp.link(nodes_.seen_from("b", nodes_.runtimes["a"].names["box"]))
                otp.send(("box", "a"), otp.self())
                await trio.sleep_forever()

            nodes_.spawn("b", linked)
            await nodes_.rest()
        await nodes_.rest()
        assert nodes_.network.nodes == ("a",)
        assert seen[0] == ("nodeup", "b")
        assert seen[2:] == [("EXIT", seen[1], "noconnection"), ("nodedown", "b")]


async def test_a_late_reply_is_not_for_a_call_of_the_next_run_of_a_node(autojump_clock, cluster):
    async with cluster("a") as nodes_:
        asked, answers = [], []

        async def serve():
            otp.register("desk", otp.self())
            while True:
                _, from_, _ = await receive()
                asked.append(from_)

        async def call():
            answers.append(await otp.call(("desk", "a"), "question"))

        nodes_.spawn("a", serve)
        await nodes_.rest()
        for _ in range(2):
            async with Runtime("b") as b:
                nodes_.network.join(b)
                nodes_.runtimes["b"] = b
                nodes_.spawn("b", call)
                await nodes_.rest()
                if len(asked) == 2:
                    with nodes_.runtimes["a"].active():
                        otp.reply(asked[0], "late")
                    await nodes_.rest()
                    assert answers == []
                    with nodes_.runtimes["a"].active():
                        otp.reply(asked[1], "mine")
                    await nodes_.rest()
        assert answers == ["mine"]


async def nothing():
    pass


async def test_bad_joins(autojump_clock, cluster):
    async with cluster("a") as nodes_:
        with pytest.raises(ValueError, match="named 'a' has joined already"):
            nodes_.network.join(nodes_.runtimes["a"])
        with pytest.raises(RuntimeError, match="has a distribution already"):
            InMemory(nodes_.runtimes["a"])
        with pytest.raises(RuntimeError, match="not open"):
            nodes_.network.join(Runtime("z"))
        with pytest.raises(ValueError, match="no node named 'q' has joined; there are: a"):
            nodes_.network.disconnect("a", "q")


async def test_the_active_runtime_is_where_things_start(autojump_clock, cluster):
    async with cluster("a", "b") as nodes_:

        async def from_inside():
            with nodes_.runtimes["b"].active():
                child = otp.spawn(trio.sleep_forever)
            assert child.node == "b"
            assert child._process.parent is None
            assert otp.spawn(nothing).node == "a"

        await nodes_.on("a", from_inside)


async def test_many_signals_let_others_run(autojump_clock, cluster):
    async with cluster("a", "b") as nodes_:
        box = []
        nodes_.spawn("b", collect, box)
        await nodes_.rest()
        ticks = 0
        async with trio.open_nursery() as nursery:

            async def tick():
                nonlocal ticks
                while len(box) < 2000:
                    ticks += 1
                    await trio.lowlevel.checkpoint()

            with nodes_.runtimes["a"].active():
                for n in range(2000):
                    otp.send(("box", "b"), n)
            nursery.start_soon(tick)
        assert box == list(range(2000))
        assert ticks >= 5
