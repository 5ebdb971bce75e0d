"""Calls at work are counted, limited, and given back whatever becomes of their server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import trio

from erlmcp_py.guards.in_flight import InFlight, InFlightLimits
from erlmcp_py.protocol.errors import McpError
from supervisors import Pid, Runtime, exit_signal, is_alive, spawn

Start = Callable[[], Pid]


@pytest.fixture
async def process() -> AsyncIterator[Start]:
    """Starts a process that does nothing, which stands for a server or a client."""
    async with Runtime():
        yield lambda: spawn(trio.sleep_forever)


def code(refused: McpError | None) -> int:
    assert refused is not None
    assert refused.code == -32603
    found: int = refused.data["refusal"]
    return found


async def test_a_node_does_so_much_at_once(process: Start) -> None:
    calls = InFlight(InFlightLimits(total=2))
    first, second, client = process(), process(), process()
    assert calls.enter(first, client) is None
    assert calls.enter(second, client) is None
    assert code(calls.enter(first, client)) == 1005
    calls.leave(second, client)
    assert calls.enter(first, client) is None
    assert calls.total == 2


async def test_a_server_leaves_room_for_the_others(process: Start) -> None:
    calls = InFlight(InFlightLimits(per_server=1))
    first, second, client = process(), process(), process()
    assert calls.enter(first, client) is None
    assert code(calls.enter(first, client)) == 1005
    assert calls.enter(second, client) is None


async def test_a_client_leaves_room_for_the_others(process: Start) -> None:
    calls = InFlight(InFlightLimits(per_client=1))
    first, second, greedy, modest = process(), process(), process(), process()
    assert calls.enter(first, greedy) is None
    assert code(calls.enter(second, greedy)) == 1060
    assert calls.enter(second, modest) is None
    calls.leave(first, greedy)
    assert calls.enter(second, greedy) is None


async def test_a_crashed_server_gives_back_what_it_had_counted(process: Start) -> None:
    calls = InFlight(InFlightLimits(total=3, per_client=3))
    dead, other, client = process(), process(), process()
    for _ in range(2):
        assert calls.enter(dead, client) is None
    assert calls.enter(other, client) is None
    assert code(calls.enter(other, client)) == 1005
    exit_signal(dead, "kill")
    while is_alive(dead):
        await trio.lowlevel.checkpoint()
    assert calls.enter(other, client) is None
    assert calls.total == 2
    assert calls.enter(process(), client) is None  # its successor
