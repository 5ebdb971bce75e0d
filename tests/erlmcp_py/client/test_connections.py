"""Connections that are made again, and clients whose supervisor or server is of this program."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from erlmcp_py.client import (
    Client,
    ConnectError,
    ConnectionLost,
    NotConnected,
)
from erlmcp_py.server import Server
from erlmcp_py.transports import tcp
from supervisors import Backoff, Runtime, exit_signal
from tests.erlmcp_py.client.serving import port_of
from tests.erlmcp_py.transports.node import node

pytestmark = pytest.mark.usefixtures("soon")


async def test_below_a_supervisor_it_connects_in_its_own_time() -> None:
    from supervisors import DynamicSupervisor, spawn, start_child, terminate_child

    client = Client.stdio(
        sys.executable, "-c", "import sys; sys.stdin.readline(); sys.exit('broken')", timeout=5.0
    )
    async with Runtime():
        done = trio.Event()

        async def top() -> None:
            sup = await DynamicSupervisor.start_link()
            pid = await start_child(sup, client.child_spec())
            while "broken" not in (client.status().reason or ""):
                await trio.sleep(0.01)
            with pytest.raises(NotConnected, match="broken"):
                await client.call_tool("x", timeout=0.5)
            assert client.status().state == "down"
            await terminate_child(sup, pid)
            done.set()

        spawn(top)
        with trio.fail_after(20):
            await done.wait()


def echoing() -> Server:
    server = Server("probe", version="1")

    @server.tool()
    async def later(text: str) -> str:
        """Say it back, after a while."""
        await trio.sleep(0.05)
        return text

    return server


async def test_a_lost_connection_is_made_again(autojump_clock: object) -> None:
    """Killed at the client, under load: who waits gets an answer or a clear error."""
    async with node({"probe": echoing()}, tcp.child_spec(tcp.TcpSettings(server="probe"))):
        outcomes: list[str] = []
        async with Client.tcp("127.0.0.1", await port_of("tcp")) as client:

            async def caller() -> None:
                for number in range(50):
                    try:
                        await client.call_tool("later", {"text": str(number)})
                        outcomes.append("ok")
                    except ConnectionLost as lost:
                        outcomes.append("lost" if lost.maybe_done else "unsent")

            async with trio.open_nursery() as nursery:
                for _ in range(10):
                    nursery.start_soon(caller)
                for _ in range(5):
                    await trio.sleep(0.3)
                    pid = client.connection_pid()
                    if pid is not None:
                        exit_signal(pid, "kill")
            assert client.status().connections >= 2
        assert len(outcomes) == 500
        assert set(outcomes) == {"ok", "lost"}
        assert outcomes.count("lost") >= 10


async def test_a_subscription_outlives_its_connection(autojump_clock: object) -> None:
    server = echoing()
    async with (
        node({"probe": server}, tcp.child_spec(tcp.TcpSettings(server="probe"))),
        Client.tcp("127.0.0.1", await port_of("tcp")) as client,
        client.subscribe(tools=True) as changes,
    ):
        pid = client.connection_pid()
        assert pid is not None
        exit_signal(pid, "kill")
        # Nobody knows what was missed, so it is announced.
        assert (await anext(changes)).kind == "tools"
        server.tool(name="more")(lambda: "x")
        assert (await anext(changes)).kind == "tools"


async def test_a_connection_is_given_up_for_a_reason_of_the_program(autojump_clock: object) -> None:
    async with (
        node({"probe": echoing()}, tcp.child_spec(tcp.TcpSettings(server="probe"))),
        Client.tcp("127.0.0.1", await port_of("tcp")) as client,
    ):
        for number in range(1, 4):
            client.reconnect("no answer to a ping")
            status = client.status()
            assert (status.state, status.reason) == ("down", "no answer to a ping")
            await client.changed()
            put_off = client.status()
            assert put_off.next_try is not None
            assert put_off.next_try > trio.current_time()
            await client.changed()
            status = client.status()
            assert (status.state, status.connections, status.failures) == ("up", number + 1, number)
            assert status.in_vain == 0


async def test_pauses_are_the_programs_choice(autojump_clock: object) -> None:
    began = trio.current_time()
    pause = Backoff(first=5.0, factor=1.0, limit=5.0, jitter=0.0)
    async with (
        node({"probe": echoing()}, tcp.child_spec(tcp.TcpSettings(server="probe"))),
        Client.tcp("127.0.0.1", await port_of("tcp"), pause=pause) as client,
    ):
        client.reconnect("for a test")
        await client.call_tool("later", {"text": "x"})
        assert trio.current_time() - began == pytest.approx(5.05, abs=0.02)


@pytest.mark.parametrize("killed", [False, True])
async def test_a_server_of_this_program_is_stopped_in_order(
    killed: bool, autojump_clock: object
) -> None:
    lived: list[str] = []

    @asynccontextmanager
    async def life(_: Server) -> AsyncIterator[None]:
        lived.append("begun")
        yield
        lived.append("ended")

    server = Server("alive", version="1", lifespan=life)
    async with Client.in_process(server) as client:
        if killed:
            pid = client.connection_pid()
            assert pid is not None
            exit_signal(pid, "kill")
            await client.changed()
            await client.ping()
            assert client.status().connections == 2
    assert lived == ["begun", "ended"] * (2 if killed else 1)


async def test_a_server_of_this_program_that_does_not_start() -> None:
    @asynccontextmanager
    async def life(_: Server) -> AsyncIterator[None]:
        raise ConnectionError("no database")
        yield

    with pytest.raises(ConnectError, match=r"did not start: .*ConnectionError: no database"):
        async with Client.in_process(Server("closed", version="1", lifespan=life)):
            pass


async def test_a_client_whose_tree_was_killed_can_be_left(autojump_clock: object) -> None:
    async with (
        node({"probe": echoing()}, tcp.child_spec(tcp.TcpSettings(server="probe"))),
        Client.tcp("127.0.0.1", await port_of("tcp"), timeout=1.0) as client,
    ):
        assert client.pid is not None
        exit_signal(client.pid, "kill")
        await trio.sleep(0.1)
        with pytest.raises(NotConnected):
            await client.call_tool("later", {"text": "x"})
