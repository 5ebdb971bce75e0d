"""Finding out the era over HTTP, sessions that end, streams that are taken up again, the way of 2024-11-05."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from erlmcp_py.client import Client, ClientError, ConnectError
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.server import Server
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from supervisors import Runtime
from tests.erlmcp_py.client.bad import (
    DISCOVERED,
    Asked,
    error,
    event,
    http_server,
    json_answer,
    result,
    stream,
)
from tests.erlmcp_py.client.serving import port_of
from tests.erlmcp_py.transports.node import node

SHAKEN = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "old", "version": "1"},
}
DONE = {"content": []}
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
NO_STREAM = b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n"


class Old:
    """A server of 2025-11-25. refusal: what it says to what it does not know."""

    def __init__(self, refusal: bytes | None = None) -> None:
        self.refusal = refusal
        self.sessions = 0
        self.known: set[str] = set()

    def __call__(self, asked: Asked) -> bytes | None:
        if asked.verb == "DELETE":
            return b"HTTP/1.1 204 Gone\r\n\r\n"
        if asked.method == "initialize":
            self.sessions += 1
            session = f"s{self.sessions}"
            self.known.add(session)
            return result(asked, SHAKEN, f"Mcp-Session-Id: {session}\r\n")
        if asked.method == "server/discover":
            return self.refusal or error(asked, -32601)
        if asked.headers.get("mcp-session-id") not in self.known:
            return b"HTTP/1.1 404 Unknown\r\nContent-Length: 0\r\n\r\n"
        if asked.verb == "GET":
            return NO_STREAM
        if asked.method == "notifications/initialized":
            return ACCEPTED
        return self.call(asked)

    def call(self, asked: Asked) -> bytes | None:
        return result(asked, {"tools": []} if asked.method == "tools/list" else DONE)


@pytest.mark.parametrize(
    "refusal",
    [
        None,
        json_answer(
            {"jsonrpc": "2.0", "id": "x", "error": {"code": -32000, "message": "Bad"}}, "400 B"
        ),
        json_answer(
            {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "B"}}, "400 B"
        ),
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 406 Not Acceptable\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_an_older_server_however_it_refuses(refusal: bytes | None) -> None:
    async with http_server(Old(refusal)) as (url, seen):
        async with Client(url) as client:
            assert client.hello.version == "2025-11-25"
            await client.call_tool("x")
            asked = seen[-1]
            assert asked.headers["mcp-session-id"] == "s1"
            assert asked.headers["mcp-protocol-version"] == "2025-11-25"
            assert "mcp-method" not in asked.headers
        assert seen[-1].verb == "DELETE"
        async with Client(url):
            pass
        discovers = [asked for asked in seen if asked.method == "server/discover"]
        assert len(discovers) == 1, "the era is remembered"


async def test_a_version_that_is_refused_first() -> None:
    """The suite's request-metadata: refused once, with what is supported."""
    refusals = 0

    def behave(asked: Asked) -> bytes:
        nonlocal refusals
        assert asked.headers["mcp-protocol-version"] == "2026-07-28"
        meta = asked.message["params"]["_meta"]
        assert isinstance(meta["io.modelcontextprotocol/clientCapabilities"], dict)
        if not refusals:
            refusals += 1
            data = {"supported": ["2026-07-28"], "requested": "2026-07-28"}
            return error(asked, -32022, "400 Bad Request", data)
        return result(asked, DISCOVERED)

    async with http_server(behave) as (url, seen), Client(url):
        assert [asked.method for asked in seen] == 2 * ["server/discover"]


async def test_modes_that_insist() -> None:
    async with http_server(Old()) as (url, seen):
        with pytest.raises(ConnectError, match="refused"):
            async with Client(url, mode="modern"):
                pass
        assert [asked.method for asked in seen] == ["server/discover"]


async def test_a_session_that_ends_is_begun_anew(autojump_clock: object) -> None:
    old = Old()
    async with http_server(old) as (url, _), Client(url, mode="legacy") as client:
        await client.call_tool("x")
        await trio.sleep(2)
        old.known.clear()
        await client.call_tool("x")  # was not carried out, so it is sent again
        assert old.sessions == 2
        assert client.status().connections == 2


async def test_a_server_that_ends_every_session_is_not_asked_without_pause(
    autojump_clock: object,
) -> None:
    class Forgetful(Old):
        def call(self, asked: Asked) -> bytes | None:
            return b"HTTP/1.1 404 Unknown\r\nContent-Length: 0\r\n\r\n"

    old = Forgetful()
    async with http_server(old) as (url, _), Client(url, mode="legacy") as client:
        with pytest.raises(ClientError):
            await client.call_tool("x")  # 30 s
    assert old.sessions < 10


async def test_a_stream_is_taken_up_where_it_broke(autojump_clock: object) -> None:
    times: list[float] = []

    class Polling(Old):
        def __call__(self, asked: Asked) -> bytes | None:
            if asked.verb == "GET" and "last-event-id" in asked.headers:
                times.append(trio.current_time())
                assert asked.headers["last-event-id"] == f"e{len(times)}"
                if len(times) < 3:
                    return stream(event({"jsonrpc": "2.0", "method": "x"}, f"e{len(times) + 1}"))
                return stream(event({"jsonrpc": "2.0", "id": self.id, "result": DONE}))
            return super().__call__(asked)

        def call(self, asked: Asked) -> bytes | None:
            times.append(trio.current_time())
            times.clear()
            self.began = trio.current_time()
            self.id = asked.message["id"]
            return stream(b"retry: 500\nid: e1\ndata:\n\n")

    old = Polling()
    async with http_server(old) as (url, _), Client(url, mode="legacy") as client:
        await client.call_tool("x")
    assert times[0] - old.began == pytest.approx(0.5, abs=0.01)
    assert len(times) == 3


