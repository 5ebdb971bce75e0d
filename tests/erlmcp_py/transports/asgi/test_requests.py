"""Requests through ASGI, from a host that is made by hand: both eras, bad input, limits, crashes."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from erlmcp_py.config import Config, HttpConfig
from erlmcp_py.guards import tally
from erlmcp_py.server import Server
from erlmcp_py.transports import asgi
from erlmcp_py.transports.asgi.requests import RequestStatistics, statistics
from supervisors import Pid, cast, exit_signal, sys, whereis, which_children
from tests.erlmcp_py.transports.http.client import (
    LEGACY,
    MODERN,
    initialize,
    legacy_call,
    meta,
    modern_call,
)
from tests.erlmcp_py.transports.node import Probe, kill, make_server, until

from .host import Host, Visit, hosting

LISTEN: dict[str, Any] = {
    "headers": {"MCP-Protocol-Version": MODERN, "Mcp-Method": "subscriptions/listen"},
    "body": {
        "jsonrpc": "2.0",
        "id": 5,
        "method": "subscriptions/listen",
        "params": {"notifications": {"toolsListChanged": True}, "_meta": meta()},
    },
}


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
async def host(probe: Probe) -> AsyncIterator[Host]:
    async with hosting(asgi.application(make_server(probe))) as host:
        yield host


def configured(**http: Any) -> Any:
    return hosting(asgi.application(make_server(Probe()), Config(http=HttpConfig(**http))))


def legacy_headers(session: str) -> dict[str, str | None]:
    return {"Mcp-Session-Id": session, "MCP-Protocol-Version": LEGACY}


async def counts() -> RequestStatistics:
    return await statistics()


async def nobody_is_left() -> None:
    with trio.fail_after(60):
        while (await counts()).open:
            await trio.sleep(0.01)


async def request_process() -> Pid:
    """Of the only request that is at work."""
    (child,) = await which_children("asgi")
    assert child.pid is not None
    return child.pid


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
                assert (await counts()).open == 1
        with trio.fail_after(5):
            await visit.over.wait()
        assert visit.complete
        assert events(visit.answer().body)[-1]["result"]["resultType"] == "complete"


# --- the legacy era ------------------------------------------------------------------------


async def open_session(host: Host, **more: Any) -> str:
    answer = await host.ask(body=initialize(), **more)
    assert answer.status == 200, answer.body
    return answer.headers["mcp-session-id"]


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
            return (await counts()).open == 1

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


# --- what is refused -----------------------------------------------------------------------


async def test_hosts_and_pages_are_checked_unless_the_host_does(host: Host) -> None:
    async def status(at: Host, name: str, value: str) -> int:
        whole = modern_call("echo", text="x")
        whole["headers"][name] = value
        return (await at.ask(**whole)).status

    assert await status(host, "host", "evil.example") == 421
    assert await status(host, "origin", "https://evil.example") == 403
    async with configured(allowed_hosts=("*",), allowed_origins=("https://app.example",)) as open_:
        assert await status(open_, "host", "evil.example") == 200
        assert await status(open_, "origin", "https://app.example") == 200
        assert await status(open_, "origin", "https://evil.example") == 403


async def test_what_cannot_be_a_request_is_refused(host: Host) -> None:
    assert (await host.ask(body=b"{")).status == 400
    assert (await host.ask(body=b"x", headers={"content-type": "text/plain"})).status == 415
    assert (await host.ask("PUT")).status == 405
    assert (await host.ask("HEAD", "/nowhere")).body == b""
    twice = modern_call("echo", text="x")
    visit = Visit(host.app, {})
    visit = host.open(**twice, more=1)
    await visit.over.wait()
    scope = visit.scope | {"headers": [*visit.scope["headers"], (b"Host", b"localhost")]}
    again = Visit(host.app, scope)
    again.put(json.dumps(twice["body"]).encode())
    await again.run()
    assert again.answer().status == 400
    assert "more than one Host" in again.answer().json["error"]["message"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/mcp", {"content-length": "9999999999"}, 413),
        ("/mcp", {"content-length": "9" * 5000}, 431),
        ("/mcp?" + "x" * 2000, {}, 414),
        ("/mcp", {"x": "y" * 4000}, 431),
        ("/mcp", {f"x-{n}": "y" for n in range(20)}, 431),
    ],
)
async def test_what_is_too_large_is_refused_though_its_body_does_not_come(
    path: str, headers: dict[str, str | None], status: int, autojump_clock: Any
) -> None:
    async with configured(
        header_limit=4000, header_lines=10, target_limit=1024, body_limit=2048
    ) as host:
        visit = host.open("POST", path, None, headers)
        with trio.fail_after(5):
            await visit.over.wait()
        assert visit.answer().status == status
        await nobody_is_left()


async def test_a_body_is_counted_while_it_arrives() -> None:
    async with configured(body_limit=1024) as host:
        visit = host.open(body=None)
        for _ in range(50):
            visit.put(b" " * 100, more=True)
        visit.put()
        await visit.over.wait()
        assert visit.answer().status == 413
        whole = json.dumps(modern_call("echo", text="x")["body"]).encode()
        visit = host.open(body=None, headers=modern_call("echo")["headers"])
        for at in range(len(whole)):
            visit.put(whole[at : at + 1], more=True)
        visit.put()
        await visit.over.wait()
        assert visit.answer().text == "x"


async def test_a_body_that_dribbles_is_408(autojump_clock: Any) -> None:
    async with configured(request_timeout=2.0) as host:
        visit = host.open(body=None)
        visit.put(b"{", more=True)
        await visit.over.wait()
        assert visit.answer().status == 408
        stats = await counts()
        assert (stats.open, stats.reaped) == (0, 1)
        assert [(each.code, each.count) for each in tally.refusals()] == [(1069, 1)]


async def test_a_body_that_breaks_off_is_nothing(host: Host) -> None:
    visit = host.open(body=None)
    visit.put(b"{", more=True)
    visit.disconnect()
    with trio.fail_after(5):
        await visit.over.wait()
    assert visit.sent == []
    await nobody_is_left()


async def test_one_request_too_many_is_503(probe: Probe) -> None:
    config = Config(http=HttpConfig(connections=1))
    async with hosting(asgi.application(make_server(probe), config)) as host:
        first = host.open(**modern_call("hang"))
        await probe.started.wait()
        answer = await host.ask(**modern_call("echo", text="x"))
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.json["error"]["data"]["refusal"] == 1089
        assert (await counts()).refused == 1
        first.disconnect()
        await first.over.wait()
        await nobody_is_left()
        assert (await host.ask(**modern_call("echo", text="room"))).text == "room"


async def test_a_client_that_does_not_read_is_let_go(autojump_clock: Any) -> None:
    async with configured(idle_timeout=10.0) as host:
        visit = host.open(**modern_call("echo", text="x"))
        visit.blocked = True
        await visit.over.wait()
        assert visit.sent == []
        stats = await counts()
        assert (stats.open, stats.reaped) == (0, 1)


async def test_progress_for_who_does_not_read_is_bounded(autojump_clock: Any) -> None:
    async with configured(unread=2048, slow_reader="disconnect") as host:
        visit = host.open(**modern_call("steps", count=1000, meta={"progressToken": 7}))
        visit.blocked = True
        await visit.over.wait()
        assert visit.sent == []
        await nobody_is_left()


# --- crashes -------------------------------------------------------------------------------


async def test_a_handler_that_crashes_is_an_error_of_its_caller(host: Host) -> None:
    assert (await host.ask(**modern_call("crash"))).json["result"]["isError"] is True
    assert (await host.ask(**modern_call("echo", text="on"))).text == "on"


async def test_a_killed_request_is_503_and_nobody_elses(host: Host, probe: Probe) -> None:
    visit = host.open(**modern_call("hang"))
    await probe.started.wait()
    exit_signal(await request_process(), "kill")
    with trio.fail_after(5):
        await visit.over.wait()
        await probe.cancelled.wait()
    assert visit.answer().status == 503
    assert (await host.ask(**modern_call("echo", text="on"))).text == "on"


async def test_a_stream_whose_process_is_killed_ends_without_an_end(
    host: Host, autojump_clock: Any
) -> None:
    visit = host.open(**modern_call("hang"))
    assert (await visit.next())["type"] == "http.response.start"
    await kill(await request_process())
    await visit.over.wait()
    assert visit.sent[-1]["more_body"] is True


async def test_a_killed_pool_ends_its_requests_and_no_later_one(host: Host, probe: Probe) -> None:
    visit = host.open(**modern_call("hang"))
    await probe.started.wait()
    pool = whereis("asgi")
    await kill(pool)
    with trio.fail_after(5):
        await visit.over.wait()
    assert visit.answer().status == 503
    await until(lambda: whereis("asgi") not in (None, pool))
    assert (await host.ask(**modern_call("echo", text="on"))).text == "on"


async def test_a_killed_server_comes_back(host: Host) -> None:
    for _ in range(3):
        await kill(whereis("server_probe"))
        assert (await host.ask(**modern_call("echo", text="on"))).text == "on"


async def test_a_session_outlives_its_server(host: Host) -> None:
    headers = legacy_headers(await open_session(host))
    await kill(whereis("server_probe"))
    answer = await host.ask(body=legacy_call("echo", text="on"), headers=headers)
    assert answer.text == "on"


async def test_a_core_that_gives_up_is_503_and_the_host_goes_on(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL, "erlmcp_py"):
        for _ in range(30):
            core = whereis("core")
            if core is None:
                break
            await kill(core)
            await trio.sleep(0.02)
    assert (await host.ask(**modern_call("echo", text="x"))).status == 503
    assert any("restarted too often" in record.message for record in caplog.records)


async def test_crashes_are_told_to_the_logging_of_the_host(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "erlmcp_py"):
        cast("asgi", "nobody sends such a thing")
        await until(lambda: any("crash" in record.message for record in caplog.records))
    assert (await host.ask(**modern_call("echo", text="on"))).text == "on"
