"""sys for processes of other nodes, as in Erlang; what asks the process table is for here only."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import BadArg, CallExit, GenServer, Supervisor, SupFlags, sys
from supervisors.distribution import Codec, signals


class Counter(GenServer):
    def init(self, count: Any = 0) -> Any:
        return "ok", count

    def handle_call(self, request: Any, from_: Any, count: Any) -> Any:
        return "reply", count, count

    def handle_cast(self, step: Any, count: Any) -> Any:
        return "noreply", count + step

    def code_change(self, old_vsn: Any, count: Any, extra: Any) -> Any:
        return ("ok", count * extra) if extra else "refused"

    def terminate(self, reason: Any, count: Any) -> None:
        otp.send(("box", "a"), ("terminated", reason, count))


class AsyncCounter(Counter):
    async def handle_cast(self, step: Any, count: Any) -> Any:
        return super().handle_cast(step, count)


class Tree(Supervisor):
    def init(self) -> Any:
        return SupFlags(), [Counter.child_spec(7, id="counter")]


both = pytest.mark.parametrize("server", [Counter, AsyncCounter])


async def start(server: Any, *args: Any) -> Any:
    return await server.start(*args, name="counter")


def double(state: Any) -> Any:
    return 2 * state


def spoilt(state: Any) -> Any:
    raise ValueError("spoilt")


async def cause_of(asking: Any) -> Any:
    with pytest.raises(CallExit) as failed:
        await asking
    return failed.value.cause


@both
async def test_state_and_status(autojump_clock, cluster, server):
    async with cluster("a", "b", delay=0.1) as nodes_:
        pid = await nodes_.on("b", start, server, 5)

        async def main():
            theirs = nodes_.seen_from("a", pid)
            for there in (theirs, ("counter", "b")):
                assert await sys.get_state(there) == 5
            otp.cast(theirs, 1)
            assert await otp.call(theirs, "count") == 6
            assert await sys.replace_state(theirs, double) == 12
            with pytest.raises(sys.CallbackFailed) as failed:
                await sys.replace_state(theirs, spoilt)
            assert isinstance(failed.value.reason, ValueError)
            assert await sys.get_state(theirs) == 12
            status = await sys.get_status(theirs)
            assert status["pid"] is theirs
            assert (status["name"], status["behaviour"], status["state"], status["status"]) == (
                "counter",
                "gen_server",
                12,
                "running",
            )

        await nodes_.on("a", main)


@both
async def test_suspension_and_code_change(autojump_clock, cluster, server):
    async with cluster("a", "b", delay=0.1) as nodes_:
        await nodes_.on("b", start, server, 5)

        async def main():
            there = ("counter", "b")
            with pytest.raises(sys.CodeChangeError) as running:
                await sys.change_code(there, server, "old", 3)
            assert running.value.reason[0] == "unknown_system_msg"
            await sys.suspend(there)
            await sys.suspend(there)
            otp.cast(there, 1)
            assert await sys.get_state(there) == 5
            with pytest.raises(sys.CodeChangeError) as refused:
                await sys.change_code(there, server, "old", None)
            assert refused.value.reason == "refused"
            await sys.change_code(there, server, "old", 3)
            assert (await sys.get_status(there))["status"] == "suspended"
            await sys.resume(there)
            assert await otp.call(there, "count") == 16

        await nodes_.on("a", main)


@both
async def test_debugging(autojump_clock, cluster, server, tmp_path, capsys):
    """What it is seen to do, kept, counted, written and traced there."""
    async with cluster("a", "b", delay=0.1) as nodes_:
        pid = await nodes_.on("b", start, server)
        path = tmp_path / "counter.log"

        async def main():
            there = ("counter", "b")
            assert await sys.statistics(there) == "no_statistics"
            await sys.statistics(there, True)
            await sys.log(there, 3)
            await sys.log_to_file(there, path)
            seen: list[Any] = []
            await sys.install(there, lambda n, *_: seen.append(n) or n + 1, 0, id="memory")
            otp.cast(there, 2)
            assert await otp.call(there, "count") == 2
            counted = await sys.statistics(there)
            assert (counted["messages_in"], counted["messages_out"]) == (2, 1)
            events = await sys.log(there, "get")
            assert [event[0] for event in events] == ["noreply", "in", "out"]
            assert (events[1][1][0], events[1][1][2]) == ("$gen_call", "count")
            capsys.readouterr()
            await sys.log(there, "print")
            assert len(capsys.readouterr().err.splitlines()) == 3
            assert (await sys.get_status(there))["debug"] == [
                "statistics",
                ("log", 3),
                ("log_to_file", str(path)),
                ("install", "memory"),
            ]
            assert "got cast 2" in path.read_text()
            assert seen == [0, 1, 2, 3]
            await sys.remove(there, "memory")
            await sys.no_debug(there)
            assert (await sys.get_status(there))["debug"] == []
            traced: list[Any] = []
            sys.trace(nodes_.seen_from("a", pid), lambda event: traced.append(event))
            otp.cast(there, 1)
            assert await otp.call(there, "count") == 3
            sys.trace(there, None)
            otp.cast(there, 1)
            assert await otp.call(there, "count") == 4
            assert [event[:2] for event in traced[::2]] == [("in", ("$gen_cast", 1)), ("out", 3)]
            assert len(traced) == 3

        await nodes_.on("a", main)


@both
async def test_an_end_that_is_asked_for(autojump_clock, cluster, server):
    """It goes through terminate, at once when nothing else waits, and the asker goes on."""
    async with cluster("a", "b", delay=0.1) as nodes_:
        pid = await nodes_.on("b", start, server, 5)

        async def main():
            otp.register("box", otp.self())
            there = nodes_.seen_from("a", pid)
            ref = otp.monitor(there)
            await sys.terminate(there, ("shutdown", "moved"))
            assert await otp.receive() == ("terminated", ("shutdown", "moved"), 5)
            assert await otp.receive() == ("DOWN", ref, "process", there, ("shutdown", "moved"))

        await nodes_.on("a", main)


async def test_a_supervisor_and_a_special_process(autojump_clock, cluster):
    async with cluster("a", "b") as nodes_:

        async def special() -> None:
            otp.register("special", otp.self())
            sys.special_process(sys.SpecialProcess())
            state = "mine"
            while True:
                match await otp.receive():
                    case ("system", _, request):
                        state = await sys.handle_system_msg(request, state)

        async def tree() -> None:
            await Tree.start_link(name="tree")
            await trio.sleep_forever()

        nodes_.spawn("b", tree)
        nodes_.spawn("b", special)
        await nodes_.rest()

        async def main():
            assert (await sys.get_status(("tree", "b")))["behaviour"] == "supervisor"
            await sys.suspend(("tree", "b"))
            assert await cause_of(otp.call(("tree", "b"), "which_children", 1.0)) == "timeout"
            await sys.resume(("tree", "b"))
            assert await sys.get_state(("special", "b")) == "mine"
            assert await sys.replace_state(("special", "b"), lambda state: state + "!") == "mine!"
            await otp.stop(("special", "b"))

        await nodes_.on("a", main)
        assert "special" not in nodes_.runtimes["b"].names


class Busy(GenServer):
    async def handle_cast(self, seconds: Any, state: Any) -> Any:
        await trio.sleep(seconds)
        return "noreply", state


async def test_what_can_go_wrong(autojump_clock, cluster):
    """The causes of a call: nobody, no behaviour, too late, the node, the server's end."""
    async with cluster("a", "b", delay=0.1) as nodes_:

        async def busy() -> None:
            await Busy.start(name="busy")

        async def loop() -> None:
            otp.register("loop", otp.self())
            await trio.sleep_forever()

        await nodes_.on("b", busy)
        nodes_.spawn("b", loop)
        await nodes_.rest()

        async def main():
            there = ("busy", "b")
            assert await cause_of(sys.get_state(("nobody", "b"))) == "noproc"
            assert await cause_of(sys.get_state(("loop", "b"))) == "not_a_behaviour"
            assert await cause_of(sys.get_state(("x", "z"))) == ("nodedown", "z")
            otp.cast(there, 10.0)
            await trio.sleep(1)  # a system message would overtake it
            assert await cause_of(sys.get_state(there)) == "timeout"
            assert await sys.get_state(there, 10.0) is None
            await trio.sleep(10)
            with pytest.raises(trio.TooSlowError):
                await otp.receive(timeout=0)  # the answer that came too late
            otp.cast(there, 10.0)
            await trio.sleep(1)
            async with trio.open_nursery() as nursery:

                async def cut() -> None:
                    await trio.sleep(1)
                    nodes_.network.disconnect("a", "b")

                nursery.start_soon(cut)
                assert await cause_of(sys.get_state(there)) == ("nodedown", "b")
            nodes_.network.heal()
            otp.cast(there, 10.0)
            await trio.sleep(1)
            async with trio.open_nursery() as nursery:

                async def kill() -> None:
                    await trio.sleep(1)
                    otp.exit(nodes_.seen_from("a", nodes_.runtimes["b"].names["busy"]), "kill")

                nursery.start_soon(kill)
                assert await cause_of(sys.get_state(there)) == "killed"

        await nodes_.on("a", main)
        await trio.sleep(1)
        assert nodes_.runtimes["a"].endpoint.asked == {}
        assert nodes_.runtimes["b"].endpoint.watching == {}


