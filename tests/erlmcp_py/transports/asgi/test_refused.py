"""What is refused through ASGI: bad input, and more than the limits allow."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from erlmcp_py.config import Config, HttpConfig
from erlmcp_py.guards import tally
from erlmcp_py.transports import asgi
from erlmcp_py.transports.asgi.requests import statistics
from tests.erlmcp_py.transports.http.client import (
    modern_call,
)
from tests.erlmcp_py.transports.node import Probe, make_server

from .host import Host, Visit, hosting, nobody_is_left


def configured(**http: Any) -> Any:
    return hosting(asgi.application(make_server(Probe()), Config(http=HttpConfig(**http))))


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
        stats = await statistics()
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
        assert (await statistics()).refused == 1
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
        stats = await statistics()
        assert (stats.open, stats.reaped) == (0, 1)


async def test_progress_for_who_does_not_read_is_bounded(autojump_clock: Any) -> None:
    async with configured(unread=2048, slow_reader="disconnect") as host:
        visit = host.open(**modern_call("steps", count=1000, meta={"progressToken": 7}))
        visit.blocked = True
        await visit.over.wait()
        assert visit.sent == []
        await nobody_is_left()
