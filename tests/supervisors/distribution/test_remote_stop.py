"""stop: by every form of name, on other nodes too (1.2, S26; gen_server_SUITE, gen_statem_SUITE)."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import CallExit, Exit, GenServer, GenStateMachine, Runtime, StartError, gen_statem


class Server(GenServer):
    """Ends when told to, after `seconds`, with `other` instead of the reason if it is given."""

    def init(self, seconds: float = 0.0, other: Any = None) -> Any:
        otp.trap_exit()
        return "ok", (seconds, other)

    def handle_call(self, request: Any, _from: Any, state: Any) -> Any:
        return "reply", request, state

    def terminate(self, _reason: Any, state: Any) -> Any:
        if state[1] is not None:
            raise Exit(state[1])


class AsyncServer(Server):
    async def terminate(self, reason: Any, state: Any) -> Any:
        await trio.sleep(state[0])
        super().terminate(reason, state)


class Machine(GenStateMachine):
    def callback_mode(self) -> Any:
        return "handle_event_function"

    def init(self) -> Any:
        return "ok", "idle", None

    def handle_event(self, type: Any, content: Any, _state: Any, _data: Any) -> Any:
        match type:
            case ("call", from_):
                return "keep_state_and_data", [("reply", from_, content)]
        return "keep_state_and_data"


class AsyncMachine(Machine):
    async def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
        return super().handle_event(type, content, state, data)


KINDS = {"gen_server": (Server, AsyncServer), "gen_statem": (Machine, AsyncMachine)}


@pytest.fixture(params=[kind for kinds in KINDS.values() for kind in kinds])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def both(*cases: str) -> Any:
    """Marks for a case that both suites have by the same name."""

    def mark(test: Any) -> Any:
        for name in cases:
            for suite in KINDS:
                test = pytest.mark.otp(suite, name)(test)
        return test

    return mark


class Via:
    """A module of names, as the suites have one: dummy_via."""

    def __init__(self) -> None:
        self.pids: dict[Any, Any] = {}

    def register_name(self, term: Any, pid: Any) -> Any:
        if self.whereis_name(term) is not None:
            return "no"
        self.pids[term] = pid
        return "yes"

    def unregister_name(self, term: Any) -> None:
        self.pids.pop(term, None)

    def whereis_name(self, term: Any) -> Any:
        pid = self.pids.get(term)
        return pid if pid is not None and otp.is_alive(pid) else None


async def start(kind: Any, *args: Any, name: Any = None) -> Any:
    return await kind.start(*args, name=name)


async def reason_of(server: Any, *args: Any) -> Any:
    with pytest.raises(Exit) as failed:
        await otp.stop(server, *args)
    return failed.value.reason


def nodedown(node: str, server: Any, reason: Any = "normal", timeout: float = math.inf) -> Any:
    return (("nodedown", node), ("sys", "terminate", (server, reason, timeout)))


@both("stop3")
def test_a_time_out_that_is_none(as_process, kind):
    """The caller's mistake, and nothing has happened."""

    async def main():
        pid = await kind.start()
        for wrong, error in ((-1.0, ValueError), (math.nan, ValueError), ("late", TypeError)):
            with pytest.raises(error):
                await otp.stop(pid, "other_reason", wrong)
        assert otp.is_alive(pid)
        await otp.stop(pid)
        assert not otp.is_alive(pid)

    as_process(main)


@both("stop4", "stop5", "stop6", "stop7")
@pytest.mark.parametrize(
    "name",
    ["to_stop", ("global", "to_stop"), ("via", Via(), "to_stop")],
    ids=["local", "global", "via"],
)
def test_by_name(as_process, kind, name):
    """Registered here, here with its node, in all nodes, elsewhere; and a second time."""

    async def main():
        names = [name]
        if name == "to_stop":
            names.append((name, otp.self().node))
        for one in names:
            pid = await kind.start(name=name)
            await otp.stop(one)
            assert not otp.is_alive(pid)
            assert await reason_of(one) == "noproc"

    as_process(main)


@pytest.mark.otp("gen_statem", "start12")
@pytest.mark.parametrize("kind", KINDS["gen_statem"])
def test_a_machine_with_a_name_kept_elsewhere(as_process, kind):
    async def main():
        via = ("via", Via(), "machine")
        pid = await kind.start_link(name=via)
        for again in (kind.start, kind.start_link):
            with pytest.raises(StartError) as taken:
                await again(name=via)
            assert taken.value.reason == ("already_started", pid)
        for machine in (pid, via):
            gen_statem.cast(machine, "anything")
            assert await gen_statem.call(machine, "hello") == "hello"
        await gen_statem.stop(via)
        with pytest.raises(CallExit) as gone:
            await gen_statem.call(via, "hello")
        assert gone.value.cause == "noproc"

    as_process(main)


