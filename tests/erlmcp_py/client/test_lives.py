"""Clients that are opened, used and left in ways nobody should, and what is left of their requests."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest
import trio
import trio.testing

from erlmcp_py.client import Client, ConnectError, ConnectionLost, NotConnected
from erlmcp_py.server import Server
from supervisors import DynamicSupervisor, Runtime, is_alive, spawn, start_child
from tests.erlmcp_py.client.bad import DISCOVERED, Asked, cancelled_after, http_server, result
from tests.erlmcp_py.client.test_eras_http import ACCEPTED, Old

eras = pytest.mark.parametrize("era", ["modern", "legacy"])


def server() -> Server:
    made = Server("probe", version="1")

    @made.tool()
    async def wait(seconds: float = 0.0) -> str:
        """Wait."""
        await trio.sleep(seconds)
        return "done"

    return made


class Slow(Old):
    """A server over HTTP, of both eras, that never answers a call."""

    def __init__(self, era: str) -> None:
        super().__init__()
        self.era = era
        self.heard: list[str | None] = []
        self.called = trio.Event()

    def __call__(self, asked: Asked) -> Any:  # type: ignore[override]
        self.heard.append(asked.method or asked.verb)
        if asked.method == "tools/call":
            return self.never()
        if asked.method == "notifications/cancelled":
            return ACCEPTED
        if asked.method == "server/discover" and self.era == "modern":
            return result(asked, DISCOVERED)
        return super().__call__(asked)

    async def never(self) -> None:
        self.called.set()
        await trio.sleep_forever()


async def test_a_client_is_opened_once() -> None:
    client = Client.in_process(server())
    async with client:
        with pytest.raises(RuntimeError, match="opened before; make another"):
            async with client:
                pass
        await client.call_tool("wait")
    with pytest.raises(RuntimeError, match="opened before"):
        async with client:
            pass
    nobody = Client("http://127.0.0.1:1/mcp")
    with pytest.raises(ConnectError):
        async with nobody:
            pass
    with pytest.raises(RuntimeError, match="opened before"):
        async with nobody:
            pass


async def test_what_is_asked_of_a_client_that_is_closed_or_not_open_yet() -> None:
    async with Runtime():
        client = Client.in_process(server())
        with pytest.raises(NotConnected, match="has been opened"):
            client.subscribe(tools=True)
        with pytest.raises(NotConnected, match="has not been greeted"):
            assert client.hello
        async with client:
            pass
        with pytest.raises(NotConnected, match="is closed"):
            await client.call_tool("wait")
        with pytest.raises(NotConnected, match="has ended"):
            async with client.subscribe(tools=True):
                pass


@eras
@pytest.mark.parametrize("transport", ["http", "in_process"])
async def test_requests_under_way_end_with_the_client(era: Any, transport: str) -> None:
    problems: list[ConnectionLost] = []

    async def call(client: Client) -> None:
        with pytest.raises(ConnectionLost, match="the client is closed") as lost:
            await client.call_tool("wait", {"seconds": 60})
        problems.append(lost.value)

    slow = Slow(era)
    async with http_server(slow) as (url, _), trio.open_nursery() as nursery:
        made = Client(url, mode=era)
        if transport == "in_process":
            made = Client.in_process(server(), mode=era)
            slow.called.set()
        with trio.fail_after(5):
            async with made as client:
                nursery.start_soon(call, client)
                await slow.called.wait()
                await trio.testing.wait_all_tasks_blocked()
    assert problems[0].maybe_done
    assert made.status().in_flight == 0
    if transport == "http" and era == "legacy":
        assert slow.heard[-2:] == ["notifications/cancelled", "DELETE"]


async def test_who_reads_changes_elsewhere_hears_that_the_client_has_ended() -> None:
    made = server()
    opened = trio.Event()
    async with trio.open_nursery() as nursery:

        async def read(client: Client) -> None:
            async with client.subscribe(tools=True) as changes:
                opened.set()
                with pytest.raises(NotConnected, match="has ended"):
                    await anext(changes)

        with trio.fail_after(5):
            async with Client.in_process(made) as client:
                nursery.start_soon(read, client)
                await opened.wait()
    assert client.status().state == "closed"


async def test_in_a_scope_that_is_cancelled() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        async with Client.in_process(server()):
            raise AssertionError
    assert scope.cancelled_caught
    async with Runtime():
        with trio.CancelScope() as scope:
            async with Client.in_process(server()) as client:
                pid = client.connection_pid()
                scope.cancel()
                await client.call_tool("wait", {"seconds": 60})
        assert pid is not None
        assert not is_alive(pid)


async def test_several_clients_in_one_program() -> None:
    made = server()
    answers: list[str] = []

    async def one() -> None:
        async with Client.in_process(made) as client, trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(call, client)

    async def call(client: Client) -> None:
        answers.append((await client.call_tool("wait")).content[0].text)  # type: ignore[union-attr]

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(one)
    assert answers == 25 * ["done"]


@pytest.mark.parametrize("steps", range(8))
@eras
async def test_a_call_is_cancelled_wherever_it_is(steps: int, era: Any) -> None:
    """Nothing is left of it, and the server is told once, or was never asked."""
    slow = Slow(era)
    async with http_server(slow) as (url, seen), Client(url, mode=era) as client:
        await cancelled_after(steps, client, "wait")
        assert len(client._desk.link.calls) == 0  # type: ignore[union-attr]
        await trio.sleep(0.05)
        told = [asked for asked in seen if asked.method == "notifications/cancelled"]
        assert len(told) <= (era == "legacy")
        await client.ping()


INTERRUPTED = """
import sys, trio
from erlmcp_py.client import Client
async def main():
    async with Client.stdio(sys.executable, "-c", sys.argv[1], mode="legacy") as client:
        print("open", flush=True)
        await client.call_tool("x", timeout=60)
try:
    trio.run(main)
except BaseException as problem:
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    print(type(problem).__name__)
"""
SERVER = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if asked["method"] == "initialize":
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {"protocolVersion":
            "2025-11-25", "capabilities": {}, "serverInfo": {"name": "p", "version": "1"}}}), flush=True)
    print(asked["method"], file=sys.stderr, flush=True)
print("the end", file=sys.stderr, flush=True)
"""


def test_ctrl_c_in_a_program_of_somebody() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, SERVER], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert out == "KeyboardInterrupt\n"


@pytest.mark.parametrize("what", ["ping", "task", "level"])
async def test_what_depends_on_the_era_waits_for_it(what: str) -> None:
    """Below a supervisor, where requests may come before there is a connection."""
    client = Client.in_process(server(), mode="legacy")
    async with Runtime():

        async def top() -> None:
            await DynamicSupervisor.start_link(name="clients")
            await start_child("clients", client.child_spec())
            await trio.sleep_forever()

        with trio.fail_after(10):
            spawn(top)
            if what == "ping":
                await client.ping()
            elif what == "level":
                await client.set_log_level("error")
            else:
                assert (await (await client.tasks.start("wait")).result()).content
        alone = Client.in_process(server(), timeout=0.05)
        with pytest.raises(NotConnected, match="there was none yet"):
            await alone.tasks.start("wait")
