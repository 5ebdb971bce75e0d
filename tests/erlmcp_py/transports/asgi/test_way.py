"""What the two sides of a way owe each other at its edges."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from erlmcp_py.config import Config, HttpConfig
from erlmcp_py.guards.streams import OpenStreams
from erlmcp_py.transports import asgi
from erlmcp_py.transports.asgi.exchange import Exchange
from erlmcp_py.transports.asgi.way import Way
from erlmcp_py.transports.http.access import AccessPolicy
from erlmcp_py.transports.http.endpoint import Endpoint
from erlmcp_py.transports.http.settings import ListenerConfig
from supervisors import call, exit_signal, whereis
from tests.erlmcp_py.transports.node import Probe, make_server

from .host import Visit, hosting, http_scope


class Endless(Visit):
    """A client whose body has no end."""

    asked = 0

    async def receive(self) -> dict[str, Any]:
        self.asked += 1
        await trio.sleep(0.001)
        return {"type": "http.request", "body": b" " * 100, "more_body": True}


async def test_the_host_is_asked_for_no_more_than_is_taken(autojump_clock: Any) -> None:
    way = Way()
    visit = Endless(None, http_scope("POST", "/mcp"))
    with trio.move_on_after(1):
        await way.converse(visit.receive, visit.send)
    assert visit.asked == 1


async def test_a_body_without_an_end_is_413(autojump_clock: Any) -> None:
    config = Config(http=HttpConfig(body_limit=2048, request_timeout=1000.0))
    async with hosting(asgi.application(make_server(Probe()), config)) as host:
        visit = Endless(host.app, http_scope("POST", "/mcp"))
        with trio.fail_after(100):
            await visit.run()
        assert visit.answer().status == 413


@pytest.mark.parametrize("victim", ["the process", "asgi"])
async def test_whoever_is_killed_before_its_first_line_leaves_no_host_waiting(victim: str) -> None:
    async with hosting(asgi.application(make_server(Probe()))):
        way, scope = Way(), http_scope("POST", "/mcp")
        visit = Visit(None, scope)
        endpoint = Endpoint(AccessPolicy(), {}, OpenStreams(1, 1))
        exchange = Exchange(way, scope, ListenerConfig(name="asgi"), endpoint)
        pid = await call("asgi", ("start", exchange))
        exit_signal(whereis("asgi") if victim == "asgi" else pid, "kill")  # type: ignore[arg-type]
        with trio.fail_after(5):
            await way.converse(visit.receive, visit.send)
        assert not way.begun
