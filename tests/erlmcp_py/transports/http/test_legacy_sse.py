"""HTTP+SSE, the transport of 2024-11-05, over real sockets."""

from __future__ import annotations

import re

import pytest
import trio

from erlmcp_py.protocol.refusals import TOO_MANY_AT_ONCE
from erlmcp_py.protocol.versions import LEGACY
from erlmcp_py.server import Server
from erlmcp_py.transports.conversation import Limits
from erlmcp_py.transports.http.request import HttpLimits
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from tests.erlmcp_py.transports.http.client import (
    Sse,
    connect,
    http,
    initialize,
    legacy_call,
    meta,
)
from tests.erlmcp_py.transports.http.legacy_sse import (
    HTTP,
    UNKNOWN,
    eventually,
    idle,
    make,
    notification,
    request,
    session,
)
from tests.erlmcp_py.transports.node import Probe, node

# --- opening ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", LEGACY)
async def test_a_session_from_beginning_to_end(version: str) -> None:
    async with (
        node({"probe": make()}, child_spec(HTTP)),
        connect() as reader,
        connect() as poster,
    ):
        sse = await Sse(reader, poster).open()
        assert re.fullmatch(r"/messages\?session_id=[\w-]{32,}", sse.uri)
        hello = await sse.shake_hands(version)
        assert hello["protocolVersion"] == version
        assert hello["serverInfo"]["name"] == "probe"
        assert (await sse.request(request(1, "ping")))["result"] == {}
        assert await sse.text("echo", text="hi") == "hi"
        assert await sse.text("later", text="line\nbreak\r\u2028") == "line\nbreak\r\u2028"
        tools = (await sse.request(request("two", "tools/list")))["result"]["tools"]
        assert "echo" in {tool["name"] for tool in tools}
        wrong = await sse.request(request(3, "no/such"))
        assert wrong["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("path", "uri"), [("/sse", "/messages?"), ("/mcp/sec%20ond/sse", "/mcp/sec%20ond/messages?")]
)
async def test_every_server_has_a_stream_of_its_own(path: str, uri: str) -> None:
    servers = {"probe": make(), "sec ond": Server("another", version="2")}
    async with (
        node(servers, child_spec(HTTP)),
        connect() as reader,
        connect() as poster,
    ):
        sse = await Sse(reader, poster).open(path)
        assert sse.uri.startswith(uri)
        name = (await sse.shake_hands())["serverInfo"]["name"]
        assert name == ("probe" if path == "/sse" else "another")


async def test_before_the_handshake_only_a_ping_is_answered() -> None:
    async with (
        node({"probe": make()}, child_spec(HTTP)),
        connect() as reader,
        connect() as poster,
    ):
        sse = await Sse(reader, poster).open()
        assert (await sse.request(request(1, "ping")))["result"] == {}
        assert (await sse.request(request(2, "tools/list")))["error"]["code"] == -32602
        await sse.shake_hands()
        assert (await sse.request(request(3, "tools/list")))["result"]


async def test_requests_of_the_revision_without_sessions_are_answered_too() -> None:
    """As on any other stream of messages: what says which revision it speaks is taken at its word."""
    async with (
        node({"probe": make()}, child_spec(HTTP)),
        connect() as reader,
        connect() as poster,
    ):
        sse = await Sse(reader, poster).open()
        call = request(1, "tools/call", name="echo", arguments={"text": "x"}, _meta=meta())
        assert (await sse.request(call))["result"]["resultType"] == "complete"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/sse", {}, 405),
        ("DELETE", "/sse", {}, 405),
        ("HEAD", "/sse", {}, 405),
        ("GET", "/sse", {"Accept": "application/json"}, 406),
        ("GET", "/sse", {"Host": "evil.example"}, 421),
        ("GET", "/sse", {"Origin": "https://evil.example"}, 403),
        ("GET", "/mcp/nobody/sse", {}, 404),
        ("GET", "/mcp//sse", {}, 404),
        ("GET", "/mcp/probe/sse/", {}, 404),
        ("GET", "/mcp/probe/else", {}, 404),
        ("GET", "/messages", {}, 405),
        ("DELETE", "/mcp/probe/messages", {}, 405),
        ("POST", "/messages", {}, 400),
        ("POST", "/messages?session_id=", {}, 400),
        ("POST", "/messages?sessionid=x", {}, 400),
        ("POST", f"/messages?session_id={UNKNOWN}", {}, 404),
        ("POST", f"/messages?session_id={UNKNOWN}", {"Content-Type": "text/plain"}, 415),
        ("POST", f"/messages?session_id={UNKNOWN}", {"Host": "evil.example"}, 421),
        ("POST", f"/messages?session_id={UNKNOWN}", {"Origin": "https://evil.example"}, 403),
    ],
)
async def test_refusals(method: str, path: str, headers: dict[str, str], status: int) -> None:
    async with node({"probe": make()}, child_spec(HTTP)), connect() as client:
        body = request(1, "ping") if method == "POST" else b""
        answer = await client.ask(method, path, body, headers)
        assert answer.status == status, answer.body
        if status == 405:
            reads = path.endswith("sse")
            assert answer.headers["allow"] == ("GET" if reads else "POST")
        if method != "HEAD":
            assert answer.json["error"]["message"]
        assert (await client.call("echo", text="x")).text == "x"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"jsonrpc": "2.0", "id": 1}', b"\xff"]
)
async def test_what_is_no_message_is_refused_and_the_session_goes_on(body: bytes) -> None:
    async with node({"probe": make()}, child_spec(HTTP)), session() as sse:
        answer = await sse.post(body)
        assert answer.status == 400
        assert answer.json["error"]["code"] in (-32700, -32600)
        assert await sse.text("echo", text="x") == "x"


