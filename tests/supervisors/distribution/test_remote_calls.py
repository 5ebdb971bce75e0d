"""Calls to other nodes, as gen_server_SUITE asks: dead processes, nodes that are gone, many at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import CallExit, GenServer, Runtime, abcast, multi_call, receive


class Piller(GenServer):
    """Says that it runs; answers late, or never, when asked to."""

    def init(self, answers: Any = "ok") -> Any:
        return "ok", answers

    def handle_call(self, request: Any, from_: Any, answers: Any) -> Any:
        match request:
            case ("late", seconds):
                otp.send_after(seconds, otp.self(), ("answer", from_))
                return "noreply", answers
            case "never":
                return "noreply", answers
            case ("exit", reason):
                raise otp.Exit(reason)
        return "reply", answers, answers

    def handle_cast(self, request: Any, answers: Any) -> Any:
        return "noreply", (answers, request)

    def handle_info(self, message: Any, answers: Any) -> Any:
        otp.reply(message[1], answers)
        return "noreply", answers


class AsyncPiller(Piller):
    async def handle_call(self, request: Any, from_: Any, answers: Any) -> Any:
        return super().handle_call(request, from_, answers)


both = pytest.mark.parametrize("server", [Piller, AsyncPiller])


@asynccontextmanager
async def node(nodes_: Any, name: str) -> AsyncIterator[None]:
    """One more node; it stops where the block ends."""
    async with Runtime(name) as runtime:
        nodes_.network.join(runtime)
        nodes_.runtimes[name] = runtime
        yield


async def start(server: Any, name: Any = None) -> Any:
    return await server.start(name=name)


async def cause_of(server: Any, request: Any = "started", timeout: float = 5.0) -> Any:
    with pytest.raises(CallExit) as failed:
        await otp.call(server, request, timeout)
    return failed.value.cause


async def empty() -> None:
    """Nothing else comes."""
    await trio.sleep(100)
    with pytest.raises(trio.TooSlowError):
        await receive(timeout=0)


@both
@pytest.mark.otp("gen_server", "call_remote1")
async def test_a_global_name_on_another_node(autojump_clock, cluster, server):
    async with cluster("a", "b") as nodes_:
        pid = await nodes_.on("b", start, server, ("global", "hubba"))

        async def main():
            assert await otp.call(("global", "hubba"), "started") == "ok"
            otp.exit(nodes_.seen_from("a", pid), "boom")
            # The name may be gone already, or the server with its reason.
            assert await cause_of(("global", "hubba")) in ("noproc", "boom")
            await trio.sleep(1)
            assert await cause_of(("global", "hubba")) == "noproc"

        await nodes_.on("a", main)


@both
@pytest.mark.otp("gen_server", "call_remote2")
async def test_a_pid_on_another_node(autojump_clock, cluster, server):
    async with cluster("a", "b") as nodes_:
        pid = nodes_.seen_from("a", await nodes_.on("b", start, server))

        async def main():
            assert await otp.call(pid, "started") == "ok"
            otp.exit(pid, "boom")
            assert await cause_of(pid) in ("noproc", "boom")
            await trio.sleep(1)
            assert await cause_of(pid) == "noproc"

        await nodes_.on("a", main)


@both
@pytest.mark.otp("gen_server", "call_remote3")
async def test_a_registered_name_on_another_node(autojump_clock, cluster, server):
    async with cluster("a", "b") as nodes_:
        pid = nodes_.seen_from("a", await nodes_.on("b", start, server, "piller"))

        async def main():
            assert await otp.call(("piller", "b"), "started") == "ok"
            otp.exit(pid, "boom")
            assert await cause_of(("piller", "b")) in ("noproc", "boom")
            await trio.sleep(1)
            assert await cause_of(("piller", "b")) == "noproc"
            assert await cause_of(("piller", "a")) == "noproc"

        await nodes_.on("a", main)


@pytest.mark.otp("gen_server", "call_remote_n1")
@pytest.mark.otp("gen_server", "call_remote_n2")
@pytest.mark.otp("gen_server", "call_remote_n3")
async def test_a_node_that_has_stopped(autojump_clock, cluster):
    """A global name is gone with its node; a pid and a name of a node say which node is down."""
    async with cluster("a") as nodes_:
        async with node(nodes_, "b"):
            known = await nodes_.on("b", start, Piller, ("global", "hubba"))
            pid = nodes_.seen_from("a", known)
            await nodes_.on("b", start, Piller, "piller")

        async def main():
            assert await cause_of(("global", "hubba")) == "noproc"
            assert await cause_of(pid) == ("nodedown", "b")
            assert await cause_of(("piller", "b")) == ("nodedown", "b")
            assert await cause_of(("piller", "never seen")) == ("nodedown", "never seen")

        await nodes_.on("a", main)


@both
async def test_what_ends_a_call_is_told(autojump_clock, cluster, server):
    """G12: the reason of the server, of the time-out, of the connection, each once."""
    async with cluster("a", "b", delay=0.1) as nodes_:
        await nodes_.on("b", start, server, "piller")

        async def main():
            there = ("piller", "b")
            assert await cause_of(there, ("late", 10.0), 1.0) == "timeout"
            await empty()
            with pytest.raises(CallExit) as failed:
                await otp.call(there, ("exit", ("shutdown", "moved")), 7.0)
            asked = ("gen_server", "call", (there, ("exit", ("shutdown", "moved")), 7.0))
            assert failed.value.reason == (("shutdown", "moved"), asked)
            await nodes_.on("b", start, server, "piller")
            async with trio.open_nursery() as nursery:

                async def cut():
                    await trio.sleep(1)
                    nodes_.network.partition({"a"}, {"b"})

                nursery.start_soon(cut)
                began = trio.current_time()
                assert await cause_of(there, "never") == ("nodedown", "b")
                assert trio.current_time() - began == 1.0
            assert await cause_of(there) == ("nodedown", "b")
            await empty()

        await nodes_.on("a", main)


async def start_on(nodes_: Any, *names: str) -> None:
    for name in names:
        await nodes_.on(name, start_named, name)


async def start_named(name: str) -> None:
    await Piller.start(name, name="piller")


@pytest.mark.otp("gen_server", "multicall_remote")
async def test_a_call_to_many_nodes(autojump_clock, cluster):
    """G15: replies with their nodes, in the order asked; by default all connected ones."""
    async with cluster("a", "b", "c", "d") as nodes_:
        await start_on(nodes_, "b", "c", "d")

        async def main():
            assert await multi_call("piller", "who", nodes=["d", "b", "c"]) == (
                [("d", "d"), ("b", "b"), ("c", "c")],
                [],
            )
            assert await multi_call("piller", "who") == (
                [("b", "b"), ("c", "c"), ("d", "d")],
                ["a"],  # has no such server
            )
            # A node that is named twice is asked once.
            assert await multi_call("piller", "who", nodes=["b", "b"]) == ([("b", "b")], [])
            assert await multi_call("piller", "who", nodes=[]) == ([], [])
            await empty()

        await nodes_.on("a", main)


@pytest.mark.otp("gen_server", "multicall_down")
async def test_a_call_to_many_of_whom_some_are_down(autojump_clock, cluster):
    async with cluster("a", "b", "c") as nodes_:
        await start_on(nodes_, "a", "b", "c")
        async with node(nodes_, "d"):
            await start_on(nodes_, "d")
        nodes_.network.partition({"a", "b"}, {"c"})

        async def main():
            began = trio.current_time()
            assert await multi_call(
                "piller", "who", nodes=["never seen", "d", "c", "b", "a"], timeout=3.0
            ) == ([("b", "b"), ("a", "a")], ["never seen", "d", "c"])
            assert trio.current_time() == began  # nobody waits for those that are down
            await empty()

        await nodes_.on("a", main)


async def test_one_time_out_for_all_and_late_replies_are_dropped(autojump_clock, cluster):
    async with cluster("a", "b", "c", delay=0.25) as nodes_:
        await start_on(nodes_, "b", "c")

        async def main():
            began = trio.current_time()
            assert await multi_call("piller", ("late", 2.0), nodes=["b", "c"], timeout=1.0) == (
                [],
                ["b", "c"],
            )
            assert trio.current_time() - began == 1.0
            await empty()
            assert await multi_call("piller", ("late", 0.5), nodes=["b", "c"], timeout=1.01) == (
                [("b", "b"), ("c", "c")],
                [],
            )
            await empty()

        await nodes_.on("a", main)
        for runtime in nodes_.runtimes.values():
            assert runtime.endpoint.asked == {}
            assert runtime.endpoint.watching == {}


async def test_a_partition_in_the_middle_of_a_call_to_many(autojump_clock, cluster):
    async with cluster("a", "b", "c") as nodes_:
        await start_on(nodes_, "b", "c")

        async def main():
            async with trio.open_nursery() as nursery:

                async def cut():
                    await trio.sleep(1)
                    nodes_.network.partition({"a", "b"}, {"c"})
                    nodes_.network.heal()  # what was asked before is lost all the same

                nursery.start_soon(cut)
                answers = await multi_call("piller", ("late", 2.0), nodes=["b", "c"])
            assert answers == ([("b", "b")], ["c"])
            await empty()
            assert await multi_call("piller", "who", nodes=["c"]) == ([("c", "c")], [])

        await nodes_.on("a", main)


async def test_a_cast_to_many(autojump_clock, cluster):
    """G15: silent where nobody is."""
    async with cluster("a", "b", "c") as nodes_:
        await start_on(nodes_, "a", "c")
        nodes_.network.partition({"a", "c"}, {"b"})

        async def main():
            abcast("piller", "one")
            abcast("piller", "two", nodes=["c", "b", "never seen"])
            assert await otp.call("piller", "seen") == ("a", "one")
            assert await otp.call(("piller", "c"), "seen") == (("c", "one"), "two")
            await empty()

        await nodes_.on("a", main)


@pytest.mark.parametrize("ask", [otp.call, otp.send_request, otp.sys.replace_state])
async def test_a_request_that_cannot_be_sent_leaves_nobody_waiting(autojump_clock, cluster, ask):
    async with cluster("a", "b") as nodes_:
        victim = await nodes_.on("b", otp.Agent.start, int)

        async def main():
            theirs = nodes_.seen_from("a", victim)
            with pytest.raises(otp.BadArg, match="cannot send to another node"):
                asked = ask(theirs, (n for n in ()))
                if ask is not otp.send_request:
                    await asked
            assert nodes_.runtimes["a"].endpoint.asked == {}
            ref = otp.monitor(theirs)
            otp.exit_signal(theirs, "kill")
            assert (await otp.receive())[:2] == ("DOWN", ref)
            with pytest.raises(trio.TooSlowError):
                await otp.receive(timeout=1)

        await nodes_.on("a", main)
