"""What the end of the input means for what is not finished: everything is answered, without delay."""

from __future__ import annotations

import json
from typing import Any

import trio
from trio.testing import MockClock

from tests.erlmcp_py.transports.http.client import initialize, legacy_call, meta
from tests.fuzz.world import RESOURCE, faults, stdio_node


async def all_said(*messages: dict[str, Any]) -> list[Any]:
    """What a node says to these messages and the end of the input behind them."""
    async with stdio_node() as (ends, reports):
        await ends.write.send_all(b"".join(json.dumps(m).encode() + b"\n" for m in messages))
        await ends.write.aclose()
        said = await ends.all()
    assert not faults(reports)
    return [json.loads(line) for line in said.splitlines()]


async def test_who_asked_the_client_learns_that_it_has_gone(autojump_clock: MockClock) -> None:
    hello = initialize()
    hello["params"]["capabilities"] = {"elicitation": {}}
    begun = trio.current_time()
    said = await all_said(hello, legacy_call("greet", 7))
    assert trio.current_time() - begun < 1
    assert [m["method"] for m in said if "method" in m] == ["elicitation/create"]
    (answer,) = [m for m in said if m.get("id") == 7]
    assert answer["result"]["content"][0]["text"] == "error"


async def test_calls_are_finished_first(autojump_clock: MockClock) -> None:
    said = await all_said(initialize(), legacy_call("later", 7, seconds=3))
    assert said[-1]["id"] == 7
    assert said[-1]["result"]["content"][0]["text"] == "late"


async def test_subscriptions_are_answered() -> None:
    wanted = {"notifications": {"resourceSubscriptions": [RESOURCE]}, "_meta": meta()}
    said = await all_said(
        {"jsonrpc": "2.0", "id": "s", "method": "subscriptions/listen", "params": wanted}
    )
    told, cancelled, result = said
    assert told["method"] == "notifications/subscriptions/acknowledged"
    assert cancelled["method"] == "notifications/cancelled"
    assert cancelled["params"]["requestId"] == "s"
    assert result["id"] == "s"
    assert result["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == "s"
