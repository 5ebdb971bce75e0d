"""The server process on the real kernel: its end, its restart, its counters."""

from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

import supervisors
from erlmcp_py.server import Server
from erlmcp_py.server.process import ServerProcess
from supervisors import sys

from ..conftest import Connect, Peer
from .conftest import run_as_process


async def test_stopping_the_server_answers_those_who_wait(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    answers: list[Any] = []
    async with trio.open_nursery() as nursery:

        async def client() -> None:
            answers.append(await peer.error("tools/call", {"name": "hang"}))

        nursery.start_soon(client)
        await trio.testing.wait_all_tasks_blocked()
        await supervisors.stop(peer.pid)
    (error,) = answers
    assert (error["code"], error["message"]) == (-32603, "The server is stopping: normal")
    assert error["data"]["refusal"] == 1077
    await trio.testing.wait_all_tasks_blocked()
    assert supervisors.current_runtime().processes() == []


async def test_a_killed_server_takes_its_calls_along(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    reasons: list[Any] = []
    async with trio.open_nursery() as nursery:

        async def client() -> None:
            with pytest.raises(supervisors.CallExit) as caught:
                await peer.answer("tools/call", {"name": "hang"})
            reasons.append(caught.value.cause)

        nursery.start_soon(client)
        await trio.testing.wait_all_tasks_blocked()
        supervisors.exit(peer.pid, "kill")
    assert reasons == ["killed"]
    await trio.testing.wait_all_tasks_blocked()
    assert supervisors.current_runtime().processes() == []


async def test_a_supervisor_restarts_it_under_its_name(server: Server) -> None:
    class Top(supervisors.Supervisor):
        def init(self) -> Any:
            return supervisors.SupFlags(), [ServerProcess.child_spec(server, "test", name="test")]

    async def scenario() -> None:
        await Top.start_link()
        first = supervisors.whereis("test")
        peer = Peer(first)
        assert await peer.tool("add", a=1, b=1)
        supervisors.exit(first, "kill")
        await trio.testing.wait_all_tasks_blocked()
        second = supervisors.whereis("test")
        assert second not in (None, first)
        assert await Peer(second).tool("add", a=1, b=1)

    async with supervisors.Runtime():
        await run_as_process(scenario)


async def test_statistics(autojump_clock: MockClock, server: Server, connect: Connect) -> None:
    peer = await connect(server)
    await peer.tool("add", a=1, b=1)
    await peer.failure("add", a=1)
    await peer.failure("crash")
    await peer.failure("hang")
    await peer.failure("refuse_later")
    await peer.error("tools/call", {"name": "unknown"})
    info = await peer.info()
    zero = {
        "calls": 1,
        "errors": 0,
        "crashes": 0,
        "timeouts": 0,
        "cancelled": 0,
        "in_flight": 0,
    }
    assert info["tools"] == {
        "add": {**zero, "calls": 2, "errors": 1},
        "crash": {**zero, "crashes": 1},
        "hang": {**zero, "timeouts": 1},
        "refuse_later": {**zero, "errors": 1},
    }
    assert (info["requests"], info["refused"], info["in_flight"]) == (6, 1, 0)
    assert (info["name"], info["version"]) == ("test", "1.2")
    assert info["defined"] == {
        "tools": len(server.tools),
        "resources": 4,
        "templates": 1,
        "prompts": 2,
    }


async def test_the_shell_sees_facts(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    assert supervisors.process_info(peer.pid).label == "server test"
    assert "'requests': 0" in repr(await sys.get_status(peer.pid))


async def test_strange_messages_change_nothing(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    assert (await supervisors.call(peer.pid, "what?"))[0] == "error"
    supervisors.cast(peer.pid, "what?")
    supervisors.send(peer.pid, ("EXIT", peer.pid, "strange"))
    supervisors.send(peer.pid, 3)
    assert await peer.tool("add", a=1, b=1)