async def test_a_body_that_is_too_long() -> None:
    config = ListenerConfig(port=0, limits=HttpLimits(max_body=1000))
    async with node({"probe": make()}, child_spec(config)), session() as sse:
        assert (await sse.post(legacy_call("echo", text="x" * 1000))).status == 413
        async with connect() as sse.poster:
            assert await sse.text("echo", text="x") == "x"


async def test_a_session_belongs_to_its_server_and_to_nobody_else() -> None:
    servers = {"one": make(), "two": make()}
    async with (
        node(servers, child_spec(HTTP)),
        session("/mcp/one/sse") as one,
        session("/mcp/one/sse") as another,
    ):
        assert one.uri != another.uri
        query = one.uri.partition("?")[2]
        for path in ("/messages", "/mcp/two/messages"):
            assert (
                await one.poster.ask("POST", f"{path}?{query}", request(1, "ping"))
            ).status == 404
        assert (await another.request(request(7, "ping")))["id"] == 7
        assert (await one.request(request(8, "ping")))["id"] == 8


async def test_streams_are_limited() -> None:
    async with node({"probe": make()}, child_spec(ListenerConfig(port=0, streams=1))):
        async with session() as sse, connect() as client:
            full = await client.ask("GET", "/sse")
            assert (full.status, full.headers["retry-after"]) == (503, "1")
            assert await sse.text("echo", text="x") == "x"
        await eventually(idle)
        async with session() as again:
            assert await again.text("echo", text="x") == "x"


async def test_it_can_be_switched_off() -> None:
    config = ListenerConfig(port=0, legacy_sse=False)
    async with node({"probe": make()}, child_spec(config)), connect() as client:
        for path in ("/sse", "/mcp/probe/sse"):
            assert (await client.ask("GET", path)).status == 404
        for path in ("/messages?session_id=x", "/mcp/probe/messages?session_id=x"):
            assert (await client.ask("POST", path, request(1, "ping"))).status == 404


async def test_a_client_that_tries_streamable_http_first_is_led_here() -> None:
    """2025-03-26 and later, backwards compatibility: initialize by POST, and GET after a 4xx."""
    async with (
        node({"probe": make()}, child_spec(HTTP)),
        connect() as reader,
        connect() as poster,
    ):
        probing = await reader.ask("POST", "/mcp/probe/sse", initialize())
        assert 400 <= probing.status < 500
        sse = await Sse(reader, poster).open("/mcp/probe/sse")
        assert (await sse.shake_hands())["protocolVersion"] == LEGACY[0]
        modern = await poster.ask("POST", "/mcp/probe", initialize())
        assert modern.status == 200


async def test_a_client_of_http_1_0() -> None:
    async with (
        node({"probe": make()}, child_spec(HTTP)),
        connect() as reader,
        connect() as poster,
    ):
        await reader.send(b"GET /sse HTTP/1.0\r\nHost: localhost\r\n\r\n")
        status, headers = await reader.head()
        assert (status, "transfer-encoding" in headers) == (200, False)
        uri = (await reader.until(b"\n\n")).decode().split("data: ")[1].strip()
        assert (await poster.ask("POST", uri, request(1, "ping"))).status == 202
        assert b'"result":{}' in await reader.until(b"\n\n")


# --- what comes besides answers -----------------------------------------------------------------