async def test_what_looks_into_the_process_table_is_for_processes_of_this_node(
    autojump_clock, cluster
):
    """process_info and is_process_alive are badarg in Erlang, too."""
    async with cluster("a", "b") as nodes_:
        pid = await nodes_.on("b", start, Counter)

        async def main():
            theirs = nodes_.seen_from("a", pid)
            for look in (
                otp.process_info,
                otp.is_alive,
                sys.is_hibernating,
                lambda pid: otp.process_info(pid, "links"),
                lambda pid: otp.process_info(pid, ["links", "status"]),
            ):
                with pytest.raises(BadArg, match="lives on another node"):
                    look(theirs)

        await nodes_.on("a", main)


async def test_requests_are_data_for_any_bus(autojump_clock, cluster):
    """Plain pickle, as between machines: all that `sys` asks travels, and its failures do."""
    async with cluster("a", "b") as nodes_:
        codec = {name: Codec(nodes_.runtimes[name].endpoint) for name in "ab"}
        sent: list[Any] = []
        endpoint = nodes_.runtimes["a"].endpoint
        await nodes_.on("b", start, Counter)

        async def main():
            sending = endpoint.send
            endpoint.send = lambda node, signal: (sent.append(signal), sending(node, signal))
            there = ("counter", "b")
            await sys.get_state(there)
            await sys.replace_state(there, double)
            await sys.get_status(there)
            await sys.log(there, True)
            await sys.log(there, "get")
            await sys.statistics(there, True)
            await sys.install(there, double)
            await sys.remove(there, double)
            await sys.suspend(there)
            await sys.change_code(there, Counter, "old", 1)
            await sys.resume(there)
            sys.trace(there, True)
            await sys.no_debug(there)
            await sys.terminate(there, "shutdown")
            del endpoint.send

        await nodes_.on("a", main)
        asked = [signal for signal in sent if isinstance(signal, signals.System)]
        assert len(asked) == 14
        for signal in asked:
            assert codec["b"].decode(codec["a"].encode(signal)) == signal
