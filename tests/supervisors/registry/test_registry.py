"""Registry: entries, their owners, and how they leave (SEMANTICS 1.6)."""

from __future__ import annotations

import doctest
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.lowlevel

import supervisors as otp
from supervisors import Agent, BadArg, GenServer, Pid, Registry, RegistryError, StartError
from supervisors._registry import registry as chapter


def test_the_docstring() -> None:
    assert doctest.testmod(chapter) == (0, 6)


async def member(registry: str, entries: list[tuple[Any, Any]]) -> Pid:
    """A process with these entries, which waits to be ended."""
    me = otp.self()

    async def life() -> None:
        for key, value in entries:
            Registry.register(registry, key, value)
        otp.send(me, ("ready", otp.self()))
        await otp.receive()

    pid = otp.spawn(life)
    await otp.receive(lambda message: message == ("ready", pid))
    return pid


async def ended(pid: Pid, how: Any = "kill") -> None:
    ref = otp.monitor(pid)
    otp.exit(pid, how)
    await otp.receive(lambda message: message[0] == "DOWN" and message[1] is ref)


def test_a_unique_key_has_one_process(as_process: Any) -> None:
    async def body() -> None:
        registry = await Registry.start_link(name="r")
        assert Registry.register("r", "k", 1) is registry
        other = await member("r", [("other", 2)])
        with pytest.raises(RegistryError) as refused:
            Registry.register("r", "k", 2)
        assert refused.value.reason == ("already_registered", otp.self())
        with pytest.raises(RegistryError) as refused:
            Registry.register(registry, "other")
        assert refused.value.reason == ("already_registered", other)
        assert Registry.lookup("r", "k") == [(otp.self(), 1)]
        assert Registry.keys("r", otp.self()) == ["k"]
        assert Registry.values("r", "k", otp.self()) == [1]
        assert Registry.values("r", "other", otp.self()) == []
        assert Registry.count("r") == 2
        assert sorted(Registry.select("r")) == [("k", otp.self(), 1), ("other", other, 2)]
        Registry.unregister("r", "k")
        Registry.unregister("r", "k")
        Registry.unregister("r", "other")
        assert Registry.lookup("r", "k") == []
        assert Registry.lookup("r", "other") == [(other, 2)]

    as_process(body)


@pytest.mark.parametrize("partitions", [1, 3])
def test_a_duplicate_key_has_many_entries_also_of_one_process(
    as_process: Any, partitions: int
) -> None:
    async def body() -> None:
        await Registry.start_link(keys="duplicate", name="d", partitions=partitions)
        first = await member("d", [("t", 1), ("t", 2), ("u", 3)])
        second = await member("d", [("t", 4)])
        expected = [(first, 1), (first, 2), (second, 4)]
        assert sorted(Registry.lookup("d", "t")) == expected
        assert Registry.keys("d", first) == ["t", "t", "u"]
        assert Registry.values("d", "t", first) == [1, 2]
        assert Registry.match("d", "t", lambda value: value > 1) == [
            entry for entry in Registry.lookup("d", "t") if entry[1] > 1
        ]
        assert Registry.count_match("d", "t", lambda value: value > 1) == 2
        assert Registry.select("d", lambda key, pid, value: key == "u") == [("u", first, 3)]
        assert Registry.count_select("d", lambda key, pid, value: pid is first) == 3
        handed: list[Any] = []
        Registry.dispatch("d", "t", handed.append)
        Registry.dispatch("d", "nobody", handed.append)
        assert len(handed) == (1 if partitions == 1 else 2)  # two processes, two partitions
        assert sorted(entry for part in handed for entry in part) == expected
        await ended(first)
        assert Registry.lookup("d", "t") == [(second, 4)]
        assert Registry.count("d") == 1
        assert Registry.keys("d", first) == []

    as_process(body)


def test_unregister_match_takes_some_entries(as_process: Any) -> None:
    async def body() -> None:
        await Registry.start_link(keys="duplicate", name="d")
        for value in range(4):
            Registry.register("d", "t", value)
        Registry.unregister_match("d", "t", lambda value: value % 2)
        assert Registry.values("d", "t", otp.self()) == [0, 2]
        Registry.unregister_match("d", "t", lambda value: False)
        assert Registry.keys("d", otp.self()) == ["t", "t"]
        Registry.unregister("d", "t")
        assert Registry.count("d") == 0
        await Registry.start_link(name="u")
        Registry.register("u", "k", 1)
        Registry.unregister_match("u", "k", lambda value: value == 2)
        assert Registry.lookup("u", "k") == [(otp.self(), 1)]
        Registry.unregister_match("u", "k", lambda value: value == 1)
        assert Registry.lookup("u", "k") == []

    as_process(body)


