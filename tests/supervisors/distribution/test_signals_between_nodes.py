"""Send, call, link, monitor and exit across nodes: the rules of one node hold (P1-P14, G12-G16)."""

from __future__ import annotations

import pickle

import pytest
import trio

import supervisors as otp
from supervisors import BadArg, CallExit, Exit, GenServer, pg, receive
from supervisors.distribution import GroupPeers, monitor_nodes, nodes


class Echo(GenServer):
    def init(self, name="echo"):
        otp.trap_exit()
        return "ok", []

    def handle_call(self, request, from_, state):
        match request:
            case "seen":
                return "reply", state, state
            case ("later", seconds):
                otp.send_after(seconds, otp.self(), ("answer", from_))
                return "noreply", state
            case ("delegate", pid):
                otp.send(pid, ("please answer", from_))
                return "noreply", state
            case "unpicklable":
                return "reply", (n for n in ()), state
            case ("stop", reason):
                return "stop", reason, state
            case "who":
                return "reply", from_.pid, state
        return "reply", request, state

    def handle_cast(self, request, state):
        return "noreply", [*state, ("cast", request)]

    def handle_info(self, message, state):
        match message:
            case ("answer", from_):
                otp.reply(from_, "at last")
        return "noreply", [*state, message]


async def start_echo(name="echo"):
    return await Echo.start(name=name)


async def forever():
    await trio.sleep_forever()


async def quiet():
    """Nothing is under way and nothing lies in the mailbox."""
    await trio.sleep(1)
    with pytest.raises(trio.TooSlowError):
        await receive(timeout=0)


async def test_order_is_kept_between_two_processes(autojump_clock, cluster):
    """P1: messages, casts and the exit signal arrive as they were sent."""
    async with cluster("a", "b", delay=0.5) as nodes_:
        await nodes_.on("b", start_echo)

        async def main():
            for n in range(300):
                (otp.send if n % 2 else otp.cast)(("echo", "b"), n)
            seen = await otp.call(("echo", "b"), "seen")
            assert seen == [n if n % 2 else ("cast", n) for n in range(300)]

        await nodes_.on("a", main)


async def test_a_pid_that_comes_home_is_the_same(autojump_clock, cluster):
    async with cluster("a", "b") as nodes_:
        pid = await nodes_.on("b", start_echo)

        async def main():
            me = otp.self()
            theirs = nodes_.seen_from("a", pid)
            assert theirs is not pid
            assert theirs._process is not pid._process
            assert str(theirs) == str(pid)
            assert pickle.loads(pickle.dumps(theirs)) is theirs
            assert await otp.call(theirs, ("echo", me, theirs)) == ("echo", me, theirs)
            returned = await otp.call(theirs, [me, theirs])
            assert returned[0] is me
            assert returned[1] is theirs
            assert await otp.call(theirs, "who") is me

        await nodes_.on("a", main)


async def test_calls_fail_as_at_home(autojump_clock, cluster):
    """G12, G13."""
    async with cluster("a", "b") as nodes_:
        await nodes_.on("b", start_echo)

        async def cause(server, request="x", timeout=5.0):
            with pytest.raises(CallExit) as failed:
                await otp.call(server, request, timeout)
            return failed.value.cause

        async def main():
            assert await otp.call(("echo", "b"), ("later", 2.0)) == "at last"
            assert await cause(("nobody", "b")) == "noproc"
            assert await cause(("echo", "nowhere")) == ("nodedown", "nowhere")
            assert await cause(("echo", "b"), ("later", 2.0), 1.0) == "timeout"
            assert (await cause(("echo", "b"), "unpicklable"))[0] == "badarg"
            await quiet()
            assert await otp.call(("echo", "b"), "still there") == "still there"
            assert await cause(("echo", "b"), ("stop", "normal")) == "normal"
            assert await cause(("echo", "b")) == "noproc"

        await nodes_.on("a", main)
        assert nodes_.runtimes["a"].endpoint.asked == {}
        assert nodes_.runtimes["b"].endpoint.watching == {}


async def test_a_call_may_be_answered_from_anywhere(autojump_clock, cluster):
    """G14: the From travels."""
    async with cluster("a", "b", "c") as nodes_:
        await nodes_.on("b", start_echo)

        async def answerer():
            otp.register("answerer", otp.self())
            while True:
                _, from_ = await receive()
                otp.reply(from_, ("from", from_.pid))
                otp.reply(from_, "twice")

        nodes_.spawn("c", answerer)
        nodes_.spawn("a", answerer)
        await nodes_.rest()

        async def main():
            for place in (("answerer", "c"), ("answerer", "a")):
                answer = await otp.call(("echo", "b"), ("delegate", place))
                assert answer == ("from", otp.self())
            await quiet()

        await nodes_.on("a", main)

        async def on_b():
            # A direct call: its From leaves while the handler still runs.
            assert await otp.call("echo", ("delegate", ("answerer", "c"))) == ("from", otp.self())

        await nodes_.on("b", on_b)


