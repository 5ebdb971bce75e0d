"""Clients are told what has changed: both eras, over HTTP and stdio, through crashes."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import trio

from erlmcp_py import registry, sessions, subscriptions
from erlmcp_py.server import Server
from erlmcp_py.subscriptions import NAME as SUBSCRIPTIONS
from erlmcp_py.subscriptions import statistics
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from supervisors import call, stop, whereis
from tests.erlmcp_py.transports.http.client import MODERN, Client, connect, http, meta
from tests.erlmcp_py.transports.node import kill, node

HTTP = ListenerConfig(port=0)
ID = "io.modelcontextprotocol/subscriptionId"


def make() -> Server:
    server = Server("changing", version="1.0")

    @server.tool()
    def first() -> str:
        """Always there."""
        return "first"

    @server.prompt()
    def ask() -> str:
        """A prompt."""
        return "ask"

    @server.resource("a:fixed")
    def fixed() -> str:
        """A resource."""
        return "fixed"

    @server.resource("a:of/{name}")
    def of(name: str) -> str:
        """A family."""
        return name

    return server


def another() -> str:
    """A tool that comes later."""
    return "another"


def listen_request(id: int | str, **wanted: Any) -> bytes:
    body = {
        "jsonrpc": "2.0",
        "id": id,
        "method": "subscriptions/listen",
        "params": {"_meta": meta(), "notifications": wanted},
    }
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "subscriptions/listen"}
    return http("POST", "/mcp", body, headers)


async def next_event(client: Client) -> Any:
    with trio.fail_after(5):
        data = (await client.chunk()).split(b"data: ", 1)[1]
    return json.loads(data)


async def opened(client: Client, id: int | str = 7, **wanted: Any) -> dict[str, Any]:
    """What is honoured of the wish."""
    await client.send(listen_request(id, **wanted))
    status, headers = await client.head()
    assert (status, headers["content-type"]) == (200, "text/event-stream")
    first = await next_event(client)
    assert first["method"] == "notifications/subscriptions/acknowledged"
    assert first["params"]["_meta"] == {ID: id}
    return first["params"]["notifications"]


async def test_a_modern_stream_begins_with_what_is_honoured() -> None:
    async with node({"c": make()}, child_spec(HTTP)), connect() as client:
        honoured = await opened(
            client,
            toolsListChanged=True,
            promptsListChanged=False,
            resourceSubscriptions=["a:fixed", "a:of/x", "b:unknown"],
        )
        assert honoured == {
            "toolsListChanged": True,
            "promptsListChanged": False,
            "resourceSubscriptions": ["a:fixed", "a:of/x"],
        }


async def test_a_modern_stream_tells_what_was_asked_for_and_nothing_else() -> None:
    server = make()
    async with node({"c": server}, child_spec(HTTP)), connect() as client, connect() as second:
        await opened(client, "tools", toolsListChanged=True, resourceSubscriptions=["a:fixed"])
        await opened(second, 2, promptsListChanged=True)
        server.notify_updated("a:of/x")
        server.tool()(another)
        event = await next_event(client)
        assert event["method"] == "notifications/tools/list_changed"
        assert event["params"]["_meta"] == {ID: "tools"}
        server.notify_updated("a:fixed")
        event = await next_event(client)
        assert event["method"] == "notifications/resources/updated"
        assert event["params"]["uri"] == "a:fixed"
        server.remove_prompt("ask")
        event = await next_event(second)
        assert event["method"] == "notifications/prompts/list_changed"
        assert event["params"]["_meta"] == {ID: 2}


@pytest.mark.parametrize("ids", [[1, 2, 1], [7, 12345], ["a", "b\0", "b\1"], ["x", 100]])
async def test_every_stream_is_told_with_its_own_id(ids: list[int | str]) -> None:
    server = make()
    async with node({"c": server}, child_spec(HTTP)), contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect()) for _ in ids]
        for client, id in zip(clients, ids, strict=True):
            await opened(client, id, resourceSubscriptions=["a:fixed"])
        for _ in range(2):
            server.notify_updated("a:fixed")
            events = [await next_event(client) for client in clients]
            assert [event["params"]["_meta"] for event in events] == [{ID: id} for id in ids]
            assert {event["params"]["uri"] for event in events} == {"a:fixed"}


async def test_a_stream_ends_with_its_result_when_its_server_is_served_no_more() -> None:
    async with (
        node({"c": make(), "d": make()}, child_spec(HTTP)),
        connect() as client,
        connect() as other,
    ):
        await opened(client, 7, toolsListChanged=True, promptsListChanged=True)
        subscriptions.end("d")
        subscriptions.end("c")
        event = await next_event(client)
        assert (event["id"], event["result"]["_meta"]) == (7, {ID: 7})
        assert (await statistics()).subscriptions == 0
        await opened(other, 8, toolsListChanged=True)


async def test_a_change_from_a_thread_is_told_too() -> None:
    server = make()
    async with node({"c": server}, child_spec(HTTP)), connect() as client:
        await opened(client, resourceSubscriptions=["a:fixed"])
        await trio.to_thread.run_sync(server.notify_updated, "a:fixed")
        assert (await next_event(client))["params"]["uri"] == "a:fixed"


async def test_a_client_that_leaves_is_forgotten() -> None:
    async with node({"c": make()}, child_spec(HTTP)):
        async with connect() as client:
            await opened(client, toolsListChanged=True)
            assert (await statistics()).subscriptions == 1
        with trio.fail_after(5):
            while (await statistics()).subscriptions:
                await trio.sleep(0.01)


async def test_a_stream_outlives_its_server() -> None:
    server = make()
    async with node({"c": server}, child_spec(HTTP)), connect() as client:
        await opened(client, toolsListChanged=True)
        await kill(await registry.lookup("c"))
        with trio.fail_after(5):
            while await registry.lookup("c") is None:
                await trio.sleep(0.01)
        server.tool()(another)
        assert (await next_event(client))["method"] == "notifications/tools/list_changed"


async def test_a_stream_outlives_the_keeper_of_subscriptions_and_everything_is_told_once() -> None:
    server = make()
    async with node({"c": server}, child_spec(HTTP)), connect() as client:
        await opened(client, toolsListChanged=True)
        await kill(whereis(SUBSCRIPTIONS))
        assert (await next_event(client))["method"] == "notifications/tools/list_changed"
        server.tool()(another)
        assert (await next_event(client))["method"] == "notifications/tools/list_changed"


async def test_a_stream_ends_with_a_result_when_the_transport_stops() -> None:
    async with node({"c": make()}, child_spec(HTTP)), connect() as client:
        await opened(client, "mine", toolsListChanged=True)
        await stop("http_connections", "shutdown")
        end = await next_event(client)
        assert end["id"] == "mine"
        assert end["result"]["resultType"] == "complete"
        assert end["result"]["_meta"][ID] == "mine"
        assert await client.chunk() == b""
        assert await client.closed()


@pytest.mark.parametrize(
    "params", [{}, {"notifications": 1}, {"notifications": {"toolsListChanged": 1}}]
)
async def test_a_wish_that_cannot_be_read_is_an_error(params: dict[str, Any]) -> None:
    async with node({"c": make()}, child_spec(HTTP)), connect() as client:
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "subscriptions/listen",
            "params": {"_meta": meta(), **params},
        }
        headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "subscriptions/listen"}
        answer = await client.ask("POST", "/mcp", body, headers)
        assert answer.status == 400
        assert answer.json["error"]["code"] == -32602


def in_session(method: str, id: int = 3, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


async def stream_of(client: Client, session: str) -> None:
    await client.send(http("GET", "/mcp", headers={"Mcp-Session-Id": session}))
    status, _ = await client.head()
    assert status == 200


async def test_a_session_hears_of_lists_and_of_the_resources_it_subscribed_to() -> None:
    server = make()
    async with node({"c": server}, child_spec(HTTP)), connect() as client, connect() as events:
        session = await client.initialize()
        await stream_of(events, session)
        answer = await client.legacy(session, in_session("resources/subscribe", uri="a:fixed"))
        assert answer.json["result"] == {}
        with trio.fail_after(5):
            while not (await statistics()).subscriptions:
                await trio.sleep(0.01)
        server.notify_updated("a:of/other")
        server.notify_updated("a:fixed")
        event = await next_event(events)
        assert event == {
            "jsonrpc": "2.0",
            "method": "notifications/resources/updated",
            "params": {"uri": "a:fixed"},
        }
        server.tool()(another)
        assert (await next_event(events))["method"] == "notifications/tools/list_changed"
        await client.legacy(session, in_session("resources/unsubscribe", uri="a:fixed"))
        server.notify_updated("a:fixed")
        server.remove_tool("another")
        assert (await next_event(events))["method"] == "notifications/tools/list_changed"


async def test_a_killed_session_still_knows_its_wishes() -> None:
    server = make()
    async with node({"c": server}, child_spec(HTTP)), connect() as client, connect() as events:
        session = await client.initialize()
        await stream_of(events, session)
        await client.legacy(session, in_session("resources/subscribe", uri="a:fixed"))
        await client.legacy(session, in_session("logging/setLevel", level="error"))
        pid = await sessions.find(session)
        await kill(pid)
        with trio.fail_after(5):
            while (successor := await sessions.find(session)) in (None, pid):
                await trio.sleep(0.01)
            assert successor is not None
            assert (await call(successor, ("view",))).log_level == "error"
            while (await call(successor, ("statistics",))).streams == 0:
                await trio.sleep(0.01)
            while not (await statistics()).subscriptions:
                await trio.sleep(0.01)
        # It has to look at everything: nobody knows what changed while the session was gone.
        methods = [(await next_event(events))["method"] for _ in range(4)]
        assert sorted(methods) == [
            "notifications/prompts/list_changed",
            "notifications/resources/list_changed",
            "notifications/resources/updated",
            "notifications/tools/list_changed",
        ]
        server.notify_updated("a:fixed")
        assert (await next_event(events))["params"] == {"uri": "a:fixed"}


@pytest.mark.parametrize("method", ["resources/subscribe", "resources/unsubscribe"])
async def test_subscriptions_of_sessions_are_checked(method: str) -> None:
    async with node({"c": make()}, child_spec(HTTP)), connect() as client:
        session = await client.initialize()
        answer = await client.legacy(session, in_session(method))
        assert answer.json["error"]["code"] == -32602
        answer = await client.legacy(session, in_session(method, uri="b:unknown"))
        if method == "resources/subscribe":
            error = answer.json["error"]
            assert (error["code"], error["data"]["uri"]) == (-32002, "b:unknown")
            assert error["message"] == "Resource not found: b:unknown"
        else:
            assert answer.json["result"] == {}
