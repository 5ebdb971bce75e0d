"""Refusals are counted per runtime, and nobody's crash forgets them."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from erlmcp_py.guards import tally
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import McpError, refused
from supervisors import Runtime


async def test_nothing_was_refused_at_first() -> None:
    async with Runtime():
        assert tally.refusals() == ()


async def test_counts_and_moments(autojump_clock: MockClock) -> None:
    async with Runtime() as runtime:
        began = runtime.now()
        tally.count(refusals.TOO_LARGE)
        await trio.sleep(5)
        tally.count(refusals.TOO_LARGE)
        tally.count(refusals.QUEUE_FULL)
        first, second = tally.refusals()
        assert (first.code, first.name, first.count) == (1001, "queue_full", 1)
        assert (second.code, second.severity, second.count) == (1068, "error", 2)
        assert second.last_at == runtime.now() == began + 5


async def test_what_an_error_names_is_counted() -> None:
    async with Runtime():
        tally.count_error(refused(refusals.TOOL_NOT_FOUND).data)
        tally.count_error(McpError(-32000, "a server's own", {"refusal": 5}).data)
        tally.count_error(None)
        assert [(each.code, each.count) for each in tally.refusals()] == [(1048, 1)]


async def test_runtimes_count_for_themselves() -> None:
    async with Runtime():
        tally.count(refusals.TOO_LARGE)
    async with Runtime():
        assert tally.refusals() == ()