async def test_what_nobody_waits_for_any_more_is_let_go(autojump_clock, cluster):
    """A From that was given away is remembered, but not for ever when its caller gave up."""
    async with cluster("a", "b") as nodes_:
        await nodes_.on("a", start_echo)

        async def main():
            for _ in range(500):
                with pytest.raises(CallExit):
                    await otp.call("echo", ("delegate", ("nobody", "b")), 0.01)
            assert len(nodes_.runtimes["a"].endpoint._calls) <= 130

        await nodes_.on("a", main)


async def test_send_request(autojump_clock, cluster):
    """G16: the answer is a message."""
    async with cluster("a", "b") as nodes_:
        pid = await nodes_.on("b", start_echo)

        async def main():
            theirs = nodes_.seen_from("a", pid)
            rid = otp.send_request(theirs, 1)
            assert await receive() == ("$reply", rid, 1)
            dropped = otp.send_request(theirs, 2)
            otp.abandon(dropped)
            await quiet()
            lost = otp.send_request(theirs, ("later", 5.0))
            await trio.sleep(1)
            nodes_.network.disconnect("a", "b")
            assert await receive() == ("$error", lost, ("nodedown", "b"))

        await nodes_.on("a", main)


async def test_links_and_exit_signals(autojump_clock, cluster):
    """P4-P8 between nodes."""
    async with cluster("a", "b") as nodes_:

        async def die(reason):
            await receive()
            raise Exit(reason)

        async def main():
            otp.trap_exit()
            for reason in ("boom", "normal", "kill"):
                pid = nodes_.seen_from("a", nodes_.spawn("b", die, reason))
                otp.link(pid)
                otp.link(pid)
                otp.send(pid, "go")
                assert await receive() == ("EXIT", pid, reason)
            victim = nodes_.seen_from("a", nodes_.spawn("b", forever))
            otp.link(victim)
            otp.exit(victim, "kill")
            assert await receive() == ("EXIT", victim, "killed")
            otp.link(victim)
            assert await receive() == ("EXIT", victim, "noproc")
            survivor = nodes_.spawn("b", die, "late")
            theirs = nodes_.seen_from("a", survivor)
            otp.link(theirs)
            otp.send(theirs, "go")
            otp.unlink(theirs)
            await quiet()
            assert nodes_.seen_from("a", survivor)._process.links == {}

        await nodes_.on("a", main)


async def test_an_end_here_is_felt_there(autojump_clock, cluster):
    async with cluster("a", "b") as nodes_:
        echo = await nodes_.on("b", start_echo)
        plain = nodes_.spawn("b", forever)

        async def main():
            otp.link(nodes_.seen_from("a", echo))
            otp.link(nodes_.seen_from("a", plain))
            return otp.self()

        me = await nodes_.on("a", main)
        await nodes_.rest()
        assert await otp_call(nodes_, "b", echo, "seen") == [
            ("EXIT", nodes_.seen_from("b", me), "normal")
        ]
        assert otp.is_alive(plain)

        async def crash():
            otp.link(nodes_.seen_from("a", plain))
            raise Exit("boom")

        nodes_.spawn("a", crash)
        await nodes_.rest()
        assert not otp.is_alive(plain)


async def otp_call(nodes_, node, server, request):
    async def ask():
        return await otp.call(server, request)

    return await nodes_.on(node, ask)


async def test_monitors(autojump_clock, cluster):
    """P9, P10 between nodes."""
    async with cluster("a", "b") as nodes_:
        await nodes_.on("b", start_echo)

        async def main():
            pid = nodes_.seen_from("a", nodes_.spawn("b", forever))
            first, second, gone = otp.monitor(pid), otp.monitor(pid), otp.monitor(pid)
            named = otp.monitor(("echo", "b"))
            nobody = otp.monitor(("nobody", "b"))
            assert await receive() == ("DOWN", nobody, "process", ("nobody", "b"), "noproc")
            assert otp.demonitor(gone, info=True)
            otp.exit(pid, "boom")
            assert await receive() == ("DOWN", first, "process", pid, "boom")
            assert await receive() == ("DOWN", second, "process", pid, "boom")
            otp.cast(("echo", "b"), "x")
            with pytest.raises(CallExit):
                await otp.call(("echo", "b"), ("stop", "normal"))
            assert await receive() == ("DOWN", named, "process", ("echo", "b"), "normal")
            await quiet()
            elsewhere = otp.monitor(("echo", "nowhere"))
            assert (await receive())[1:] == (
                elsewhere,
                "process",
                ("echo", "nowhere"),
                "noconnection",
            )

        await nodes_.on("a", main)
        assert nodes_.runtimes["b"].endpoint.watching == {}