@both("stop8")
async def test_a_pid_of_another_node(autojump_clock, cluster, kind):
    """noproc when it is dead; when its node is, that it could not be told."""
    async with cluster("a") as nodes_:
        async with Runtime("b") as b:
            nodes_.network.join(b)
            nodes_.runtimes["b"] = b
            there = await nodes_.on("b", start, kind)
            pid = nodes_.seen_from("a", there)

            async def main():
                await otp.stop(pid)
                assert not otp.is_alive(there)
                assert await reason_of(pid) == "noproc"

            await nodes_.on("a", main)

        async def afterwards():
            assert await reason_of(pid) == nodedown("b", pid)
            assert await reason_of(pid, "why", 3.0) == nodedown("b", pid, "why", 3.0)

        await nodes_.on("a", afterwards)


@both("stop9")
async def test_a_name_of_another_node(autojump_clock, cluster, kind):
    async with cluster("a") as nodes_:
        async with Runtime("b") as b:
            nodes_.network.join(b)
            nodes_.runtimes["b"] = b
            there = await nodes_.on("b", start, kind)
            with b.active():
                otp.register("to_stop", there)

            async def main():
                await otp.stop(("to_stop", "b"))
                assert "to_stop" not in b.names
                assert not otp.is_alive(there)
                assert await reason_of(("to_stop", "b")) == "noproc"

            await nodes_.on("a", main)

        async def afterwards():
            assert await reason_of(("to_stop", "b")) == nodedown("b", ("to_stop", "b"))
            assert await reason_of(("to_stop", "z")) == nodedown("z", ("to_stop", "z"))

        await nodes_.on("a", afterwards)


@both("stop10")
async def test_a_global_name_of_another_node(autojump_clock, cluster, kind):
    """It is gone with its server, and with its node: then nobody is there."""
    async with cluster("a") as nodes_:
        name = ("global", "to_stop")
        async with Runtime("b") as b:
            nodes_.network.join(b)
            nodes_.runtimes["b"] = b

            async def start_named():
                return await kind.start(name=name)

            there = await nodes_.on("b", start_named)

            async def main():
                await otp.stop(name)
                assert not otp.is_alive(there)
                await trio.sleep(1)
                assert await reason_of(name) == "noproc"

            await nodes_.on("a", main)
            await nodes_.on("b", start_named)

        async def afterwards():
            assert await reason_of(name) == "noproc"

        await nodes_.on("a", afterwards)


async def test_ends_that_are_not_as_asked(autojump_clock, cluster):
    """Another reason, a time-out, a connection that breaks before and after it was told."""
    async with cluster("a", "b", delay=0.5) as nodes_:

        async def seen(*args: Any) -> Any:
            return nodes_.seen_from("a", await nodes_.on("b", start, *args))

        async def loop() -> None:
            await trio.sleep_forever()

        async def main():
            await otp.stop(await seen(Server), ("shutdown", "moved"))
            for kind in (Server, AsyncServer):
                assert await reason_of(await seen(kind, 0.0, "other")) == "other"
            slow = await seen(AsyncServer, 10.0)
            began = trio.current_time()
            assert await reason_of(slow, "normal", 3.0) == "timeout"
            assert trio.current_time() - began == 3.0
            await trio.sleep(8)
            assert await reason_of(slow) == "noproc"  # it still stopped
            plain = nodes_.seen_from("a", nodes_.spawn("b", loop))
            assert await reason_of(plain) == "not_a_behaviour"
            slow = await seen(AsyncServer, 10.0)
            for seconds, expected in ((0.7, nodedown("b", slow)), (2.0, "noconnection")):
                async with trio.open_nursery() as nursery:

                    async def cut(seconds: float = seconds) -> None:
                        await trio.sleep(seconds)
                        nodes_.network.disconnect("a", "b")

                    nursery.start_soon(cut)
                    assert await reason_of(slow) == expected
                nodes_.network.heal()
                if seconds == 0.7:
                    await trio.sleep(20)
                    slow = await seen(AsyncServer, 10.0)

        await nodes_.on("a", main)
        await trio.sleep(20)
        assert nodes_.runtimes["a"].endpoint.asked == {}
        assert nodes_.runtimes["b"].endpoint.watching == {}
