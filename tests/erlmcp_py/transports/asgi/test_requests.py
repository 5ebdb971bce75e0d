"""Requests through ASGI, from a host that is made by hand, in both eras."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from erlmcp_py.server import Server
from erlmcp_py.transports import asgi
from erlmcp_py.transports.asgi.requests import statistics
from supervisors import sys, whereis
from tests.erlmcp_py.transports.http.client import (
    MODERN,
    initialize,
    legacy_call,
    meta,
    modern_call,
)
from tests.erlmcp_py.transports.node import Probe, make_server

from .host import Host, hosting, legacy_headers, nobody_is_left, open_session

LISTEN: dict[str, Any] = {
    "headers": {"MCP-Protocol-Version": MODERN, "Mcp-Method": "subscriptions/listen"},
    "body": {
        "jsonrpc": "2.0",
        "id": 5,
        "method": "subscriptions/listen",
        "params": {"notifications": {"toolsListChanged": True}, "_meta": meta()},
    },
}


def events(data: bytes) -> list[Any]:
    return [json.loads(line[6:]) for line in data.split(b"\n") if line.startswith(b"data: {")]


# --- the modern era ------------------------------------------------------------------------


async def test_a_call_is_answered_as_json(host: Host) -> None:
    answer = await host.ask(**modern_call("echo", text="hi"))
    assert (answer.status, answer.text) == (200, "hi")
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert not {"connection", "transfer-encoding", "date"} & answer.headers.keys()


async def test_servers_have_their_names(probe: Probe) -> None:
    other = Server("other", version="1")
    async with hosting(asgi.application({"a": make_server(probe), "b": other})) as host:
        assert (await host.ask(**modern_call("echo", text="1"))).text == "1"
        assert (await host.ask(**modern_call("echo", path="/mcp/a", text="2"))).text == "2"
        assert "error" in (await host.ask(**modern_call("echo", path="/mcp/b", text="3"))).json
        assert (await host.ask(**modern_call("echo", path="/mcp/c", text="4"))).status == 404


async def test_progress_comes_as_a_stream(host: Host) -> None:
    visit = host.open(**modern_call("steps", count=3, meta={"progressToken": 7}))
    await visit.over.wait()
    answer = visit.answer()
    assert (answer.status, answer.text) == (200, "3 steps")
    assert answer.headers["cache-control"].startswith("no-cache")
    assert [event.get("params", {}).get("progress") for event in answer.events] == [0, 1, 2, None]


async def test_a_call_that_takes_long_is_kept_open_with_comments(
    host: Host, autojump_clock: Any
) -> None:
    visit = host.open(**modern_call("later", text="x", seconds=20.0))
    assert (await visit.next())["type"] == "http.response.start"
    assert await visit.data() == b": keep-alive\n\n"
    await visit.over.wait()
    assert visit.answer().text == "x"


async def test_a_disconnect_cancels(host: Host, probe: Probe) -> None:
    visit = host.open(**modern_call("hang"))
    await probe.started.wait()
    visit.disconnect()
    with trio.fail_after(5):
        await probe.cancelled.wait()
        await visit.over.wait()
    assert visit.sent == []
    await nobody_is_left()


async def test_a_host_that_cancels_its_task_cancels_the_call(host: Host, probe: Probe) -> None:
    async with trio.open_nursery() as nursery:
        visit = Host(host.app, nursery).open(**modern_call("hang"))
        await probe.started.wait()
        nursery.cancel_scope.cancel()
    with trio.fail_after(5):
        await probe.cancelled.wait()
    assert visit.sent == []
    await nobody_is_left()


async def test_a_client_whose_server_cannot_send_has_gone(host: Host, probe: Probe) -> None:
    visit = host.open(**modern_call("echo", text="x"))
    visit.broken = BrokenPipeError()
    with trio.fail_after(5):
        await visit.over.wait()
    await nobody_is_left()


async def test_changes_are_told_until_the_application_stops(probe: Probe) -> None:
    server = make_server(probe)
    async with trio.open_nursery() as nursery:
        app = asgi.application(server)
        async with app.running():
            host = Host(app, nursery)
            visit = host.open(**LISTEN)
            assert (await visit.next())["status"] == 200
            assert b"acknowledged" in await visit.data()

            @server.tool()
            def new() -> str:
                """New."""
                return ""

            assert b"tools/list_changed" in await visit.data()
            with app.active():
                assert (await statistics()).open == 1
        with trio.fail_after(5):
            await visit.over.wait()
        assert visit.complete
        assert events(visit.answer().body)[-1]["result"]["resultType"] == "complete"


# --- the legacy era ------------------------------------------------------------------------


async def test_a_session_is_opened_used_and_ended(host: Host) -> None:
    headers = legacy_headers(await open_session(host))
    answer = await host.ask(body=legacy_call("echo", text="hi"), headers=headers)
    assert answer.text == "hi"
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    answer = await host.ask(body=note, headers=headers)
    assert (answer.status, answer.body) == (202, b"")
    answer = await host.ask("DELETE", headers=headers)
    assert (answer.status, answer.body) == (204, b"")
    assert "content-length" not in answer.headers
    assert (await host.ask(body=legacy_call("echo", text="x"), headers=headers)).status == 404


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"body": initialize()}, b'"serverInfo"'),
        (modern_call("echo", text="there"), b'"there"'),
        (LISTEN, b"acknowledged"),
    ],
)
async def test_a_server_that_takes_its_time_is_waited_for(
    host: Host, autojump_clock: Any, request_: Any, told: bytes
) -> None:
    server = whereis("server_probe")
    assert server is not None
    await sys.suspend(server)
    visit = host.open(**request_)
    await trio.sleep(30.0)
    await sys.resume(server)
    assert (await visit.next())["status"] == 200
    while told not in (data := await visit.data()):
        assert data == b": keep-alive\n\n"
    visit.disconnect()
    await visit.over.wait()


async def test_the_stream_of_a_session_tells_of_changes(probe: Probe) -> None:
    server = make_server(probe)
    async with hosting(asgi.application(server)) as host:
        headers = legacy_headers(await open_session(host))
        visit = host.open("GET", headers=headers)
        assert (await visit.next())["status"] == 200

        async def attached() -> bool:
            return (await statistics()).open == 1

        while not await attached():
            await trio.sleep(0.01)

        @server.tool()
        def new() -> str:
            """New."""
            return ""

        assert b"tools/list_changed" in await visit.data()
        visit.disconnect()
        await visit.over.wait()
        await nobody_is_left()
        assert (await host.ask("DELETE", headers=headers)).status == 204


async def test_a_disconnect_does_not_cancel_a_call_of_a_session(
    host: Host, probe: Probe, autojump_clock: Any
) -> None:
    headers = legacy_headers(await open_session(host))
    visit = host.open(body=legacy_call("patient", seconds=5.0), headers=headers)
    await probe.started.wait()
    visit.disconnect()
    await visit.over.wait()
    assert probe.finished == 0
    await nobody_is_left()
    assert probe.finished == 1


async def test_http_sse_names_its_path_below_the_mount(host: Host) -> None:
    mounted = {"root_path": "/to ols"}
    stream = host.open("GET", "/to ols/mcp/probe/sse", headers={"accept": "*/*"}, **mounted)
    assert (await stream.next())["status"] == 200
    name, data = (await stream.data()).decode().split("\n")[:2]
    assert name == "event: endpoint"
    uri = data.removeprefix("data: ")
    assert uri.startswith("/to%20ols/mcp/probe/messages?session_id=")
    uri = uri.replace("%20", " ")
    assert (await host.ask("POST", uri, initialize(), **mounted)).status == 202
    assert events(await stream.data())[0]["result"]["serverInfo"]["name"] == "probe"
    lost = await host.ask("POST", "/to ols/messages?session_id=no", initialize(), **mounted)
    assert (lost.status, "GET /to ols/sse" in lost.json["error"]["message"]) == (404, True)
    stream.disconnect()
    await stream.over.wait()


@pytest.mark.parametrize(
    ("root", "path", "status"),
    [
        ("/tools", "/tools/mcp", 200),
        ("/tools/", "/tools/mcp", 200),
        ("", "/mcp", 200),
        ("/tools", "/mcp", 200),  # a host that has cut the prefix off already
        ("/too", "/tools/mcp", 404),
        ("/tools", "/tools", 404),
        ("", "/", 404),
    ],
)
async def test_the_mount_is_not_part_of_the_path(
    host: Host, root: str, path: str, status: int
) -> None:
    answer = await host.ask(**modern_call("echo", path=path, text="x"), root_path=root)
    assert answer.status == status