async def test_the_end_of_a_watcher_ends_its_monitors(autojump_clock, cluster):
    async with cluster("a", "b") as nodes_:
        pid = nodes_.spawn("b", forever)

        async def watch():
            otp.monitor(nodes_.seen_from("a", pid))
            await trio.sleep(1)
            assert len(nodes_.runtimes["b"].endpoint.watching) == 1

        await nodes_.on("a", watch)
        await nodes_.rest()
        assert nodes_.runtimes["b"].endpoint.watching == {}
        assert pid._process.extras.monitored_by == {}


async def test_aliases_travel(autojump_clock, cluster):
    """P14."""
    async with cluster("a", "b") as nodes_:

        async def answer_twice():
            otp.register("twice", otp.self())
            while True:
                alias = await receive()
                otp.send(alias, "one")
                otp.send(alias, "two")

        nodes_.spawn("b", answer_twice)
        await nodes_.rest()

        async def main():
            otp.send(("twice", "b"), otp.alias(reply=True))
            assert await receive() == "one"
            await quiet()
            ended = otp.alias()
            otp.send(("twice", "b"), ended)
            otp.unalias(ended)
            await quiet()
            ref = otp.monitor(("twice", "b"))
            assert await otp_call(nodes_, "a", ("echo", "a"), ref) is ref

        await nodes_.on("a", start_echo)
        await nodes_.on("a", main)


async def test_what_cannot_travel_is_refused_and_ends_are_told_all_the_same(
    autojump_clock, cluster
):
    async with cluster("a", "b") as nodes_:
        pid = nodes_.spawn("b", forever)

        async def main():
            theirs = nodes_.seen_from("a", pid)
            with pytest.raises(BadArg, match="cannot send to another node"):
                otp.send(theirs, (n for n in ()))
            ref = otp.monitor(theirs)
            otp.exit(theirs, ("reason", (n for n in ())))
            reason = (await receive())[4]
            assert otp.demonitor(ref, info=True) is False
            assert reason.startswith("(reason, <generator object")

        await nodes_.on("a", main)


async def test_remote_processes_are_no_local_ones(autojump_clock, cluster):
    async with cluster("a", "b") as nodes_:
        pid = nodes_.spawn("b", forever)

        async def main():
            theirs = nodes_.seen_from("a", pid)
            with pytest.raises(BadArg, match="lives on another node"):
                otp.register("x", theirs)
            with pytest.raises(BadArg, match="lives on another node"):
                otp.is_alive(theirs)
            with pytest.raises(TypeError, match="name"):
                otp.monitor(5)

        await nodes_.on("a", main)


async def test_a_name_on_this_node_with_its_node(autojump_clock, cluster):
    """P12: ``(name, node)`` is silent when nobody is there, on this node too."""
    async with cluster("a") as nodes_:
        await nodes_.on("a", start_echo)

        async def main():
            assert await otp.call(("echo", "a"), 1) == 1
            otp.send(("nobody", "a"), "lost")
            otp.send_after(0.1, ("echo", "a"), "timer")
            await trio.sleep(0.2)
            assert await otp.call("echo", "seen") == ["timer"]
            with pytest.raises(BadArg):
                otp.send("nobody", "x")

        await nodes_.on("a", main)


async def test_nodes_come_and_go(autojump_clock, cluster):
    """1.11: subscriptions count; up before and down after every signal."""
    async with cluster("a", "b") as nodes_:

        async def main():
            otp.trap_exit()
            monitor_nodes()
            monitor_nodes()
            assert nodes() == ["b"]
            pid = nodes_.seen_from("a", nodes_.spawn("b", forever))
            otp.link(pid)
            ref = otp.monitor(pid)
            await trio.sleep(1)
            nodes_.network.disconnect("a", "b")
            assert nodes() == []
            got = [await receive() for _ in range(4)]
            assert {got[0], got[1]} == {
                ("EXIT", pid, "noconnection"),
                ("DOWN", ref, "process", pid, "noconnection"),
            }
            assert got[2:] == [("nodedown", "b")] * 2
            monitor_nodes(False)
            assert nodes_.network.connect("a", "b")
            assert await receive() == ("nodeup", "b")
            await quiet()
            monitor_nodes(False)
            nodes_.network.disconnect("a", "b")
            await quiet()

        await nodes_.on("a", main)


async def test_who_wanted_to_know_of_nodes_and_ended_is_forgotten(autojump_clock, cluster):
    async with cluster("a", "b") as nodes_:
        endpoint = nodes_.runtimes["a"].endpoint
        before = len(endpoint._on_up)

        async def curious():
            for flag in (True, True, False):
                monitor_nodes(flag)
            await pg.start_link("rooms", GroupPeers())
            otp.exit("enough")

        for _ in range(3):
            nodes_.spawn("a", curious)
            await nodes_.rest()
        assert len(endpoint._subscribers) == 0
        assert len(endpoint._on_up) == before
