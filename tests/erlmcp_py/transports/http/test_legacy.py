"""Sessions over a real socket."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from erlmcp_py import registry, sessions
from erlmcp_py.protocol.jsonrpc import notification
from erlmcp_py.sessions import SessionLimits
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from supervisors import Pid, call, cast, whereis
from tests.erlmcp_py.transports.http.client import (
    LEGACY,
    Client,
    connect,
    http,
    initialize,
    legacy_call,
    modern_call,
)
from tests.erlmcp_py.transports.node import Probe, kill, make_server, node, until

HTTP = ListenerConfig(port=0)


def in_session(session: str, message: dict[str, Any]) -> bytes:
    return http("POST", "/mcp", message, {"Mcp-Session-Id": session})


def cancelled(id: int | str, reason: str = "enough") -> dict[str, Any]:
    params = {"requestId": id, "reason": reason}
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}


async def test_a_session_from_beginning_to_end() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        opened = await client.ask(body=initialize("2025-06-18"))
        session = opened.headers["mcp-session-id"]
        assert opened.json["result"]["protocolVersion"] == "2025-06-18"
        ready = await client.legacy(
            session, {"jsonrpc": "2.0", "method": "notifications/initialized"}
        )
        assert (ready.status, ready.body) == (202, b"")
        answer = await client.legacy(session, legacy_call("echo", text="hi"))
        assert answer.text == "hi"
        assert "resultType" not in answer.json["result"]
        assert (
            await client.legacy(session, {"jsonrpc": "2.0", "id": 4, "result": {}})
        ).status == 202
        ended = await client.ask("DELETE", headers={"Mcp-Session-Id": session})
        assert ended.status == 204
        gone = await client.legacy(session, legacy_call("echo", text="hi"))
        assert gone.status == 404
        assert (await client.ask("DELETE", headers={"Mcp-Session-Id": session})).status == 404


async def test_both_eras_share_a_connection() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        session = await client.initialize()
        assert (await client.call("echo", text="modern")).json["result"]["resultType"] == "complete"
        assert (await client.legacy(session, legacy_call("echo", text="x"))).text == "x"


async def test_a_session_belongs_to_the_server_it_was_opened_on() -> None:
    servers = {"one": make_server(Probe()), "two": make_server(Probe())}
    async with node(servers, child_spec(HTTP)), connect() as client:
        session = await client.initialize("/mcp/two")
        good = await client.legacy(session, legacy_call("echo", text="x"), "/mcp/two")
        assert good.text == "x"
        assert (
            await client.legacy(session, legacy_call("echo", text="x"), "/mcp/one")
        ).status == 404


@pytest.mark.parametrize(
    ("message", "headers", "status"),
    [
        (legacy_call("echo", text="x"), {}, 400),
        ({"jsonrpc": "2.0", "method": "notifications/initialized"}, {}, 400),
        (legacy_call("echo", text="x"), {"Mcp-Session-Id": "unknown"}, 404),
        (legacy_call("echo", text="x"), {"Mcp-Session-Id": ""}, 404),
        ({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}, {}, 200),
        (b"{", {}, 400),
        (b"[]", {}, 400),
    ],
)
async def test_refusals(message: Any, headers: dict[str, str], status: int) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        answer = await client.ask(body=message, headers=headers)
        assert answer.status == status
        assert answer.json["error"]["message"]
        assert (await client.initialize()) != ""


async def test_unknown_tools_are_errors_with_status_200() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        session = await client.initialize()
        answer = await client.legacy(session, legacy_call("nobody"))
        assert (answer.status, answer.json["error"]["code"]) == (200, -32602)


async def test_get_and_delete_need_a_session() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        for method in ("GET", "DELETE"):
            assert (await client.ask(method)).status == 400
            assert (await client.ask(method, headers={"Mcp-Session-Id": "no"})).status == 404
        options = await client.ask("OPTIONS")
        assert (options.status, options.headers["allow"]) == (405, "GET, POST, DELETE")


async def test_notifications_make_a_stream() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        session = await client.initialize()
        message = legacy_call("steps", 3, count=2, meta={"progressToken": 1})
        answer = await client.legacy(session, message)
        assert [event.get("id") for event in answer.events] == [None, None, 3]
        plain = await client.legacy(session, legacy_call("steps", 4, count=2))
        assert plain.headers["content-type"] == "application/json"


async def test_the_log_level_is_the_sessions() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        one, two = await client.initialize(), await client.initialize()
        level = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "logging/setLevel",
            "params": {"level": "alert"},
        }
        assert (await client.legacy(one, level)).json["result"] == {}
        quiet = await client.legacy(one, legacy_call("log_lines"))
        assert quiet.headers["content-type"] == "application/json"
        loud = await client.legacy(two, legacy_call("log_lines"))
        assert loud.events[0]["method"] == "notifications/message"


async def test_a_disconnect_does_not_cancel() -> None:
    probe = Probe()
    async with node({"probe": make_server(probe)}, child_spec(HTTP)):
        async with connect() as client:
            session = await client.initialize()
            await client.send(in_session(session, legacy_call("patient", seconds=0.2)))
            await probe.started.wait()
        await until(lambda: probe.finished)
        async with connect() as client:
            assert (await client.legacy(session, legacy_call("echo", text="x"))).text == "x"


async def test_a_call_is_cancelled_from_another_connection() -> None:
    probe = Probe()
    async with (
        node({"probe": make_server(probe)}, child_spec(HTTP)),
        connect() as client,
        connect() as other,
    ):
        session = await client.initialize()
        await client.send(in_session(session, legacy_call("hang", 5)))
        await probe.started.wait()
        assert (await other.legacy(session, cancelled(6))).status == 202
        assert not probe.cancelled.is_set()
        assert (await other.legacy(session, cancelled(5))).status == 202
        with trio.fail_after(5):
            await probe.cancelled.wait()
            answer = await client.answer()
        assert answer.events == []
        assert (await client.legacy(session, legacy_call("echo", text="x"))).text == "x"


async def test_a_malformed_cancellation_is_refused() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        session = await client.initialize()
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
        bad = {**cancelled, "params": {"requestId": []}}
        assert (await client.legacy(session, bad)).status == 400
        # 2025-11-25 allows it to name no request.
        assert (await client.legacy(session, {**cancelled, "params": {}})).status == 202


async def test_ending_a_session_cancels_its_calls() -> None:
    probe = Probe()
    async with (
        node({"probe": make_server(probe)}, child_spec(HTTP)),
        connect() as client,
        connect() as other,
    ):
        session = await client.initialize()
        await client.send(in_session(session, legacy_call("hang", 5)))
        await probe.started.wait()
        await other.ask("DELETE", headers={"Mcp-Session-Id": session})
        with trio.fail_after(5):
            await probe.cancelled.wait()
            assert (await client.answer()).events == []


async def streams(session: Pid, count: int) -> None:
    """Wait until a session has so many GET streams."""
    with trio.fail_after(5):
        while (await call(session, ("statistics",))).streams != count:
            await trio.sleep(0.005)


async def open_stream(client: Client, session: str) -> None:
    await client.send(http("GET", "/mcp", headers={"Mcp-Session-Id": session}))
    status, headers = await client.head()
    assert (status, headers["content-type"]) == (200, "text/event-stream")


async def test_the_get_stream_carries_what_the_session_has_to_say() -> None:
    config = ListenerConfig(port=0, keep_alive=0.02)
    async with node({"probe": make_server(Probe())}, child_spec(config)):
        async with connect() as client:
            session = await client.initialize()
            await open_stream(client, session)
            assert await client.chunk() == b": keep-alive\n\n"
            pid = await sessions.find(session)
            assert pid is not None
            cast(pid, ("notify", notification("notifications/tools/list_changed")))
            while (chunk := await client.chunk()).startswith(b":"):
                pass
            assert b'"notifications/tools/list_changed"' in chunk
        await streams(pid, 0)


async def test_the_get_stream_outlives_its_session_process_and_ends_with_the_session() -> None:
    async with (
        node({"probe": make_server(Probe())}, child_spec(HTTP)),
        connect() as client,
        connect() as other,
    ):
        session = await client.initialize()
        await open_stream(client, session)
        await kill(await sessions.find(session))
        pid = await sessions.find(session)
        assert pid is not None
        await streams(pid, 1)
        # Nobody knows what was missed in between, so the client is to look at everything.
        lists = [await client.chunk() for _ in range(3)]
        assert all(b"list_changed" in event for event in lists)
        cast(pid, ("notify", notification("notifications/roots/list_changed")))
        assert b"roots/list_changed" in await client.chunk()
        await other.ask("DELETE", headers={"Mcp-Session-Id": session})
        assert await client.chunk() == b""


async def test_the_get_stream_wants_event_streams_accepted() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        session = await client.initialize()
        headers = {"Mcp-Session-Id": session, "Accept": "application/json"}
        assert (await client.ask("GET", headers=headers)).status == 406


async def test_a_full_node_refuses_new_sessions() -> None:
    async with (
        node({"probe": make_server(Probe())}, child_spec(HTTP), limits=SessionLimits(max=1)),
        connect() as client,
    ):
        await client.initialize()
        full = await client.ask(body=initialize())
        assert (full.status, full.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("victim", ["session", "session_pool", "sessions", "sessions_sup", "probe"])
async def test_after_a_kill_the_next_call_of_the_session_succeeds(victim: str) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        session = await client.initialize(version=LEGACY)
        if victim == "session":
            pid = await sessions.find(session)
        elif victim == "probe":
            pid = await registry.lookup("probe")
        else:
            pid = whereis(victim)
        await kill(pid)
        answer = await client.legacy(session, legacy_call("echo", text="x"))
        assert answer.status == 200, answer.body
        assert answer.text == "x"


async def test_a_session_outlives_the_registry_and_all_that_goes_down_with_it() -> None:
    specs = {"probe": make_server(Probe())}, child_spec(HTTP)
    async with node(*specs, strategy="one_for_all"):
        port = (await registry.transports())["http"].info["port"]
        async with connect() as client:
            session = await client.initialize()
            await kill(whereis("registry"))
            assert await client.closed()
        await until(lambda: whereis("http_listener"))
        async with connect() as client:
            assert (await client.legacy(session, legacy_call("echo", text="x"))).text == "x"
        assert (await registry.transports())["http"].info["port"] == port


async def test_a_modern_client_that_forgot_its_header_is_told() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        request = modern_call("echo", text="x")
        answer = await client.ask(body=request["body"])
        assert (answer.status, answer.json["error"]["code"]) == (400, -32020)


async def test_a_session_is_ended_only_where_it_was_opened() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        session = await client.initialize()
        named = {"Mcp-Session-Id": session}
        assert (await client.ask("DELETE", "/mcp/probe", headers=named)).status == 404
        assert (await client.legacy(session, legacy_call("echo", text="x"))).text == "x"
        assert (await client.ask("DELETE", headers=named)).status == 204
