"""What was refused, asked of the console."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from erlmcp_py.guards import tally
from erlmcp_py.protocol import refusals


async def test_nothing_was_refused(node: Any) -> None:
    assert await node.ask("refusals") == []


async def test_the_most_frequent_first(node: Any) -> None:
    tally.count(refusals.QUEUE_FULL)
    for _ in range(3):
        tally.count(refusals.TOO_LARGE)
    first, second = await node.ask("refusals")
    assert first["last"].endswith("+00:00")
    age = datetime.now(UTC) - datetime.fromisoformat(first.pop("last"))
    assert abs(age) < timedelta(minutes=1)
    assert first == {"code": 1068, "name": "too_large", "severity": "error", "count": 3}
    assert second["code"] == 1001
