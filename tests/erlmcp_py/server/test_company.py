"""Servers with company: a lifespan, and processes of their author's that keep the state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
import trio.testing

import supervisors
from erlmcp_py import registry, subscriptions
from erlmcp_py.server import Context, Server
from erlmcp_py.tree import server_spec
from supervisors import ChildSpec, GenServer, Supervisor, SupFlags

from .conftest import Peer


class Counter(GenServer):
    """Keeps a number."""

    def init(self, start: int) -> tuple[Any, ...]:
        return ("ok", start)

    def handle_call(self, request: Any, _from: Any, state: int) -> tuple[Any, ...]:
        if request == "next":
            return ("reply", state + 1, state + 1)
        return ("reply", state, state)


@dataclass
class Database:
    """What a lifespan opens and closes."""

    number: int
    open: bool = True
    fail: trio.Event = field(default_factory=trio.Event)


class Opened:
    """Every database that was opened."""

    def __init__(self) -> None:
        self.all: list[Database] = []

    @asynccontextmanager
    async def lifespan(self, server: Server) -> AsyncIterator[Database]:
        database = Database(len(self.all) + 1)
        self.all.append(database)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, database)
                yield database
                nursery.cancel_scope.cancel()
        finally:
            database.open = False

    async def _watch(self, database: Database) -> None:
        await database.fail.wait()
        raise ConnectionError("the database is gone")


def stateful(opened: Opened) -> Server:
    server = Server(
        "stateful",
        version="1.0",
        lifespan=opened.lifespan,
        children=[Counter.child_spec(10, id="counter", name="test_counter")],
    )

    @server.tool()
    async def count() -> int:
        """Count on."""
        number: int = await supervisors.call("test_counter", "next")
        return number

    @server.tool()
    async def fall() -> None:
        """Fall over."""
        raise RuntimeError("oops")

    @server.tool()
    def database(ctx: Context[Database]) -> int:
        """Which database this is."""
        assert ctx.state.open
        return ctx.state.number

    return server


class Top(Supervisor):
    def init(self, specs: list[ChildSpec]) -> tuple[SupFlags, list[ChildSpec]]:
        return SupFlags("one_for_one", 100, 5), specs


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Callable[[], Any]]:
    """The server under a supervisor, as a node has it; gives a function that finds a client."""
    async with supervisors.Runtime():
        specs = [
            registry.Registry.child_spec(id=registry.NAME, name=registry.NAME),
            subscriptions.Subscriptions.child_spec(id=subscriptions.NAME, name=subscriptions.NAME),
            server_spec(server.name, server),
        ]
        started = trio.Event()
        failed: list[Exception] = []

        async def top() -> None:
            supervisors.trap_exit(True)
            try:
                await Top.start_link(specs, name="top")
            except Exception as error:
                failed.append(error)
            started.set()
            await trio.sleep_forever()

        supervisors.spawn(top)
        await started.wait()
        if failed:
            raise failed[0]

        async def client() -> Peer:
            pid = await registry.lookup_soon(server.name)
            assert pid is not None
            return Peer(pid)

        yield client
        await supervisors.stop("top", "shutdown")


async def value(peer: Peer, tool: str) -> Any:
    return (await peer.tool(tool))["structuredContent"]


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked(0.01)


async def test_state_survives_the_crash_of_its_neighbours() -> None:
    async with running(stateful(Opened())) as client:
        peer = await client()
        assert await value(peer, "count") == 11
        assert "oops" in await peer.failure("fall")
        assert await value(peer, "count") == 12
        supervisors.exit(peer.pid, "kill")
        await settled()
        again = await client()
        assert again.pid != peer.pid
        assert await value(again, "count") == 13


async def test_the_server_goes_on_when_its_state_dies() -> None:
    async with running(stateful(Opened())) as client:
        peer = await client()
        assert await value(peer, "count") == 11
        counter = supervisors.whereis("test_counter")
        assert counter is not None
        supervisors.exit(counter, "kill")
        await settled()
        assert await value(peer, "count") == 11, "it begins anew"
        assert (await client()).pid == peer.pid


async def test_handlers_share_what_the_lifespan_opened() -> None:
    opened = Opened()
    async with running(stateful(opened)) as client:
        peer = await client()
        assert await value(peer, "database") == 1
        supervisors.exit(peer.pid, "kill")
        await settled()
        assert await value(await client(), "database") == 1, "the server's crash is not its own"
        assert [database.open for database in opened.all] == [True]
    assert [database.open for database in opened.all] == [False], "it ends in order"


async def test_a_lifespan_that_fails_begins_anew_with_the_server() -> None:
    opened = Opened()
    async with running(stateful(opened)) as client:
        peer = await client()
        assert await value(peer, "count") == 11
        opened.all[0].fail.set()
        await settled()
        again = await client()
        assert again.pid != peer.pid
        assert await value(again, "database") == 2
        assert await value(again, "count") == 12, "the author's children stay"
    assert [database.open for database in opened.all] == [False, False]


async def test_a_lifespan_that_is_killed_begins_anew() -> None:
    opened = Opened()
    async with running(stateful(opened)) as client:
        await client()
        (pid,) = [
            pid
            for pid in supervisors.current_runtime().processes()
            if supervisors.process_info(pid).label == "lifespan of stateful"
        ]
        supervisors.exit(pid, "kill")
        await settled()
        assert await value(await client(), "database") == 2


async def test_a_server_whose_lifespan_does_not_begin_does_not_start() -> None:
    @asynccontextmanager
    async def broken(_server: Server) -> AsyncIterator[None]:
        raise ConnectionRefusedError("no database")
        yield

    server = Server("broken", version="1.0", lifespan=broken)
    with pytest.raises(supervisors.StartError) as caught:
        async with running(server):
            pass
    assert "no database" in str(caught.value)


async def test_mounted_servers_bring_their_own_state() -> None:
    inner_opened, outer_opened = Opened(), Opened()
    inner = stateful(inner_opened)
    outer = Server("outer", version="1.0", lifespan=outer_opened.lifespan)

    @outer.tool()
    def database(ctx: Context[Database]) -> bool:
        return ctx.state is outer_opened.all[0]

    outer.mount("inner", inner)
    async with running(outer) as client:
        peer = await client()
        assert await value(peer, "database") is True
        assert await value(peer, "inner_database") == 1
        assert await value(peer, "inner_count") == 11
        with pytest.raises(ValueError, match="has a lifespan or children"):
            outer.mount("late", stateful(Opened()))


async def test_without_a_lifespan_there_is_no_state() -> None:
    server = Server("plain", version="1.0")

    @server.tool()
    def wants(ctx: Context) -> str:
        return str(ctx.state)

    async with running(server) as client:
        assert "the server has no lifespan" in await (await client()).failure("wants")


def wants_state(ctx: Context[Database]) -> None: ...


def wants_state_or_not(ctx: Context[Database] | None) -> None: ...


@pytest.mark.parametrize("function", [wants_state, wants_state_or_not])
def test_a_handler_that_wants_state_needs_a_lifespan(function: Any) -> None:
    with pytest.raises(TypeError, match=r"test_company\.py:\d+: parameter 'ctx' wants the state"):
        Server("s", version="1").tool()(function)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"lifespan": 3}, TypeError, "lifespan must be an async context manager"),
        ({"children": [3]}, ValueError, "Server: children: "),
        (
            {"children": [Counter.child_spec(1, id="a"), Counter.child_spec(2, id="a")]},
            ValueError,
            "duplicate_child_name",
        ),
    ],
)
def test_company_that_is_refused(options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Server("s", version="1", **options)