async def test_the_server_asks_on_its_own_stream() -> None:
    """A question on the GET stream is answered by a POST."""
    answered = trio.Event()
    answers: list[object] = []

    class Asking(Old):
        def __call__(self, asked: Asked) -> bytes | None:
            if asked.verb == "GET" and asked.headers.get("mcp-session-id") in self.known:
                first = {"jsonrpc": "2.0", "id": "q1", "method": "roots/list"}
                second = {"jsonrpc": "2.0", "id": "q2", "method": "ping"}
                third = {"jsonrpc": "2.0", "id": "q3", "method": "sampling/createMessage"}
                return stream(event(first), event(second), event(third), end=False)
            if asked.verb == "POST" and "method" not in asked.message:
                answers.append(asked.message)
                if len(answers) == 3:
                    answered.set()
                return ACCEPTED
            return super().__call__(asked)

    async with (
        http_server(Asking()) as (url, _),
        Client(url, mode="legacy", roots=["file:///a"]) as _client,
    ):
        with trio.fail_after(5):
            await answered.wait()
    by_id = {one["id"]: one for one in answers}  # type: ignore[index]
    assert by_id["q1"]["result"] == {"roots": [{"uri": "file:///a"}]}
    assert by_id["q2"]["result"] == {}
    assert by_id["q3"]["error"]["code"] == -32601


async def test_an_answer_on_another_stream(autojump_clock: object) -> None:
    """The server lets go of the call's stream and answers on the one it speaks on unasked."""
    asked_for = trio.Event()
    id = 0

    class Elsewhere(Old):
        async def late(self) -> bytes:
            await asked_for.wait()
            return stream(event({"jsonrpc": "2.0", "id": id, "result": DONE}), end=False)

        def __call__(self, asked: Asked) -> Any:  # type: ignore[override]
            if asked.verb == "GET" and "last-event-id" not in asked.headers:
                return self.late()
            if asked.verb == "GET":
                asked_for.set()
                return stream(b": nothing\n\n", end=False)
            return super().__call__(asked)

        def call(self, asked: Asked) -> bytes | None:
            nonlocal id
            id = asked.message["id"]
            return stream(b"retry: 500\nid: e1\ndata:\n\n")

    async with http_server(Elsewhere()) as (url, seen), Client(url, mode="legacy") as client:
        await client.call_tool("x")
        assert "notifications/cancelled" not in [asked.method for asked in seen]


async def test_what_was_cancelled_is_told_before_the_session_ends() -> None:
    called = trio.Event()
    order: list[str] = []

    class Hanging(Old):
        async def never(self) -> None:
            called.set()
            await trio.sleep_forever()

        async def hear(self) -> bytes:
            await wait_all_tasks_blocked(0.01)
            order.append("cancelled")
            return ACCEPTED

        def __call__(self, asked: Asked) -> Any:  # type: ignore[override]
            if asked.verb == "DELETE":
                order.append("ended")
            return super().__call__(asked)

        def call(self, asked: Asked) -> Any:  # type: ignore[override]
            return self.never() if asked.method == "tools/call" else self.hear()

    async with http_server(Hanging()) as (url, _), Runtime():
        with trio.CancelScope() as scope:
            async with Client(url, mode="legacy") as client, trio.open_nursery() as nursery:
                nursery.start_soon(client.call_tool, "hang")
                await called.wait()
                scope.cancel()
    assert order == ["cancelled", "ended"]


async def test_the_transport_of_2024_11_05() -> None:
    server = Server("probe", version="1")

    @server.tool()
    def echo(text: str) -> str:
        """Say it back."""
        return text

    settings = ListenerConfig(port=0, legacy_sse=True)
    async with node({"probe": server}, child_spec(settings)):
        url = f"http://127.0.0.1:{await port_of('http')}/mcp/probe/sse"
        async with Client(url) as client:
            assert client.hello.era == "legacy"
            result = await client.call_tool("echo", {"text": "hi"})
            assert json.loads(json.dumps(result.content[0].text)) == "hi"  # type: ignore[union-attr]
            assert [tool.name for tool in await client.list_tools()] == ["echo"]


@pytest.mark.parametrize("agrees", [True, False])
async def test_pages_that_have_to_be_visited_first(agrees: bool) -> None:
    """-32042 of 2025-11-25."""
    page = {"message": "Sign.", "mode": "url", "url": "https://x/sign", "elicitationId": "e"}

    class Signing(Old):
        signed = False

        def call(self, asked: Asked) -> bytes | None:
            if self.signed:
                return result(asked, DONE)
            return error(asked, -32042, data={"elicitations": [page]})

    old = Signing()

    def visit(params: Any) -> Any:
        assert params.url == "https://x/sign"
        old.signed = agrees
        return {} if agrees else None

    async with http_server(old) as (url, _), Client(url, mode="legacy", elicit=visit) as client:
        if agrees:
            await client.call_tool("x")
        else:
            with pytest.raises(McpError):
                await client.call_tool("x")
