"""Names lead to live processes only, and outlast them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
import trio

from erlmcp_py import registry
from erlmcp_py.registry import Registry, RegistryError
from supervisors import Pid, Runtime, exit_signal, spawn, whereis
from supervisors.testing import end_of


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[None]:
    async with Runtime():
        await Registry.start(name="registry")
        yield


async def kill(pid: Pid) -> None:
    await end_of(pid, lambda: exit_signal(pid, "kill"))


def process() -> Pid:
    return spawn(trio.sleep_forever)


async def test_a_server_is_found_by_its_name() -> None:
    async with running():
        pid = process()
        await registry.register_server("simple", pid, "definition")
        assert await registry.lookup("simple") == pid
        assert await registry.lookup("other") is None
        entry = (await registry.servers())["simple"]
        assert (entry.name, entry.pid, entry.server) == ("simple", pid, "definition")


async def test_a_dead_pid_leaves_at_once() -> None:
    async with running():
        pid, listener = process(), process()
        await registry.register_server("simple", pid, None)
        await registry.register_transport("http", listener, {"port": 1})
        await kill(pid)
        assert await registry.lookup("simple") is None
        assert await registry.servers() == {}
        await kill(listener)
        assert await registry.transports() == {}


async def test_the_first_server_is_the_default_until_one_is_chosen() -> None:
    async with running():
        assert await registry.default() is None
        assert await registry.lookup() is None
        first, second = process(), process()
        await registry.register_server("a", first, None)
        await registry.register_server("b", second, None)
        assert await registry.lookup() == first
        await registry.set_default("b")
        assert await registry.default() == "b"
        assert await registry.lookup() == second


async def test_a_binding_is_a_name_and_holds_for_the_successor() -> None:
    async with running():
        await registry.register_server("a", process(), None)
        old = process()
        await registry.register_server("b", old, None)
        await registry.register_transport("http", process(), {"kind": "http"})
        await registry.bind("http", "b")
        assert await registry.lookup(transport="http") == old
        assert await registry.lookup("a", transport="http") != old
        assert (await registry.transports())["http"].server == "b"
        await kill(old)
        new = process()
        await registry.register_server("b", new, None)
        assert await registry.lookup(transport="http") == new
        await registry.bind("http", None)
        assert await registry.lookup(transport="http") == await registry.lookup("a")


async def test_a_name_in_use_is_refused() -> None:
    async with running():
        pid = process()
        await registry.register_server("a", pid, 1)
        await registry.register_server("a", pid, 2)
        assert (await registry.servers())["a"].server == 2
        with pytest.raises(RegistryError, match="'a' belongs to"):
            await registry.register_server("a", process(), 3)
        await registry.register_transport("http", pid, {})
        with pytest.raises(RegistryError, match="'http' belongs to"):
            await registry.register_transport("http", process(), {})


async def test_registering_the_dead_leads_nowhere() -> None:
    async with running():
        pid = process()
        await kill(pid)
        await registry.register_server("a", pid, None)
        assert await registry.lookup("a") is None


async def test_a_request_waits_for_a_server_that_is_being_restarted(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running():
        pid = process()
        await registry.register_server("a", pid, None)
        assert await registry.lookup_soon("a") == pid
        await kill(pid)
        found: list[Pid | None] = []

        async def look() -> None:
            found.append(await registry.lookup_soon("a", patience=1.0))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(look)
            nursery.start_soon(look)
            await trio.sleep(0.5)
            assert found == []
            successor = process()
            await registry.register_server("a", successor, None)
        assert found == [successor, successor]


async def test_patience_ends(autojump_clock: trio.testing.MockClock) -> None:
    async with running():
        pid = process()
        await registry.register_server("a", pid, None)
        await kill(pid)
        start = trio.current_time()
        with pytest.raises(registry.ServerDown, match="'a' is down"):
            await registry.lookup_soon("a", patience=1.0)
        assert trio.current_time() - start == pytest.approx(1.0)


async def test_an_unknown_or_forgotten_name_is_not_waited_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running():
        start = trio.current_time()
        assert await registry.lookup_soon("never seen") is None
        pid = process()
        await registry.register_server("a", pid, None)
        assert await registry.unregister_server("a")
        assert not await registry.unregister_server("a")
        assert await registry.lookup_soon("a") is None
        await registry.register_transport("http", pid, {})
        assert await registry.unregister_transport("http")
        assert await registry.transports() == {}
        assert trio.current_time() == start


async def test_who_finds_no_server_is_told_which_was_meant() -> None:
    async def why(name: str | None = None) -> str:
        with pytest.raises(registry.UnknownServer) as unknown:
            await registry.find(name, transport="tcp")
        return str(unknown.value)

    async with running():
        assert await why() == "this node has no default server"
        assert await why("a") == "there is no server 'a'"
        await registry.set_default("b")
        assert await why() == "the default server of this node is 'b', which is not there"
        await registry.bind("tcp", "c")
        assert await why() == "the transport 'tcp' is bound to the server 'c', which is not there"


async def test_the_tables_of_a_registry_end_with_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running():
        pid = process()
        await registry.register_server("a", pid, None)
        assert registry.at_hand(None, "http") == pid
        old = whereis(registry.NAME)
        await kill(old)
        assert registry.at_hand("a", None) is None
        with pytest.raises(registry.ServerDown, match="registry is being restarted"):
            await registry.find("a")
        await registry.Registry.start(name=registry.NAME)
        assert registry.at_hand("a", None) is None
        with pytest.raises(registry.UnknownServer, match="'a'"):
            await registry.find("a")
        await registry.register_server("a", pid, None)
        assert await registry.find() == pid
