"""A client that does not read what its call reports gets the policy that is configured."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from erlmcp_py.guards import tally
from erlmcp_py.server import Context, Server
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from tests.erlmcp_py.transports.node import node

from .client import LEGACY, Answer, Client, connect, http, legacy_call, modern_call

REPORTS = 400
SIZE = 64 * 1024
TOKEN = "io.modelcontextprotocol/logLevel"
LIMIT = 1024 * 1024


class Work:
    """What became of the calls."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.cancelled = trio.Event()


def make_server(work: Work) -> Server:
    server = Server("main", version="1")

    @server.tool(timeout=60.0)
    async def work_on(context: Context, how: str, pause: float = 0.001, size: int = SIZE) -> str:
        """Report far more than the system keeps for a client that does not read."""
        try:
            for number in range(REPORTS):
                if how == "progress":
                    context.report_progress(number, REPORTS, "x" * size)
                else:
                    context.log("error", "x" * size)
                if number % 8 == 0:
                    await trio.sleep(pause)
        except trio.Cancelled:
            work.cancelled.set()
            raise
        work.done.set()
        return "all of it"

    @server.tool()
    def echo(text: str) -> str:
        """Say it back."""
        return text

    return server


@asynccontextmanager
async def working(policy: str) -> AsyncIterator[tuple[Work, Client]]:
    work = Work()
    spec = child_spec(ListenerConfig(port=0, unread=LIMIT, slow_reader=policy))  # type: ignore[arg-type]
    async with node({"main": make_server(work)}, spec), connect() as client:
        yield work, client


def modern(how: str, **arguments: float) -> bytes:
    more = {"progressToken": 1, TOKEN: "error"}
    return http("POST", **modern_call("work_on", 5, how=how, meta=more, **arguments))


def counted() -> int:
    return next((each.count for each in tally.refusals() if each.code == 1002), 0)


async def everything(client: Client) -> Answer:
    with trio.fail_after(20):
        return await client.answer()


@pytest.mark.parametrize("policy", ["drop_progress", "wait"])
async def test_the_answer_comes_though_news_are_left_out(policy: str) -> None:
    async with working(policy) as (work, client):
        await client.send(modern("progress"))
        with trio.fail_after(20):
            await work.done.wait()
        answer = await everything(client)
        *reports, result = answer.events
        assert result["result"]["content"][0]["text"] == "all of it"
        numbers = [report["params"]["progress"] for report in reports]
        assert numbers == sorted(numbers)
        assert 0 < len(numbers) < REPORTS
        assert counted() == 0
        assert (await client.call("echo", text="on")).text == "on"


@pytest.mark.parametrize(
    ("policy", "how"),
    [("disconnect", "progress"), ("disconnect", "log"), ("drop_progress", "log")],
)
async def test_who_must_not_miss_anything_is_disconnected(policy: str, how: str) -> None:
    async with working(policy) as (work, client):
        await client.send(modern(how))
        with trio.fail_after(20):
            await work.cancelled.wait()
        assert counted() == 1
        assert not work.done.is_set()
        async with connect() as other:
            assert (await other.call("echo", text="on")).text == "on"


async def test_the_call_of_a_session_goes_on_without_its_client() -> None:
    async with working("disconnect") as (work, client):
        async with connect() as first:
            session = await first.initialize()
        headers = {"Mcp-Session-Id": session, "MCP-Protocol-Version": LEGACY}
        call = legacy_call("work_on", 5, how="progress", meta={"progressToken": 1})
        await client.send(http("POST", "/mcp", call, headers))
        with trio.fail_after(20):
            await work.done.wait()
        assert counted() == 1


async def test_who_reads_misses_nothing() -> None:
    async with working("disconnect") as (work, client):
        await client.send(modern("progress", pause=0.01, size=SIZE // 8))
        answer: Any = await everything(client)
        assert len(answer.events) == REPORTS + 1
        assert counted() == 0
        assert work.done.is_set()