def test_only_the_owner_updates_a_value(as_process: Any) -> None:
    async def body() -> None:
        await Registry.start_link(name="r")
        await member("r", [("theirs", 1)])
        Registry.register("r", "mine", 1)
        assert Registry.update_value("r", "mine", lambda n: n + 1) == (2, 1)
        assert Registry.lookup("r", "mine") == [(otp.self(), 2)]
        for key in ("theirs", "nobody's"):
            with pytest.raises(RegistryError) as refused:
                Registry.update_value("r", key, lambda n: n + 1)
            assert refused.value.reason == "not_owner"
        assert [value for _, value in Registry.lookup("r", "theirs")] == [1]
        await Registry.start_link(keys="duplicate", name="d")
        with pytest.raises(BadArg, match="unique keys"):
            Registry.update_value("d", "k", lambda n: n)

    as_process(body)


def test_entries_are_gone_when_anyone_hears_of_the_end(as_process: Any) -> None:
    async def body() -> None:
        await Registry.start_link(name="r")
        server = await Agent.start(int, name=("via", Registry, ("r", "server")))
        seen: list[Any] = []

        class Watcher(GenServer):
            def init(self) -> Any:
                otp.monitor(server)
                return "ok", None

            def handle_info(self, message: Any, state: Any) -> Any:
                seen.append((message[0], Registry.lookup("r", "server")))
                return "noreply", state

        await Watcher.start()
        otp.exit(server, "kill")
        assert Registry.lookup("r", "server") == []
        await trio.sleep(1)
        assert seen == [("DOWN", [])]

    as_process(body)


def test_a_process_that_unwinds_has_lost_its_unique_key(as_process: Any) -> None:
    async def body() -> None:
        await Registry.start_link(name="r")
        me = otp.self()

        async def life() -> None:
            Registry.register("r", "k", "old")
            otp.send(me, "ready")
            try:
                await otp.receive()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(1)

        pid = otp.spawn(life)
        await otp.receive()
        ref = otp.monitor(pid)
        otp.exit(pid, "kill")
        assert Registry.lookup("r", "k") == []
        Registry.register("r", "k", "new")
        await otp.receive(lambda message: message[1] is ref)
        assert Registry.lookup("r", "k") == [(me, "new")]

    as_process(body)


@pytest.mark.parametrize(
    ("reason", "ends"), [("kill", True), ("shutdown", True), ("normal", False)]
)
def test_the_end_of_a_registry_is_felt_as_through_a_link(
    as_process: Any, reason: str, ends: bool
) -> None:
    async def body() -> None:
        otp.trap_exit()
        registry = await Registry.start_link(name="r")
        plain = await member("r", [("a", 1)])
        Registry.register("r", "b")
        if reason == "kill":
            otp.exit(registry, "kill")
        else:
            await otp.stop(registry, reason)
        expected = "killed" if reason == "kill" else reason
        for _ in range(2):  # the link of start_link, and the entry
            assert await otp.receive() == ("EXIT", registry, expected)
        await trio.sleep(1)
        assert otp.is_alive(plain) is not ends
        with pytest.raises(BadArg, match="no registry"):
            Registry.lookup("r", "a")

    as_process(body)


def test_nobody_without_entries_goes_with_the_registry(as_process: Any) -> None:
    async def body() -> None:
        me = otp.self()

        async def keeper() -> None:
            await Registry.start_link(name="r")
            otp.send(me, "open")
            await otp.receive()

        owner = otp.spawn(keeper)
        await otp.receive()
        Registry.register("r", "k")
        Registry.unregister("r", "k")
        await ended(owner)
        await trio.sleep(1)
        assert otp.whereis("r") is None

    as_process(body)


def test_listeners_hear_of_entries_and_not_of_ends(as_process: Any) -> None:
    async def body() -> None:
        otp.register("ear", otp.self())
        await Registry.start_link(name="r", listeners=["ear", "nobody"])
        other = await member("r", [("k", 1)])
        assert await otp.receive() == ("register", "r", "k", other, 1)
        await ended(other)
        Registry.register("r", "k", 2)
        Registry.unregister("r", "k")
        assert await otp.receive() == ("register", "r", "k", otp.self(), 2)
        assert await otp.receive() == ("unregister", "r", "k", otp.self())
        agent = await Agent.start(int, name=("via", Registry, ("r", "via", "value")))
        assert await otp.receive() == ("register", "r", "via", agent, "value")

    as_process(body)