async def test_progress_and_log_lines_come_before_the_answer() -> None:
    async with node({"probe": make()}, child_spec(HTTP)), session() as sse:
        await sse.say(legacy_call("steps", 3, count=2, meta={"progressToken": "p"}))
        came = [await sse.message() for _ in range(3)]
        assert [each.get("method") for each in came] == ["notifications/progress"] * 2 + [None]
        assert [each["params"]["progress"] for each in came[:2]] == [0, 1]
        await sse.say(legacy_call("log_lines", 4))
        assert (await sse.message())["method"] == "notifications/message"
        assert (await sse.message())["id"] == 4
        await sse.request(request(5, "logging/setLevel", level="alert"))
        assert await sse.text("log_lines") == "logged"


async def test_the_server_asks_its_client() -> None:
    async with (
        node({"probe": make()}, child_spec(HTTP)),
        connect() as reader,
        connect() as poster,
    ):
        sse = await Sse(reader, poster).open()
        await sse.shake_hands(elicitation={})
        await sse.say(legacy_call("greet", 1))
        asked = await sse.message()
        assert asked["method"] == "elicitation/create"
        answer = {"action": "accept", "content": {"name": "Ada"}}
        await sse.say({"jsonrpc": "2.0", "id": asked["id"], "result": answer})
        assert (await sse.message())["result"]["content"][0]["text"] == "Hello, Ada!"


async def test_a_call_is_cancelled() -> None:
    probe = Probe()
    async with node({"probe": make(probe)}, child_spec(HTTP)), session() as sse:
        await sse.say(legacy_call("hang", 5))
        await probe.started.wait()
        await sse.say(notification("notifications/cancelled", requestId=6))
        assert not probe.cancelled.is_set()
        await sse.say(notification("notifications/cancelled", requestId=5, reason="enough"))
        with trio.fail_after(5):
            await probe.cancelled.wait()
        assert await sse.text("echo", text="no answer came before this one") != ""


async def test_calls_run_at_the_same_time_and_are_answered_as_they_are_ready() -> None:
    probe = Probe()
    async with node({"probe": make(probe)}, child_spec(HTTP)), session() as sse:
        await sse.say(legacy_call("hang", 1))
        await probe.started.wait()
        bodies = [
            http("POST", sse.uri, legacy_call("echo", 10 + n, text=f"{n}")) for n in range(20)
        ]
        await sse.poster.send(b"".join(bodies))
        assert [(await sse.poster.answer()).status for _ in bodies] == [202] * 20
        ids = [(await sse.message())["id"] for _ in bodies]
        assert ids == list(range(10, 30))
        twice = await sse.request(legacy_call("echo", 1, text="the id of what hangs"))
        assert twice["error"]["code"] == -32600


async def test_requests_wait_when_too_many_are_at_work_and_some_are_refused() -> None:
    probe = Probe()
    config = ListenerConfig(port=0, conversation=Limits(in_flight=1, waiting=200))
    async with node({"probe": make(probe)}, child_spec(config)), session() as sse:
        await sse.say(legacy_call("hang", 1))
        await probe.started.wait()
        await sse.say(legacy_call("echo", 2, text="waits"))
        refused = await sse.request(legacy_call("echo", 3, text="x" * 200))
        assert refused["error"]["data"]["refusal"] == TOO_MANY_AT_ONCE.code
        await sse.say(notification("notifications/cancelled", requestId=1))
        assert (await sse.message())["id"] == 2


async def test_changes_are_told() -> None:
    server = make()
    async with node({"probe": server}, child_spec(HTTP)), session() as sse:
        server.remove_tool("echo")
        assert (await sse.message())["method"] == "notifications/tools/list_changed"
        assert (await sse.request(request(1, "resources/subscribe", uri="a:fixed")))["result"] == {}
        server.notify_updated("a:fixed")
        updated = await sse.message()
        assert (updated["method"], updated["params"]["uri"]) == (
            "notifications/resources/updated",
            "a:fixed",
        )
        await sse.request(request(2, "resources/unsubscribe", uri="a:fixed"))
        server.notify_updated("a:fixed")
        nothing = await sse.request(request(3, "resources/subscribe", uri="a:nothing"))
        assert nothing["error"]["code"] == -32002


async def test_comments_keep_a_quiet_stream_open() -> None:
    config = ListenerConfig(port=0, keep_alive=0.02, idle_timeout=0.1)
    async with node({"probe": make()}, child_spec(config)), session() as sse:
        for _ in range(10):  # longer than a connection may be idle
            assert await sse.reader.chunk() == b": keep-alive\n\n"
        async with connect() as sse.poster:
            assert await sse.text("echo", text="x") == "x"
