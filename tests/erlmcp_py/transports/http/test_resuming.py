"""A client that loses its connection gets the rest (MCP 2025-11-25, resumability)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from erlmcp_py import sessions
from erlmcp_py.server import Context, Server
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from supervisors import call
from tests.erlmcp_py.transports.http.client import Client, connect, http, legacy_call, modern_call
from tests.erlmcp_py.transports.node import kill, node

HTTP = ListenerConfig(port=0)


class Gate:
    """Holds the handler until the test lets it go."""

    def __init__(self) -> None:
        self.open = trio.Event()
        self.closed: bool | None = None


def make(gate: Gate) -> Server:
    server = Server("s", version="1")

    @server.tool(timeout=60)
    async def work(ctx: Context) -> str:
        """Say one thing, wait, say another."""
        ctx.log("info", "before")
        await gate.open.wait()
        ctx.log("info", "after")
        return "done"

    @server.tool(timeout=60)
    async def let_go(ctx: Context) -> str:
        """Let go of the client."""
        gate.closed = ctx.close_stream(retry=0.25)
        await gate.open.wait()
        ctx.log("info", "after")
        return "done"

    @server.tool()
    def echo(text: str) -> str:
        """Say it back."""
        return text

    return server


def fields(event: bytes) -> dict[str, str]:
    parts = (line.partition(":") for line in event.decode().strip().split("\n"))
    return {name: value.strip() for name, _, value in parts}


def data(event: bytes) -> Any:
    return json.loads(fields(event)["data"])


async def begin(client: Client, session: str, tool: str, version: str = "2025-11-25") -> None:
    headers = {"Mcp-Session-Id": session, "MCP-Protocol-Version": version}
    await client.send(http("POST", "/mcp", legacy_call(tool), headers))
    status, head = await client.head()
    assert (status, head["content-type"]) == (200, "text/event-stream")


async def come_back(client: Client, session: str, last: str) -> None:
    headers = {"Mcp-Session-Id": session, "Last-Event-ID": last}
    await client.send(http("GET", "/mcp", headers=headers))
    status, _ = await client.head()
    assert status == 200


async def test_a_stream_begins_with_an_id_and_every_event_has_one() -> None:
    gate = Gate()
    async with node({"s": make(gate)}, child_spec(HTTP)), connect() as client:
        session = await client.initialize()
        await begin(client, session, "work")
        primer = fields(await client.chunk())
        assert primer["data"] == ""
        events = [await client.chunk()]
        gate.open.set()
        events += [await client.chunk(), await client.chunk()]
        assert await client.chunk() == b""
        ids = [primer["id"], *(fields(event)["id"] for event in events)]
        assert len(set(ids)) == 4
        assert data(events[-1])["result"]["content"][0]["text"] == "done"


@pytest.mark.parametrize("seen", [0, 1])
async def test_the_rest_of_a_lost_answer(seen: int) -> None:
    gate = Gate()
    async with node({"s": make(gate)}, child_spec(HTTP)):
        async with connect() as client:
            session = await client.initialize()
            await begin(client, session, "work")
            ids = [fields(await client.chunk())["id"] for _ in range(2)]
        async with connect() as client:
            await come_back(client, session, ids[seen])
            if seen == 0:
                assert data(await client.chunk())["params"]["data"] == "before"
            gate.open.set()
            assert data(await client.chunk())["params"]["data"] == "after"
            assert data(await client.chunk())["result"]["content"][0]["text"] == "done"
            assert await client.chunk() == b""


async def test_an_answer_that_came_while_nobody_listened() -> None:
    gate = Gate()
    async with node({"s": make(gate)}, child_spec(HTTP)):
        async with connect() as client:
            session = await client.initialize()
            await begin(client, session, "work")
            last = fields(await client.chunk())["id"]
        gate.open.set()
        pid = await sessions.find(session)
        assert pid is not None
        with trio.fail_after(5):
            while (await call(pid, ("statistics",))).calls:
                await trio.sleep(0.01)
        for _ in range(2):  # as often as the client likes
            async with connect() as client:
                await come_back(client, session, last)
                texts = [await client.chunk() for _ in range(3)]
                assert data(texts[-1])["result"]["content"][0]["text"] == "done"
                assert await client.chunk() == b""


async def test_a_killed_session_forgets_no_event() -> None:
    gate = Gate()
    async with node({"s": make(gate)}, child_spec(HTTP)):
        async with connect() as client:
            session = await client.initialize()
            await begin(client, session, "work")
            last = fields(await client.chunk())["id"]
        await kill(await sessions.find(session))
        async with connect() as client:
            await come_back(client, session, last)
            assert data(await client.chunk())["params"]["data"] == "before"
            gate.open.set()
            await client.chunk()
            assert data(await client.chunk())["result"]["content"][0]["text"] == "done"


async def test_a_handler_lets_its_client_go_and_the_connection_goes_on() -> None:
    gate = Gate()
    async with node({"s": make(gate)}, child_spec(HTTP)), connect() as client:
        session = await client.initialize()
        await begin(client, session, "let_go")
        last = fields(await client.chunk())["id"]
        assert fields(await client.chunk()) == {"retry": "250"}
        assert await client.chunk() == b""
        assert gate.closed is True
        # The same connection, while the call still runs.
        assert (await client.legacy(session, legacy_call("echo", 2, text="hi"))).text == "hi"
        await come_back(client, session, last)
        gate.open.set()
        assert data(await client.chunk())["params"]["data"] == "after"
        assert data(await client.chunk())["result"]["content"][0]["text"] == "done"
        assert await client.chunk() == b""


async def test_letting_go_means_nothing_in_the_other_era() -> None:
    gate = Gate()
    gate.open.set()
    async with node({"s": make(gate)}, child_spec(HTTP)), connect() as client:
        assert (await client.ask(**modern_call("let_go"))).text == "done"
        assert gate.closed is False


async def test_an_older_client_without_an_id_is_not_let_go() -> None:
    gate = Gate()
    async with node({"s": make(gate)}, child_spec(HTTP)), connect() as client:
        session = await client.initialize(version="2025-06-18")
        await begin(client, session, "let_go", "2025-06-18")
        gate.open.set()
        first = await client.chunk()
        assert data(first)["params"]["data"] == "after"
        assert data(await client.chunk())["result"]["content"][0]["text"] == "done"
        assert await client.chunk() == b""


async def test_an_unknown_id_opens_a_new_stream() -> None:
    async with node({"s": make(Gate())}, child_spec(HTTP)), connect() as client:
        session = await client.initialize()
        await come_back(client, session, "7-7")
        pid = await sessions.find(session)
        assert pid is not None
        with trio.fail_after(5):
            while (await call(pid, ("statistics",))).streams != 1:
                await trio.sleep(0.01)


async def test_the_stream_of_a_get_is_resumed_and_the_client_told_to_look_again() -> None:
    server = make(Gate())
    async with node({"s": server}, child_spec(HTTP)):
        async with connect() as client:
            session = await client.initialize()
            await client.send(http("GET", "/mcp", headers={"Mcp-Session-Id": session}))
            await client.head()
            pid = await sessions.find(session)
            assert pid is not None
            with trio.fail_after(5):
                while (await call(pid, ("statistics",))).streams != 1:
                    await trio.sleep(0.01)
            server.remove_tool("echo")
            last = fields(await client.chunk())["id"]
        async with connect() as client:
            await come_back(client, session, last)
            methods = {data(await client.chunk())["method"] for _ in range(3)}
            assert methods == {
                "notifications/tools/list_changed",
                "notifications/prompts/list_changed",
                "notifications/resources/list_changed",
            }


async def test_two_that_come_back_for_the_same_stream_the_later_gets_it() -> None:
    gate = Gate()
    async with (
        node({"s": make(gate)}, child_spec(HTTP)),
        connect() as client,
        connect() as first,
        connect() as second,
    ):
        session = await client.initialize()
        await begin(client, session, "work")
        last = fields(await client.chunk())["id"]
        await come_back(first, session, last)
        await come_back(second, session, last)
        assert data(await second.chunk())["params"]["data"] == "before"
        gate.open.set()
        assert data(await second.chunk())["params"]["data"] == "after"
        assert data(await second.chunk())["result"]["content"][0]["text"] == "done"


async def test_every_answer_can_be_resumed_where_that_is_wanted() -> None:
    config = ListenerConfig(port=0, resumable_answers=True)
    async with node({"s": make(Gate())}, child_spec(config)), connect() as client:
        session = await client.initialize()
        await begin(client, session, "echo")
        primer = fields(await client.chunk())["id"]
        refused = data(await client.chunk())
        assert refused["result"]["isError"]  # it wants an argument
        assert await client.chunk() == b""
        await come_back(client, session, primer)
        assert data(await client.chunk()) == refused
        assert await client.chunk() == b""
        # The other era has no use for it.
        assert (await client.call("echo", text="hi")).headers["content-type"] == "application/json"
