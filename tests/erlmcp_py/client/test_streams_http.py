"""Event streams of servers that misbehave: what is read of them, and when they are taken up again."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from erlmcp_py.client import Client, ConnectionLost, HttpStatus
from erlmcp_py.protocol.notifications import TOOLS_CHANGED
from tests.erlmcp_py.client.bad import (
    DISCOVERED,
    Asked,
    event,
    http_server,
    json_answer,
    result,
    stream,
)
from tests.erlmcp_py.client.test_eras_http import ACCEPTED, DONE, NO_STREAM, SHAKEN, Old

NOTHING: Any = {"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": "no"}}
PRIMED = b"retry: 500\nid: e1\ndata:\n\n"


class Speaking(Old):
    """What it says on GET, by whether a stream is taken up again."""

    def __init__(self, stands: Any = None, resumes: Any = None) -> None:
        super().__init__()
        self.stands = stands
        self.resumes = resumes
        self.gets: list[float] = []
        self.calls = 0

    def __call__(self, asked: Asked) -> Any:  # type: ignore[override]
        known = asked.headers.get("mcp-session-id") in self.known
        if asked.verb == "GET" and known and "last-event-id" in asked.headers and self.resumes:
            return self.resumes(asked)
        if asked.verb == "GET" and known and self.stands:
            self.gets.append(trio.current_time())
            return self.stands(asked)
        return super().__call__(asked)

    def call(self, asked: Asked) -> bytes | None:
        if asked.method == "tools/call":
            self.calls += 1
            return stream(PRIMED)
        return super().call(asked)


# --- a call whose stream cannot be taken up again --------------------------------------------------


@pytest.mark.parametrize(
    "resumes",
    [
        lambda _: b"HTTP/1.1 404 Unknown\r\nContent-Length: 0\r\n\r\n",
        lambda _: json_answer(NOTHING, "404 Unknown"),
        lambda _: b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n",
        lambda _: b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_a_call_that_was_begun_is_not_sent_again(
    resumes: Any, autojump_clock: object
) -> None:
    old = Speaking(resumes=resumes)
    async with http_server(old) as (url, _), Client(url, mode="legacy") as client:
        with pytest.raises(ConnectionLost) as lost:
            await client.call_tool("x")
        assert lost.value.maybe_done
    assert old.calls == 1


async def test_nor_is_one_whose_server_is_gone_when_its_stream_is_taken_up(
    autojump_clock: object,
) -> None:
    """It restarts between the two, and nobody listens for a while."""
    async with trio.open_nursery() as nursery:
        old = Speaking(resumes=lambda _: stream(event({"jsonrpc": "2.0", "id": 2, "result": DONE})))
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        port = listener.socket.getsockname()[1]

        async def forward(client: trio.SocketStream) -> None:
            """The real one, while it is open."""
            async with client:
                server = await trio.open_tcp_stream("127.0.0.1", inner)
                async with server, trio.open_nursery() as both:
                    both.start_soon(copy, client, server, both.cancel_scope)
                    both.start_soon(copy, server, client, both.cancel_scope)

        async def copy(source: Any, target: Any, scope: trio.CancelScope) -> None:
            async for data in source:
                await target.send_all(data)
                if b"retry: 500" in data:
                    await trio.sleep(0.1)
                    serving.cancel()
            scope.cancel()

        async def serve() -> None:
            with serving:
                await trio.serve_listeners(forward, [listener])

        async def come_back() -> None:
            await trio.sleep(3)
            again = (await trio.open_tcp_listeners(port, host="127.0.0.1"))[0]
            await trio.serve_listeners(forward, [again])

        serving = trio.CancelScope()
        async with http_server(old) as (url, _):
            inner = int(url.split(":")[2].partition("/")[0])
            nursery.start_soon(serve)
            async with Client(f"http://127.0.0.1:{port}/mcp", mode="legacy") as client:
                nursery.start_soon(come_back)
                assert (await client.call_tool("x")).content == []
            assert old.calls == 1
            nursery.cancel_scope.cancel()


# --- the stream on which a server speaks unasked -------------------------------------------------------


async def gets_within(seconds: float, stands: Any) -> Speaking:
    old = Speaking(stands)
    async with http_server(old) as (url, _), Client(url, mode="legacy"):
        await trio.sleep(seconds)
    return old


@pytest.mark.parametrize("status", ["405 No", "400 No", "200 OK"])
async def test_a_server_without_one_is_asked_once(status: str, autojump_clock: object) -> None:
    old = await gets_within(600, lambda _: json_answer(NOTHING, status))
    assert len(old.gets) == 1


async def test_one_that_ends_at_once_is_not_asked_without_pause(autojump_clock: object) -> None:
    old = await gets_within(10, lambda _: stream(b"retry: 0\nid: e1\ndata:\n\n"))
    assert len(old.gets) <= 101


async def test_a_proxy_that_is_in_trouble_for_a_while_costs_no_news(
    autojump_clock: object,
) -> None:
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    garbage = stream(b"data: {\n\n")
    news = stream(b"data: {\n\n", event({"jsonrpc": "2.0", "method": TOOLS_CHANGED}), end=False)
    answers = [busy, busy, garbage, news]
    heard: list[str] = []
    old = Speaking(lambda _: answers.pop(0) if answers else news)
    async with (
        http_server(old) as (url, _),
        Client(url, mode="legacy", on_notification=lambda one: heard.append(one.method)),
    ):
        with trio.fail_after(100):
            while not heard:
                await trio.sleep(1)
    assert heard == [TOOLS_CHANGED]


# --- events ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_events_of_other_names_are_none_of_ours(era: Any) -> None:
    """Such as the pings of some frameworks."""

    class Pinging(Old):
        def __call__(self, asked: Asked) -> bytes | None:
            if asked.method == "server/discover":
                return result(asked, DISCOVERED)
            if asked.method == "tools/call":
                done = {"jsonrpc": "2.0", "id": asked.message["id"], "result": DONE}
                ping = b"event: ping\ndata: 2026-11-21 12:00\n\n"
                return stream(ping, b"event: message\n" + event(done))
            return super().__call__(asked)

    async with http_server(Pinging()) as (url, _), Client(url, mode=era) as client:
        await client.call_tool("x")


@pytest.mark.parametrize(("status", "maybe"), [(400, False), (429, False), (502, True)])
async def test_what_a_gateway_says_may_come_after_the_deed(status: int, maybe: bool) -> None:
    def behave(asked: Asked) -> bytes:
        if asked.method == "server/discover":
            return result(asked, DISCOVERED)
        return b"HTTP/1.1 %d No\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n" % status

    async with http_server(behave) as (url, seen), Client(url) as client:
        with pytest.raises(HttpStatus, match=f"HTTP {status}") as refused:
            await client.call_tool("x")
    assert refused.value.maybe_done is maybe
    assert len(seen) == 2


async def test_nor_are_they_in_the_transport_of_2024_11_05() -> None:
    endpoint = b"event: endpoint\ndata: /messages\n\n"
    pings = 200 * b"event: ping\ndata: 2026-11-21 12:00\n\n"
    shaken = {"jsonrpc": "2.0", "id": 1, "result": {**SHAKEN, "protocolVersion": "2024-11-05"}}

    def behave(asked: Asked) -> bytes:
        if asked.verb == "GET":
            return stream(endpoint, pings, event(shaken), pings, end=False)
        return ACCEPTED if asked.target == "/messages" else NO_STREAM

    async with http_server(behave) as (url, _), Client(url, mode="legacy") as client:
        assert client.hello.version == "2024-11-05"
        assert client.status().connections == 1


async def test_a_flood_of_questions_opens_no_flood_of_connections() -> None:
    pings = [event({"jsonrpc": "2.0", "id": f"p{one}", "method": "ping"}) for one in range(3000)]

    class Flooding(Speaking):
        def __call__(self, asked: Asked) -> Any:  # type: ignore[override]
            if asked.verb == "POST" and asked.method is None:
                return self.never()
            return super().__call__(asked)

        async def never(self) -> None:
            await trio.sleep_forever()

        def call(self, asked: Asked) -> bytes | None:
            return Old.call(self, asked)

    old = Flooding(lambda _: stream(*pings, end=False))
    async with http_server(old) as (url, seen), Client(url, mode="legacy") as client:
        await trio.sleep(0.5)
        await client.call_tool("x")
        answers = [asked for asked in seen if asked.message and "result" in asked.message]
        assert 0 < len(answers) <= 20
