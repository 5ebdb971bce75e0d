"""Streams are limited, of all clients and of one session, and one that ends makes room."""

from __future__ import annotations

import contextlib
from typing import Any

import trio

from erlmcp_py.guards import tally
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from tests.erlmcp_py.transports.node import Probe, make_server, node

from .client import LEGACY, MODERN, Answer, Client, connect, http, meta

SSE = {"Accept": "text/event-stream"}


def some(**settings: Any) -> Any:
    return node({"probe": make_server(Probe())}, child_spec(ListenerConfig(port=0, **settings)))


def listen(id: int = 7) -> bytes:
    params = {"notifications": {"toolsListChanged": True}, "_meta": meta()}
    body = {"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params}
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "subscriptions/listen"}
    return http("POST", "/mcp", body, headers)


def get(session: str) -> bytes:
    headers = {"Mcp-Session-Id": session, "MCP-Protocol-Version": LEGACY}
    return http("GET", "/mcp", headers=SSE | headers)


def counted(code: int) -> int:
    return next((each.count for each in tally.refusals() if each.code == code), 0)


async def opened(client: Client, request: bytes) -> None:
    await client.send(request)
    status, headers = await client.head()
    assert (status, headers["content-type"]) == (200, "text/event-stream")


async def refused(client: Client, request: bytes) -> Answer:
    await client.send(request)
    return await client.answer()


async def until_there_is_room(client: Client, request: bytes) -> None:
    """The end of another's stream is noticed by the node when it is."""
    with trio.fail_after(5):
        while True:
            await client.send(request)
            status, headers = await client.head()
            if status == 200:
                return
            await client.exactly(int(headers["content-length"]))
            await trio.sleep(0.01)


async def test_one_stream_too_many_is_503_and_leaves_room_for_requests() -> None:
    async with some(streams=1), connect() as first, connect() as second:
        await opened(first, listen())
        answer = await refused(second, listen(8))
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.json["id"] == 8
        assert answer.json["error"]["data"]["refusal"] == 1089
        assert counted(1089) == 1
        assert (await second.call("echo", text="still")).text == "still"
        await first.stream.aclose()
        await until_there_is_room(second, listen(9))


async def test_every_kind_of_stream_counts() -> None:
    async with some(streams=1), connect() as first, connect() as second:
        session = await second.initialize()
        await opened(first, http("GET", "/sse", headers=SSE))
        for request in (listen(), get(session), http("GET", "/sse", headers=SSE)):
            answer = await refused(second, request)
            assert answer.status == 503
            assert answer.json["error"]["data"]["refusal"] == 1089
        assert counted(1089) == 3
        await first.stream.aclose()
        await until_there_is_room(second, get(session))


async def test_one_stream_too_many_of_a_session_is_429() -> None:
    async with some(streams_per_session=2), contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect()) for _ in range(4)]
        session = await clients[0].initialize()
        await opened(clients[0], get(session))
        await opened(clients[1], get(session))
        answer = await refused(clients[2], get(session))
        assert (answer.status, answer.headers["retry-after"]) == (429, "1")
        assert answer.json["error"]["data"]["refusal"] == 1060
        assert counted(1060) == 1
        other = await clients[3].initialize()
        await opened(clients[3], get(other))
        await clients[1].stream.aclose()
        await until_there_is_room(clients[2], get(session))