def test_via_names_where_names_are_taken(as_process: Any) -> None:
    class Echo(GenServer):
        def init(self) -> Any:
            return "ok", []

        def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            return "reply", (request, state), state

        def handle_cast(self, request: Any, state: Any) -> Any:
            return "noreply", [*state, request]

        handle_info = handle_cast

    class AsyncEcho(Echo):
        async def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            await trio.sleep(1)
            return "reply", (request, state), state

    async def body() -> None:
        await Registry.start_link(name="r")
        starts: list[Callable[..., Awaitable[Pid]]] = [
            Echo.start,
            Echo.start_link,
            AsyncEcho.start,
            AsyncEcho.start_link,
        ]
        for number, start in enumerate(starts):
            name = ("via", Registry, ("r", number))
            with pytest.raises(otp.CallExit) as lost:
                await otp.call(name, "early")
            assert lost.value.cause == "noproc"
            pid = await start(name=name)
            before = otp.current_runtime().processes()
            with pytest.raises(StartError) as taken:
                await start(name=name)
            assert taken.value.reason == ("already_started", pid)
            assert otp.current_runtime().processes() == before
            otp.cast(name, "cast")
            otp.send(name, "sent")
            Registry.send(("r", number), "also")
            assert await otp.call(name, "called") == ("called", ["cast", "sent", "also"])
            assert otp.whereis(name) is pid
            await otp.stop(name)
            assert otp.whereis(name) is None
            otp.cast(name, "silent")
        with pytest.raises(BadArg, match="no process is registered"):
            Registry.send(("r", "nobody"), "hello")
        with pytest.raises(TypeError, match="is no name of a process"):
            otp.whereis(("via", Registry))  # type: ignore[arg-type]

    as_process(body)


def test_a_via_name_can_be_given_and_taken_away(as_process: Any) -> None:
    async def body() -> None:
        await Registry.start_link(name="r")
        agent = await Agent.start(int)
        assert Registry.register_name(("r", "k"), agent) == "yes"
        assert Registry.register_name(("r", "k"), otp.self()) == "no"
        Registry.unregister_name(("r", "k"))
        Registry.unregister_name(("r", "k"))
        assert Registry.whereis_name(("r", "k")) is None
        await Agent.stop(agent)
        assert Registry.register_name(("r", "k"), agent) == "no"
        await Registry.start_link(keys="duplicate", name="d")
        with pytest.raises(BadArg, match="unique keys"):
            Registry.whereis_name(("d", "k"))
        with pytest.raises(BadArg, match=r"it is \(registry, key\)"):
            Registry.whereis_name("k")  # type: ignore[arg-type]

    as_process(body)


def test_locks_let_one_in_at_a_time_and_open_when_the_holder_ends(as_process: Any) -> None:
    async def body() -> None:
        await Registry.start_link(name="r")
        log: list[str] = []

        def worker(name: str, key: str) -> Callable[[], Awaitable[None]]:
            async def inside() -> None:
                log.append(f"+{name}")
                await trio.sleep(1)
                log.append(f"-{name}")

            async def life() -> None:
                await Registry.lock("r", key, inside)

            return life

        first = otp.spawn(worker("a", "k"))
        await trio.sleep(0.1)
        otp.spawn(worker("b", "k"))
        otp.spawn(worker("c", "elsewhere"))
        await trio.sleep(0.1)
        assert log == ["+a", "+c"]
        otp.exit(first, "kill")
        await trio.sleep(5)
        assert log == ["+a", "+c", "+b", "-c", "-b"]

        async def value() -> int:
            return 3

        assert await Registry.lock("r", "k", value) == 3

    as_process(body)


def test_wrong_input_is_told(as_process: Any) -> None:
    async def body() -> None:
        await Agent.start(int, name="agent")
        for nobody in ("nobody", "agent", otp.self()):
            with pytest.raises(BadArg, match="is no registry"):
                Registry.register(nobody, "k")
        with pytest.raises(ValueError, match="'unique' or 'duplicate'"):
            await Registry.start_link(keys="both")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="whole number >= 1"):
            await Registry.start_link(partitions=0)
        await Registry.start_link(name="r")
        with pytest.raises(TypeError, match="unhashable"):
            Registry.register("r", [])
        assert Registry.keys("r", otp.self()) == []

    as_process(body)


def test_a_supervised_registry_and_those_in_it_come_back(as_process: Any) -> None:
    via = ("via", Registry, ("r", "agent"))

    class Tree(otp.Supervisor):
        def init(self) -> Any:
            return otp.SupFlags("rest_for_one"), [
                Registry.child_spec(name="r"),
                Agent.child_spec(int, name=via),
            ]

    async def body() -> None:
        tree = await Tree.start_link()
        await Agent.update(via, lambda n: n + 1)
        otp.exit(otp.whereis("r"), "kill")
        await otp.which_children(tree)
        assert await Agent.get(via, lambda n: n) == 0
        assert [child.id for child in await otp.which_children(tree)] == [via, "r"]

    as_process(body)
