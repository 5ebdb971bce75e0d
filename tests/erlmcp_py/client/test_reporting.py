"""What is reported of a connection or a subscription that is lost: each loss once."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import trio

from erlmcp_py.client import Client, ConnectError, ConnectionLost, subscribing
from erlmcp_py.protocol.subscriptions import LISTEN
from erlmcp_py.telemetry.entry import describe
from supervisors import Backoff, DynamicSupervisor, Report, Runtime, spawn, start_child
from tests.erlmcp_py.client.bad import DISCOVERED, Asked, event, http_server, result, stream

HELLO = DISCOVERED | {"capabilities": {"tools": {"listChanged": True}}}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribing, "_PAUSE", Backoff(first=0.01, factor=1.0, limit=0.1))


def told(reports: list[Report]) -> list[str]:
    """As a node's log has it."""
    entries = [entry for report in reports for entry in describe(report, 0.0)]
    return [entry.text for entry in entries if entry.level != "debug"]


class Away:
    """A server that acknowledges subscriptions and ends them; while it is away, a proxy answers."""

    def __init__(self) -> None:
        self.is_away = False
        self.asked = 0

    def __call__(self, asked: Asked) -> bytes | None:
        if asked.method != LISTEN:
            return result(asked, HELLO)
        self.asked += 1
        if self.is_away:
            return b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
        id = asked.message["id"]
        params: dict[str, Any] = {
            "_meta": {"io.modelcontextprotocol/subscriptionId": id},
            "notifications": {"toolsListChanged": True},
        }
        method = "notifications/subscriptions/acknowledged"
        return stream(event({"jsonrpc": "2.0", "method": method, "params": params}))

    async def several_times(self) -> None:
        upto = self.asked + 10
        while self.asked < upto:
            await trio.sleep(0.01)


async def test_subscriptions_that_cannot_be_begun_anew_are_told_once_for_all_of_them() -> None:
    away = Away()
    reports: list[Report] = []
    with trio.fail_after(20):
        async with (
            http_server(away) as (url, _),
            Runtime() as runtime,
            Client(url) as client,
            client.subscribe(tools=True) as one,
            client.subscribe(tools=True) as other,
        ):
            runtime.subscribe(reports.append)
            await away.several_times()
            assert told(reports) == [], "one that ends and is begun anew is nothing to tell"
            for times in (1, 2):
                away.is_away = True
                await away.several_times()
                lines = told(reports)
                assert len(lines) == times
                assert f"{url}: HTTP 502; they are asked for again" in lines[-1]
                away.is_away = False
                for changes in (one, other):
                    changes._waiting.clear()
                    assert (await anext(changes)).kind == "tools"


DIES = """
import json, os, sys
def say(asked, **further):
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **further}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if asked["method"] == "initialize":
        say(asked, result={"protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "p", "version": "1"}})
    elif asked["method"] == "tools/call":
        os._exit(3)
    elif "id" in asked:
        say(asked, error={"code": -32601, "message": "no"})
"""


async def test_a_lost_connection_is_told_once_and_when_it_is_made_again() -> None:
    """It was told as two crashes, that of a subscription too, and what their supervisors made of them."""
    reports: list[Report] = []
    pause = Backoff(first=0.5, factor=1.0, limit=0.5, jitter=0.0)
    with trio.fail_after(20):
        async with (
            Runtime() as runtime,
            Client.stdio(sys.executable, "-c", DIES, pause=pause) as client,
            client.subscribe(tools=True) as changes,
        ):
            runtime.subscribe(reports.append)
            with pytest.raises(ConnectionLost, match="ended with status 3"):
                await client.call_tool("x")
            assert (await anext(changes)).kind == "tools"
    (text,) = told(reports)
    assert text.startswith("client: a connection was lost (detail=")
    assert "ended with status 3; it is made again in 0.5 s" in text


async def test_whoever_opens_a_client_is_told_by_an_exception_and_nobody_else() -> None:
    reports: list[Report] = []
    async with Runtime() as runtime:
        runtime.subscribe(reports.append)
        with pytest.raises(ConnectError, match="ended with status 4"):
            async with Client.stdio(sys.executable, "-c", "raise SystemExit(4)"):
                pass
    assert told(reports) == []


async def test_a_connection_of_a_supervisors_client_that_is_not_made_is_told() -> None:
    reports: list[Report] = []
    with trio.fail_after(20):
        async with Runtime() as runtime:
            runtime.subscribe(reports.append)
            spec = Client.stdio(sys.executable, "-c", "raise SystemExit(4)").child_spec()

            async def top() -> None:
                await DynamicSupervisor.start_link(name="clients")
                await start_child("clients", spec)
                await trio.sleep_forever()

            spawn(top)
            while not told(reports):
                await trio.sleep(0.01)
    assert told(reports)[0].startswith("client: a connection was not made (detail=")
